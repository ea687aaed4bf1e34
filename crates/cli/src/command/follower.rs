//! `countersign follower`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::follower::{
    CreateFollower, DeleteFollower, IssuedFollower, ListFollowers, RotateFollower, SetFollower,
    ShowFollower,
};
use countersign_admin::view::{FollowerView, IssuedFollowerView};
use countersign_core::follower::FollowerName;
use countersign_core::name::TenantId;
use serde_json::json;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{DELETED, FOLLOWER, NEW_FOLLOWER, Shows};
use crate::listing::Column;
use crate::output::Mark;

#[derive(Debug, Subcommand)]
pub(crate) enum FollowerCommand {
    /// Make a follower, and print its secret this once.
    ///
    /// Its machine shows the secret to the service, and is told what its broker must
    /// know. Without --tenant it is told of all tenants, and of operators.
    #[command(
        after_help = "Examples:\n  countersign follower create edge\n  countersign follower create plant --tenant acme"
    )]
    Create {
        /// Its name, which is that of its broker: 1 to 64 of `a-z`, `0-9`, `-`, `_` and
        /// `.`.
        #[arg(value_parser = FollowerName::parse)]
        name: FollowerName,
        /// A tenant that it is told of; may be given several times. Then it is told of no
        /// other, and of no operator.
        #[arg(long, value_name = "T", value_parser = TenantId::parse)]
        tenant: Vec<TenantId>,
    },
    /// List the followers.
    #[command(after_help = "Examples:\n  countersign follower list")]
    List,
    /// Show a follower.
    #[command(after_help = "Examples:\n  countersign follower show edge")]
    Show {
        /// Its name.
        #[arg(value_parser = FollowerName::parse)]
        name: FollowerName,
    },
    /// Change of which tenants a follower is told. It takes a snapshot then.
    #[command(
        after_help = "Examples:\n  countersign follower set plant --add-tenant globex --remove-tenant acme"
    )]
    Set(FollowerSet),
    /// Give a follower another secret, and print it this once. The one before is worth
    /// nothing from then on.
    #[command(after_help = "Examples:\n  countersign follower rotate edge")]
    Rotate {
        /// Its name.
        #[arg(value_parser = FollowerName::parse)]
        name: FollowerName,
    },
    /// Delete a follower. It is told nothing more; its replica keeps what it was told.
    #[command(after_help = "Examples:\n  countersign follower delete edge")]
    Delete {
        /// Its name.
        #[arg(value_parser = FollowerName::parse)]
        name: FollowerName,
    },
}

#[derive(Args, Debug)]
#[group(id = "changes", required = true, multiple = true)]
pub(crate) struct FollowerChanges {
    /// A tenant that it is told of from now on; may be given several times.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    add_tenant: Vec<TenantId>,
    /// A tenant that it is told of no more; may be given several times.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    remove_tenant: Vec<TenantId>,
}

#[derive(Args, Debug)]
pub(crate) struct FollowerSet {
    /// Its name.
    #[arg(value_parser = FollowerName::parse)]
    name: FollowerName,
    #[command(flatten)]
    changes: FollowerChanges,
}

impl FollowerCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create { name, tenant } => {
                let created = invocation.run(&CreateFollower {
                    name,
                    tenants: tenant,
                })?;
                issued(invocation, "created", &created)?;
            }
            Self::List => {
                let mut listing = invocation.output.listing(COLUMNS, "No followers.");
                invocation.each_row(ListFollowers, |follower| {
                    listing.push(&FollowerView::of(&follower))
                })?;
                listing.finish()?;
            }
            Self::Show { name } => {
                let follower = invocation.run(&ShowFollower(name))?;
                invocation.output.record(&FollowerView::of(&follower))?;
            }
            Self::Set(FollowerSet { name, changes }) => {
                let after = invocation.run(&SetFollower {
                    name: name.clone(),
                    add: changes.add_tenant,
                    remove: changes.remove_tenant,
                })?;
                let done = format!("follower {name} changed");
                invocation.output.act(&done, &FollowerView::of(&after))?;
            }
            Self::Rotate { name } => {
                let rotated = invocation.run(&RotateFollower(name))?;
                issued(invocation, "has another secret", &rotated)?;
            }
            Self::Delete { name } => {
                invocation.run(&DeleteFollower(name.clone()))?;
                let deleted = json!({ "deleted": name.as_str() });
                let done = format!("follower {name} deleted");
                invocation.output.act(&done, &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Create { .. } | Self::Rotate { .. } => {
                Shows::all_of(&[NEW_FOLLOWER]).once("secret", true)
            }
            Self::Delete { .. } => Shows::all_of(&[DELETED]),
            Self::List | Self::Set(_) | Self::Show { .. } => Shows::all_of(&[FOLLOWER]),
        }
    }
}

/// Prints a secret this once, and where it is for.
fn issued(invocation: &Invocation, what: &str, issued: &IssuedFollower) -> Result<(), CliError> {
    let view = IssuedFollowerView::of(issued);
    let done = format!(
        "follower {} {what}; its secret is shown this once",
        issued.follower.name
    );
    let more = &[] as &[(&str, &str)];
    invocation
        .output
        .made(Mark::Done, &done, &view, &["secret"], more)
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("tenants", "TENANTS"),
    ("position", "POSITION"),
    ("lag", "LAG"),
    ("last_seen", "LAST SEEN"),
];
