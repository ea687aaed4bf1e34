//! `countersign fleet`.

use std::process::ExitCode;

use clap::Subcommand;
use countersign_admin::follower::ReadFleetStatus;
use countersign_admin::view::FollowerStatusView;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{FLEET_STATUS, Shows};
use crate::listing::Column;

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
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Status => Shows::all_of(&[FLEET_STATUS]),
        }
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
