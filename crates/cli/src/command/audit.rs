//! `countersign audit`.

use std::process::ExitCode;

use clap::Subcommand;
use countersign_admin::audit::{self, FindAuditRow, ShowAuditHeads, VerifyAudit};
use countersign_admin::view::AuditView;
use countersign_core::audit::{AuditHead, AuditHeads};
use serde_json::json;

use crate::error::CliError;
use crate::input::When;
use crate::invocation::Invocation;
use crate::keys::{AUDIT, Shows};

mod follow;
mod list;
mod row;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done by whom, which logins were refused, and which uses of
    /// topics were denied, in order of time.
    ///
    /// Refused logins are of the act `login`; uses that a session was denied are of
    /// the acts `publish` and `subscribe`, with the topic, and have the outcome
    /// `denied`. Both are summed up by the minute. A kick that reached nobody is
    /// `refused`.
    #[command(
        after_help = "Examples:\n  countersign audit list --since 1h\n  countersign audit list --name dev1@acme --limit 20\n  countersign audit list --tenant acme --act credential.suspend --since 7d\n  countersign audit list --outcome refused --address 192.0.2.7\n  countersign audit list --outcome denied --name dev1@acme\n  countersign audit list --follow --json --after 1234"
    )]
    List(list::AuditList),
    /// Show one row.
    #[command(after_help = "Examples:\n  countersign audit show 17")]
    Show {
        /// The number of the row, as `audit list` shows it.
        #[arg(value_name = "ID")]
        id: i64,
    },
    /// Print the heads of the audit's two chains, to be kept elsewhere.
    ///
    /// A head is `ID:HASH`, the number and the hash of the last row. Whoever can
    /// write the store's file can also write another chain that verifies; only a
    /// head that was kept where they can't write shows that. Brokers write the
    /// heads into their log when they start, and once an hour.
    #[command(after_help = "Examples:\n  countersign audit head --json")]
    Head,
    /// Check that no row was changed, added or removed.
    ///
    /// Without `--expect` this finds a chain that was damaged, and not one that
    /// was written anew from the beginning.
    #[command(
        after_help = "Examples:\n  countersign audit verify\n  countersign audit verify --expect \\\n      17:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )]
    Verify {
        /// A head that was kept: nothing up to there was changed, cut or left
        /// out.
        #[arg(long, value_name = "ID:HASH", value_parser = AuditHead::parse)]
        expect: Vec<AuditHead>,
    },
    /// Remove old rows. What is left still verifies.
    #[command(after_help = "Examples:\n  countersign audit prune --before 90d")]
    Prune {
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

impl AuditCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::List(list) => list.run(invocation)?,
            Self::Show { id } => {
                let found = invocation.run(&FindAuditRow(id))?;
                let row =
                    found.ok_or_else(|| CliError::refused(format!("there is no row {id}")))?;
                let changes = row::changes(&row)?;
                invocation
                    .output
                    .record_with(&AuditView::of(&row), &changes)?;
            }
            Self::Head => {
                let AuditHeads { acts, refusals } = invocation.run(&ShowAuditHeads)?;
                let heads = json!({ "acts": acts.to_string(), "refusals": refusals.to_string() });
                invocation.output.record(&heads)?;
            }
            Self::Verify { expect } => {
                let check = invocation.run(&VerifyAudit(expect))?;
                let rows = check.intact().map_err(CliError::refused)?;
                let done = format!("the audit is intact, all {rows} rows");
                invocation
                    .output
                    .act(&done, &json!({ "intact": true, "rows": rows }))?;
            }
            Self::Prune { before } => {
                let removed = invocation.act(|store, context| {
                    let before = before.seen_from(context.now);
                    audit::prune(store, context, before)
                })?;
                let done = format!("{removed} rows of the audit removed");
                invocation
                    .output
                    .act(&done, &json!({ "removed": removed }))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Head => Shows::all_of(&[&["acts", "refusals"]]),
            Self::List(_) | Self::Show { .. } => Shows::all_of(&[AUDIT]),
            Self::Prune { .. } => Shows::all_of(&[&["removed"]]),
            Self::Verify { .. } => Shows::all_of(&[&["intact", "rows"]]),
        }
    }
}
