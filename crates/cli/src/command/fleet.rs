//! `countersign fleet`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::follower::{self, Compacted, ReadFleetStatus};
use countersign_admin::view::FollowerStatusView;
use countersign_core::follower::FollowerName;
use serde_json::json;

use crate::command::init::Init;
use crate::error::CliError;
use crate::input::When;
use crate::invocation::Invocation;
use crate::keys::{FLEET_STATUS, Shows};
use crate::listing::Column;
use crate::store_place::StorePlace;

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Say how each follower does: whether it is heard of, how far behind it is, and what
    /// waits or was refused.
    ///
    /// `heard` says whether it asked in the last minute. `lag` is how many changes it does
    /// not have, `waiting` how much of what its broker wrote it had not handed back when it
    /// asked last, `refused` how much of that was refused since the follower was made:
    /// `audit list --act follower.hand-back` says what. `sessions` are the clients that are
    /// connected there.
    #[command(
        after_help = "Examples:\n  countersign fleet status\n  countersign fleet status --json"
    )]
    Status,
    /// Make the schema of a store in a database.
    ///
    /// It is `countersign --store URL init`: the tables, and the file of --key-file where there
    /// is none of that name.
    #[command(
        after_help = "Examples:\n  countersign fleet init postgres://countersign@localhost/fleet"
    )]
    Init(FleetInit),
    /// Shorten the log of what followers are told.
    ///
    /// The log keeps 100,000 changes, and needs no care. A follower that has not taken what is
    /// removed takes a snapshot again, by itself; `behind` names those.
    #[command(
        after_help = "Examples:\n  countersign fleet compact --before 7d\n  countersign fleet compact --before 2026-01-01"
    )]
    Compact {
        /// Remove what is older: a date-time, or `DUR` for so long ago.
        #[arg(
            long,
            value_name = "WHEN",
            value_parser = When::parse_past,
            allow_hyphen_values = true
        )]
        before: When,
    },
}

#[derive(Args, Debug)]
pub(crate) struct FleetInit {
    /// The database: `postgres://USER@HOST/DATABASE`.
    #[arg(value_name = "URL", value_parser = database)]
    pub(crate) url: PathBuf,
    #[command(flatten)]
    init: Init,
}

impl FleetCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Status => {
                let mut listing = invocation.output.listing(COLUMNS, "No followers.");
                invocation.each_row(ReadFleetStatus, |status| {
                    listing.push(&FollowerStatusView::of(&status))
                })?;
                listing.finish()?;
            }
            Self::Init(FleetInit { init, .. }) => return init.run(invocation),
            Self::Compact { before } => {
                let Compacted { removed, behind } = invocation.act(|store, context| {
                    let before = before.seen_from(context.now);
                    follower::compact(store, context, before)
                })?;
                let done = format!("{removed} changes removed that followers were told of");
                let behind: Vec<_> = behind.iter().map(FollowerName::as_str).collect();
                invocation
                    .output
                    .act(&done, &json!({ "removed": removed, "behind": behind }))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Status => Shows::all_of(&[FLEET_STATUS]),
            Self::Init(_) => Shows::all_of(&[&["path", "key", "next"]]),
            Self::Compact { .. } => Shows::all_of(&[&["removed", "behind"]]),
        }
    }
}

fn database(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    match StorePlace::named(path.clone()) {
        StorePlace::Database(_) => Ok(path),
        StorePlace::File(_) => Err("it has the form postgres://USER@HOST/DATABASE"),
    }
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("heard", "HEARD"),
    ("last_seen", "LAST SEEN"),
    ("position", "POSITION"),
    ("lag", "LAG"),
    ("schema", "SCHEMA"),
    ("waiting", "WAITING"),
    ("refused", "REFUSED"),
    ("sessions", "SESSIONS"),
];
