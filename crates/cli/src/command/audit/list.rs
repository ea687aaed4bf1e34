//! `countersign audit list`.

use clap::Args;
use countersign_admin::audit::{ListAudit, ListAuditPage};
use countersign_admin::view::AuditView;
use countersign_core::audit::{AuditKey, AuditOutcome, AuditRow};
use countersign_core::name::TenantId;
use countersign_core::store::{AuditQuery, Page, each_row};
use countersign_store::AnyStore;

use super::follow::{self, Follower};
use super::row;
use crate::error::CliError;
use crate::input::When;
use crate::invocation::{Invocation, now, run_on};
use crate::listing::{Column, Listing};
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct AuditList {
    /// Since then alone: a date-time, or `DUR` for so long ago.
    #[arg(long, value_name = "WHEN", value_parser = When::parse_past, allow_hyphen_values = true)]
    since: Option<When>,
    /// Until then alone: a date-time, or `DUR` for so long ago.
    #[arg(long, value_name = "WHEN", value_parser = When::parse_past, allow_hyphen_values = true)]
    until: Option<When>,
    /// About this name alone.
    #[arg(long)]
    name: Option<String>,
    /// By this actor alone, as it is listed: `cli:jane as root`.
    #[arg(long)]
    actor: Option<String>,
    /// Of this act alone: `credential.suspend`.
    #[arg(long)]
    act: Option<String>,
    /// That ended so alone.
    #[arg(long, value_parser = outcomes())]
    outcome: Option<AuditOutcome>,
    /// About this tenant and what is in it alone.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
    /// Of clients from this address alone.
    #[arg(long, value_name = "IP")]
    address: Option<String>,
    /// The newest so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// With higher numbers than this alone, in the order of their numbers: what a
    /// program goes on with that has read up to there.
    #[arg(long, value_name = "ID", conflicts_with = "limit")]
    after: Option<i64>,
    /// Wait for more. Each row comes once, in the order of the numbers, whatever is
    /// pruned meanwhile, and also where another file takes the store's place; refusals
    /// come once their minute is summed up. With --json, each row is a document on a
    /// line of its own.
    #[arg(long)]
    follow: bool,
}

/// The outcomes there are, by their words.
fn outcomes() -> impl clap::builder::TypedValueParser<Value = AuditOutcome> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    let words = AuditOutcome::ALL.map(AuditOutcome::as_str);
    PossibleValuesParser::new(words).try_map(|word| {
        let mut all = AuditOutcome::ALL.into_iter();
        all.find(|outcome| outcome.as_str() == word)
            .ok_or("no such outcome")
    })
}

impl AuditList {
    pub(super) fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let now = now();
        let query = AuditQuery {
            since: self.since.map(|since| since.seen_from(now)),
            until: self.until.map(|until| until.seen_from(now)),
            subject: self.name,
            actor: self.actor,
            act: self.act,
            outcome: self.outcome,
            tenant: self.tenant,
            address: self.address,
            limit: self.limit,
        };
        let mut rows = Printer::new(invocation.output, self.follow);
        if self.follow {
            return follow::run(invocation, query, self.after, &mut rows);
        }
        let mut store = invocation.open_to_read()?;
        match self.after {
            Some(after) => Follower::new(query, after).go_on(&mut store, &mut rows)?,
            None => each_row_of(&mut store, &query, |row| rows.print(&row))?,
        }
        rows.finish()
    }
}

/// Prints rows, one after the other.
pub(super) struct Printer {
    output: Output,
    listing: Listing,
    /// Whether each row is a document of its own.
    is_stream: bool,
}

impl Printer {
    fn new(output: Output, is_stream: bool) -> Self {
        Self {
            output,
            listing: output.listing(COLUMNS, "No rows."),
            is_stream,
        }
    }

    pub(super) fn print(&mut self, row: &AuditRow) -> Result<(), CliError> {
        if self.output.is_for_people() {
            self.listing.push(&row::line(row)?)
        } else if self.is_stream {
            self.output.line(&AuditView::of(row))
        } else {
            self.listing.push(&AuditView::of(row))
        }
    }

    /// Lets what was printed be read.
    pub(super) fn flush(&mut self) -> Result<(), CliError> {
        self.listing.flush()
    }

    fn finish(self) -> Result<(), CliError> {
        self.listing.finish()
    }
}

/// Hands over each row that a query asks for. Where it asks for the newest, those
/// are held in memory; else one page is.
pub(super) fn each_row_of(
    store: &mut AnyStore,
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

const COLUMNS: &[Column] = &[
    ("id", "ID"),
    ("time", "TIME"),
    ("actor", "ACTOR"),
    ("act", "ACT"),
    ("subject", "SUBJECT"),
    ("outcome", "OUTCOME"),
    ("cause", "CAUSE"),
    ("count", "COUNT"),
    ("address", "ADDRESS"),
    ("topic", "TOPIC"),
    ("changes", "CHANGES"),
];
