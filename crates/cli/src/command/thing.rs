//! `countersign thing`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::thing::{
    CreateThing, DeleteThing, ListThings, NewThing, ShowThing, UntieThing,
};
use countersign_admin::view::ThingView;
use countersign_core::credential::Credential;
use countersign_core::kind::ApplicationName;
use countersign_core::name::{LoginName, TenantId};
use serde_json::json;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{DELETED, Shows, THING};
use crate::listing::Column;
use crate::told::{Ending, told};

#[derive(Debug, Subcommand)]
pub(crate) enum ThingCommand {
    /// Make a thing. Its client logs in with the key, the token of the
    /// application as password, and an application id of its own as client id,
    /// to which the thing is tied from then on.
    #[command(
        after_help = "Examples:\n  countersign thing create pump-1 --tenant acme --application fleet"
    )]
    Create {
        #[command(flatten)]
        thing: Keyed,
        /// The application whose token it presents.
        #[arg(long, value_parser = ApplicationName::parse)]
        application: ApplicationName,
    },
    /// List things.
    #[command(
        after_help = "Examples:\n  countersign thing list --tenant acme\n  countersign thing list --tenant acme --application fleet"
    )]
    List {
        /// Of this tenant alone.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
        /// Of this application of the tenant alone.
        #[arg(long, requires = "tenant", value_parser = ApplicationName::parse)]
        application: Option<ApplicationName>,
    },
    /// Show a thing. Its application id is a secret, so only whether it is tied
    /// to one is told.
    #[command(after_help = "Examples:\n  countersign thing show pump-1 --tenant acme")]
    Show(Keyed),
    /// Forget the application id that a thing is tied to. Its sessions end, and
    /// the next client ties it anew.
    #[command(after_help = "Examples:\n  countersign thing untie pump-1 --tenant acme")]
    Untie(Keyed),
    /// Delete a thing. Its sessions end.
    #[command(after_help = "Examples:\n  countersign thing delete pump-1 --tenant acme")]
    Delete(Keyed),
}

#[derive(Args, Debug)]
pub(crate) struct Keyed {
    /// Its key, which it logs in with.
    #[arg(value_parser = LoginName::parse_device)]
    key: LoginName,
    /// Its tenant.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: TenantId,
}

impl ThingCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create { thing, application } => {
                let new = NewThing {
                    key: thing.key,
                    tenant: thing.tenant,
                    application,
                };
                let done = format!("thing {} created in {}", new.key, new.tenant);
                print(invocation, &invocation.run(&CreateThing(new))?, Some(&done))?;
            }
            Self::List {
                tenant,
                application,
            } => {
                let mut listing = invocation.output.listing(COLUMNS, "No things.");
                invocation.each_row(
                    |page| ListThings {
                        tenant: tenant.clone(),
                        application: application.clone(),
                        page,
                    },
                    |thing| listing.push(&ThingView::of(&thing)),
                )?;
                listing.finish()?;
            }
            Self::Show(Keyed { key, tenant }) => {
                print(
                    invocation,
                    &invocation.run(&ShowThing { key, tenant })?,
                    None,
                )?;
            }
            Self::Untie(Keyed { key, tenant }) => {
                let done = format!("thing {key} is tied to no client any more");
                let name = key.clone();
                let act = UntieThing { key, tenant };
                let (thing, ended) = invocation.run(&Ending { name, act })?;
                print(invocation, &thing, Some(&told(&done, ended)))?;
            }
            Self::Delete(Keyed { key, tenant }) => {
                let deleted = json!({ "deleted": key.as_str() });
                let done = format!("thing {key} deleted");
                let name = key.clone();
                let act = DeleteThing { key, tenant };
                let ((), ended) = invocation.run(&Ending { name, act })?;
                invocation.output.act(&told(&done, ended), &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Delete(_) => Shows::all_of(&[DELETED]),
            Self::Create { .. } | Self::List { .. } | Self::Show(_) | Self::Untie(_) => {
                Shows::all_of(&[THING])
            }
        }
    }
}

/// Prints a thing, or what was done to it.
fn print(invocation: &Invocation, thing: &Credential, done: Option<&str>) -> Result<(), CliError> {
    let more = &[] as &[(&str, &str)];
    invocation.output.tell(done, &ThingView::of(thing), more)
}

const COLUMNS: &[Column] = &[
    ("key", "KEY"),
    ("tenant", "TENANT"),
    ("application", "APPLICATION"),
    ("app_id_bound", "APP ID BOUND"),
    ("last_used_at", "LAST USED"),
    ("created_at", "CREATED"),
];
