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
use crate::listing::Column;

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
                print(invocation, &invocation.run(&CreateThing(new))?)?;
            }
            Self::List {
                tenant,
                application,
            } => {
                let mut listing = invocation.output.listing(COLUMNS);
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
                print(invocation, &invocation.run(&ShowThing { key, tenant })?)?;
            }
            Self::Untie(Keyed { key, tenant }) => {
                print(invocation, &invocation.run(&UntieThing { key, tenant })?)?;
            }
            Self::Delete(Keyed { key, tenant }) => {
                let deleted = json!({ "deleted": key.as_str() });
                invocation.run(&DeleteThing { key, tenant })?;
                invocation.output.record(&deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(invocation: &Invocation, thing: &Credential) -> Result<(), CliError> {
    invocation.output.record(&ThingView::of(thing))
}

const COLUMNS: &[Column] = &[
    ("key", "KEY"),
    ("tenant", "TENANT"),
    ("application", "APPLICATION"),
    ("app_id_bound", "APP ID BOUND"),
    ("last_used_at", "LAST USED"),
    ("created_at", "CREATED"),
];
