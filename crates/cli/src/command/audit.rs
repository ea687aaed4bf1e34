//! `countersign audit`.

use std::collections::{HashMap, HashSet};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use countersign_admin::audit::{
    self, FindAuditRow, ListAudit, ListAuditPage, ShowAuditHeads, VerifyAudit,
};
use countersign_admin::view::AuditView;
use countersign_core::audit::{AuditCheck, AuditEntry, AuditHead, AuditHeads, AuditKey, AuditRow};
use countersign_core::store::{AuditQuery, Page, each_row};
use countersign_core::time::{Timestamp, rfc3339};
use countersign_sqlite::SqliteStore;
use serde_json::json;

use crate::error::CliError;
use crate::input::When;
use crate::invocation::{Invocation, now, run_on};
use crate::listing::Column;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done by whom, and which logins were refused, in order of
    /// time.
    #[command(
        after_help = "Examples:\n  countersign audit list --since 1h\n  countersign audit list --name dev1@acme --limit 20"
    )]
    List(AuditList),
    /// Show one row.
    #[command(after_help = "Examples:\n  countersign audit show 17")]
    Show {
        /// The number of the row, as `audit list --json` shows it.
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
        after_help = "Examples:\n  countersign audit verify\n  countersign audit verify --expect 17:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
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

#[derive(Args, Debug)]
pub(crate) struct AuditList {
    /// Since then alone: a date-time, or `DUR` for so long ago.
    #[arg(long, value_name = "WHEN", value_parser = When::parse_past, allow_hyphen_values = true)]
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
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::List(list) => list.run(invocation)?,
            Self::Show { id } => {
                let found = invocation.run(&FindAuditRow(id))?;
                let row =
                    found.ok_or_else(|| CliError::refused(format!("there is no row {id}")))?;
                invocation.output.record(&AuditView::of(&row))?;
            }
            Self::Head => {
                let AuditHeads { acts, refusals } = invocation.run(&ShowAuditHeads)?;
                let heads = json!({ "acts": acts.to_string(), "refusals": refusals.to_string() });
                invocation.output.record(&heads)?;
            }
            Self::Verify { expect } => {
                let check = invocation.run(&VerifyAudit(expect))?;
                let rows = intact(check).map_err(CliError::refused)?;
                invocation
                    .output
                    .record(&json!({ "intact": true, "rows": rows }))?;
            }
            Self::Prune { before } => {
                let removed = invocation.act(|store, context| {
                    let before = before.seen_from(context.now);
                    audit::prune(store, context, before)
                })?;
                invocation.output.record(&json!({ "removed": removed }))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How many rows there are, or what is wrong with them.
pub(crate) fn intact(check: AuditCheck) -> Result<u64, String> {
    let problem = match check {
        AuditCheck::Intact { rows } => return Ok(rows),
        AuditCheck::Broken { row, time } => format!(
            "row {row}{} does not follow from the one before",
            time.map(|time| format!(" of {}", rfc3339(time)))
                .unwrap_or_default()
        ),
        AuditCheck::CutOff { last, expected } => {
            format!("it ends with row {last}, and row {expected} was written")
        }
        AuditCheck::CutAtFront { last } => {
            format!("the acts up to row {last} are missing, and no `audit prune` tells of it")
        }
        AuditCheck::Staged { found, expected } => {
            format!("{expected} refusals of the last minutes were written, and {found} are there")
        }
        AuditCheck::Missing { row, last } => {
            return Err(format!(
                "row {row} is missing: it was cut off or left out, or this is an older copy of \
                 the store (the last row is {last})"
            ));
        }
        AuditCheck::Rewritten { row } => {
            format!("row {row} is not the one of that head; the chain was written anew")
        }
        AuditCheck::PrunedSince { row, told_by } => {
            return Err(format!(
                "the oldest acts were pruned after row {row} was written, as row {told_by} says; \
                 expect a head from after that"
            ));
        }
    };
    Err(format!("the audit was tampered with: {problem}"))
}

impl AuditList {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let query = AuditQuery {
            since: self.since.map(|since| since.seen_from(now())),
            subject: self.name,
            limit: self.limit,
        };
        if !self.follow {
            let mut listing = invocation.output.listing(COLUMNS);
            let mut store = invocation.open_to_read()?;
            each_row_of(&mut store, &query, |row| listing.push(&AuditView::of(&row)))?;
            return listing.finish();
        }
        let mut store = invocation.open()?;
        let mut tail = AuditTail::begin(invocation.output, &mut store, query)?;
        loop {
            std::thread::sleep(PAUSE);
            tail.go_on(&mut store)?;
        }
    }
}

/// Hands over each row that a query asks for. Where it asks for the newest, those
/// are held in memory; else one page is.
fn each_row_of(
    store: &mut SqliteStore,
    query: &AuditQuery,
    mut each: impl FnMut(AuditRow) -> Result<(), CliError>,
) -> Result<(), CliError> {
    if query.limit.is_some() {
        let rows = run_on(store, &ListAudit(query.clone()))?;
        return rows.into_iter().try_for_each(each);
    }
    let page = |page: &Page<AuditKey>| ListAuditPage {
        query: query.clone(),
        page: page.clone(),
    };
    each_row(|after| run_on(store, &page(after)), &mut each)
}

/// The end of the audit, as it grows.
struct AuditTail {
    output: Output,
    listing: crate::listing::Listing,
    query: AuditQuery,
    known: PrintedRows,
}

/// Recent rows that were printed, or are older than what was asked for.
#[derive(Default)]
struct PrintedRows {
    rows: HashSet<i64>,
    /// How far sums of refusals had grown.
    sums: HashMap<String, i64>,
}

impl PrintedRows {
    /// Takes note of a row; says whether it was not known.
    fn is_new(&mut self, AuditRow { id, entry }: &AuditRow) -> bool {
        if id.is_some_and(|id| !self.rows.insert(id)) {
            return false;
        }
        !entry.is_sum() || self.sums.insert(key_of(entry), entry.count) != Some(entry.count)
    }
}

/// What stays the same of a sum while it grows, and when it gets its number.
fn key_of(entry: &AuditEntry) -> String {
    let AuditEntry {
        time,
        actor,
        subject,
        cause,
        address,
        client_id,
        topic,
        act,
        ..
    } = entry;
    format!("{time:?} {actor:?} {subject:?} {cause:?} {address:?} {client_id:?} {topic:?} {act:?}")
}

impl AuditTail {
    /// Prints what was asked for. All else that is there is known from then on.
    fn begin(
        output: Output,
        store: &mut SqliteStore,
        mut query: AuditQuery,
    ) -> Result<Self, CliError> {
        let asked = query.clone();
        query.limit = None;
        let mut tail = Self {
            output,
            listing: output.listing(COLUMNS),
            query,
            known: PrintedRows::default(),
        };
        // First: what comes between the two is printed now or later, and once.
        let recent = tail.recent(store)?;
        for row in &recent {
            tail.known.is_new(row);
        }
        each_row_of(store, &asked, |row| {
            tail.known.is_new(&row);
            tail.print(&row)
        })?;
        tail.listing.flush()?;
        Ok(tail)
    }

    /// Prints what has come since.
    fn go_on(&mut self, store: &mut SqliteStore) -> Result<(), CliError> {
        let rows = self.recent(store)?;
        let mut known = PrintedRows::default();
        for row in &rows {
            known.is_new(row);
            if self.known.is_new(row) {
                self.print(row)?;
            }
        }
        // What is older does not come again.
        self.known = known;
        self.listing.flush()
    }

    /// The rows that may be new: those of a broker with a clock that is a little
    /// behind, and sums that still grow, are among them.
    fn recent(&mut self, store: &mut SqliteStore) -> Result<Vec<AuditRow>, CliError> {
        let recent = now().minus(LATE);
        let since = self.query.since.unwrap_or(Timestamp::from_millis(i64::MIN));
        self.query.since = Some(since.max(recent));
        run_on(store, &ListAudit(self.query.clone()))
    }

    fn print(&mut self, row: &AuditRow) -> Result<(), CliError> {
        match self.output {
            Output::Json => self.output.line(&AuditView::of(row)),
            Output::Text => self.listing.push(&AuditView::of(row)),
        }
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
