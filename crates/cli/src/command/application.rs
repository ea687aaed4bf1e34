//! `countersign application`.

use core::time::Duration;
use std::process::ExitCode;

use clap::{Args, Subcommand, value_parser};
use countersign_admin::application::{
    CreateApplication, DeleteApplication, IssuedApplication, ListApplications, NewApplication,
    RotateApplication, ShowApplication,
};
use countersign_admin::view::{ApplicationView, IssuedApplicationView};
use countersign_core::auto_registration::{AutoRegistration, KeyPattern};
use countersign_core::duration::parse_duration;
use countersign_core::kind::{Application, ApplicationName};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use serde_json::json;

use crate::command::taking::TakingArguments;
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{APPLICATION, DELETED, ISSUED_APPLICATION, LOSER, Shows};
use crate::listing::Column;
use crate::output::Mark;

#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationCommand {
    /// Make an application, and print its token this once. Its things present
    /// the token as their password.
    #[command(
        after_help = "Examples:\n  countersign application create fleet --tenant acme --role ops\n  countersign application create portal --tenant acme --org-admin\n  countersign application create factory --tenant acme --auto-register \\\n      --max 500 --pattern 'factory-*'"
    )]
    Create(ApplicationCreate),
    /// List applications.
    #[command(after_help = "Examples:\n  countersign application list --tenant acme")]
    List {
        /// Of this tenant alone.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
    },
    /// Show an application.
    #[command(after_help = "Examples:\n  countersign application show fleet --tenant acme")]
    Show(Named),
    /// Make a new token, beside which the old one may work for a while.
    #[command(
        after_help = "Examples:\n  countersign application rotate fleet --tenant acme --overlap 24h"
    )]
    Rotate {
        #[command(flatten)]
        named: Named,
        /// How long the old token still works; without it, not at all, and the
        /// sessions of all things end.
        #[arg(long, value_name = "DUR", value_parser = parse_duration)]
        overlap: Option<Duration>,
    },
    /// Delete an application and all its things. Their sessions end.
    #[command(after_help = "Examples:\n  countersign application delete fleet --tenant acme")]
    Delete(Named),
}

#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its name: `A-Z`, `a-z`, `0-9`, `_`, `-` and `.`.
    #[arg(value_parser = ApplicationName::parse)]
    name: ApplicationName,
    /// Its tenant.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: TenantId,
}

#[derive(Args, Debug)]
pub(crate) struct ApplicationCreate {
    #[command(flatten)]
    named: Named,
    /// A role that its things hold.
    #[arg(long = "role", value_name = "ROLE", value_parser = RoleName::parse)]
    roles: Vec<RoleName>,
    /// Let the sessions of its things administer the tenant.
    #[arg(long)]
    org_admin: bool,
    /// Make a thing that nobody made when it first presents the token: up to ten
    /// a second, with keys of `A-Z`, `a-z`, `0-9`, `_`, `-`, `.` and `:`.
    #[arg(long)]
    auto_register: bool,
    /// How many things it ever makes; one that is deleted leaves no room.
    #[arg(long, value_name = "N", requires = "auto_register", default_value_t = AutoRegistration::DEFAULT_MAX,
        value_parser = value_parser!(u32).range(1..=i64::from(AutoRegistration::LARGEST_MAX)))]
    max: u32,
    /// The keys that it takes, each `*` standing for one or more characters.
    #[arg(long, value_name = "P", requires = "auto_register", default_value = "*", value_parser = KeyPattern::parse)]
    pattern: KeyPattern,
    #[command(flatten)]
    taking: TakingArguments,
}

impl ApplicationCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create(create) => create.run(invocation)?,
            Self::List { tenant } => {
                let mut listing = invocation.output.listing(COLUMNS, "No applications.");
                invocation.each_row(
                    |page| ListApplications {
                        tenant: tenant.clone(),
                        page,
                    },
                    |application| listing.push(&ApplicationView::of(&application)),
                )?;
                listing.finish()?;
            }
            Self::Show(Named { name, tenant }) => {
                let application = invocation.run(&ShowApplication { tenant, name })?;
                invocation
                    .output
                    .record(&ApplicationView::of(&application))?;
            }
            Self::Rotate {
                named: Named { name, tenant },
                overlap,
            } => {
                let issued = invocation.run(&RotateApplication {
                    tenant,
                    name,
                    overlap,
                })?;
                print_issued(invocation, &issued, "has a new token, which is")?;
            }
            Self::Delete(Named { name, tenant }) => {
                let deleted = json!({ "deleted": name.as_str() });
                let done = format!("application {name} of {tenant} deleted with its things");
                invocation.run(&DeleteApplication { tenant, name })?;
                invocation.output.act(&done, &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Create(create) if create.taking.is_dry_run() => Shows::all_of(&[LOSER]),
            Self::Create(_) | Self::Rotate { .. } => {
                Shows::all_of(&[ISSUED_APPLICATION]).once("secret", true)
            }
            Self::Delete(_) => Shows::all_of(&[DELETED]),
            Self::List { .. } | Self::Show(_) => Shows::all_of(&[APPLICATION]),
        }
    }
}

impl ApplicationCreate {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let Named { name, tenant } = self.named;
        let new = NewApplication {
            name,
            tenant,
            roles: self.roles,
            about: Application {
                is_org_admin: self.org_admin,
                registers: self.auto_register.then_some(AutoRegistration {
                    max: self.max,
                    pattern: self.pattern,
                    registered: 0,
                }),
            },
        };
        let Some(issued) = self.taking.run(invocation, CreateApplication(new))? else {
            return Ok(());
        };
        print_issued(invocation, &issued, "created; its token is")
    }
}

/// Prints an application's new token, which is shown this once.
fn print_issued(
    invocation: &Invocation,
    issued: &IssuedApplication,
    what: &str,
) -> Result<(), CliError> {
    let view = IssuedApplicationView::of(issued);
    let done = format!("application {} {what} shown this once", view.name());
    let keys = ["secret", "old_secret_until"];
    let more = &[] as &[(&str, &str)];
    invocation
        .output
        .made(Mark::Done, &done, &view, &keys, more)
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("tenant", "TENANT"),
    ("roles", "ROLES"),
    ("org_admin", "ORG ADMIN"),
    ("auto_register", "AUTO REGISTER"),
    ("created_at", "CREATED"),
];
