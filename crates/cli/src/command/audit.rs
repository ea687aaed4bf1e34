//! `countersign audit`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use countersign_admin::audit;
use countersign_admin::view::{AuditView, rfc3339};
use countersign_core::audit::AuditEntry;
use countersign_core::store::AuditQuery;
use countersign_core::time::Timestamp;
use countersign_sqlite::AuditCheck;
use serde_json::json;

use crate::failure::Failure;
use crate::input::When;
use crate::invocation::{Invocation, now};
use crate::listing::Column;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done by whom, and which logins were refused, newest last.
    #[command(
        after_help = "Examples:\n  countersign audit list --since -1h\n  countersign audit list --name dev1@acme --limit 20"
    )]
    List(AuditList),
    /// Check that no row was changed, added or removed behind our back.
    #[command(after_help = "Examples:\n  countersign audit verify")]
    Verify,
    /// Remove old rows. What is left still verifies.
    #[command(after_help = "Examples:\n  countersign audit prune --before -90d")]
    Prune {
        /// Remove what is older: a date-time or `-DUR`.
        #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
        before: When,
    },
}

#[derive(Args, Debug)]
pub(crate) struct AuditList {
    /// Since then alone: a date-time or `-DUR`.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    since: Option<When>,
    /// About this name alone.
    #[arg(long)]
    name: Option<String>,
    /// The newest so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Wait for more. With --json, each row is a document on a line of its
    /// own. A sum of refusals comes again when it grows.
    #[arg(long)]
    follow: bool,
}

impl AuditCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, Failure> {
        match self {
            Self::List(list) => list.run(invocation)?,
            Self::Verify => {
                let rows = intact(invocation.open()?.verify_audit()?).map_err(Failure::refused)?;
                invocation
                    .output
                    .record(&json!({ "intact": true, "rows": rows }))?;
            }
            Self::Prune { before } => {
                let removed = invocation.act(|store, context| {
                    let before = before.seen_from(context.now);
                    store.prune_audit(before, &audit::pruning(context, before))
                })?;
                invocation.output.record(&json!({ "removed": removed }))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How many rows there are, or what is wrong with them.
pub(crate) fn intact(check: AuditCheck) -> Result<u64, String> {
    match check {
        AuditCheck::Intact { rows } => Ok(rows),
        AuditCheck::Broken { row, time } => Err(format!(
            "the audit was tampered with: row {row}{} does not follow from the one before",
            time.map(|time| format!(" of {}", rfc3339(time)))
                .unwrap_or_default()
        )),
        AuditCheck::CutOff { last, expected } => Err(format!(
            "the audit was tampered with: it ends with row {last}, and row {expected} was written"
        )),
    }
}

impl AuditList {
    fn run(self, invocation: &Invocation) -> Result<(), Failure> {
        let query = AuditQuery {
            since: self.since.map(|since| since.seen_from(now())),
            subject: self.name,
            limit: self.limit,
        };
        let mut store = invocation.open()?;
        let entries = audit::list(&mut store, &query)?;
        if !self.follow {
            let mut listing = invocation.output.listing(COLUMNS);
            for entry in &entries {
                listing.push(&AuditView::of(entry))?;
            }
            return listing.finish();
        }
        let mut tail = Tail::new(invocation.output, query);
        tail.print(entries)?;
        loop {
            std::thread::sleep(PAUSE);
            let more = audit::list(&mut store, &tail.query)?;
            tail.print(more)?;
        }
    }
}

/// The end of the audit, as it grows.
struct Tail {
    output: Output,
    listing: crate::listing::Listing,
    query: AuditQuery,
    /// What was printed and could be found again.
    printed: Vec<AuditEntry>,
}

impl Tail {
    fn new(output: Output, query: AuditQuery) -> Self {
        Self {
            output,
            listing: output.listing(COLUMNS),
            query,
            printed: Vec::new(),
        }
    }

    /// Prints the entries that were not printed yet.
    fn print(&mut self, entries: Vec<AuditEntry>) -> Result<(), Failure> {
        for entry in &entries {
            if !self.printed.contains(entry) {
                match self.output {
                    Output::Json => self.output.line(&AuditView::of(entry))?,
                    Output::Text => self.listing.push(&AuditView::of(entry))?,
                }
            }
        }
        self.listing.flush()?;
        // From now on only what is recent is asked for: rows of a broker with
        // a clock that is a little behind, and sums that still grow.
        let recent = now().minus(LATE);
        let since = self.query.since.unwrap_or(Timestamp::from_millis(i64::MIN));
        self.query.since = Some(since.max(recent));
        self.query.limit = None;
        self.printed = entries;
        Ok(())
    }
}

const COLUMNS: &[Column] = &[
    ("time", "TIME"),
    ("actor", "ACTOR"),
    ("act", "ACT"),
    ("subject", "SUBJECT"),
    ("outcome", "OUTCOME"),
    ("cause", "CAUSE"),
    ("count", "COUNT"),
];
const PAUSE: Duration = Duration::from_millis(250);
const LATE: Duration = Duration::from_secs(300);
