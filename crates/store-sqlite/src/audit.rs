//! The audit's two chains of rows, and the refusals that are still summed up.

use core::time::Duration;

use countersign_core::audit::{
    AuditChain, AuditCheck, AuditEntry, AuditHead, AuditHeads, AuditKey, AuditOutcome, AuditRow,
};
use countersign_core::reason::Reason;
use countersign_core::store::rows::AuditRows;
use countersign_core::store::{AuditQuery, Listed, Page, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params, params_from_iter};

use self::chain::ChainEnds;
use self::part::{FoundRows, Part, admitted};
use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::refusals::{parse_reason, staged};
use crate::row_reader::RowReader;
use crate::transaction::{COMMIT, SqliteTransaction};

mod chain;
pub(crate) mod part;
mod prune;
mod verify;

pub(crate) use self::chain::{count_staged, heads};

impl AuditRows for SqliteTransaction<'_> {
    fn audit(&mut self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        let limit = query.limit.unwrap_or(u64::MAX);
        self.run("list the audit", |connection| {
            let mut rows = list(connection, query, Part::Newest(limit))?.rows;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(rows.split_off(rows.len().saturating_sub(limit)))
        })
    }

    fn audit_page(
        &mut self,
        query: &AuditQuery,
        page: &Page<AuditKey>,
    ) -> Result<Listed<AuditRow>, StoreError> {
        self.run("list the audit", |connection| {
            let FoundRows { rows, end } = list(connection, query, Part::Page(page))?;
            Ok(page.listed_up_to(rows, end))
        })
    }

    fn audit_after(&mut self, after: i64, most: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.run("follow the audit", |connection| {
            rows_after(connection, after, most)
        })
    }

    fn audit_row(&mut self, id: i64) -> Result<Option<AuditRow>, StoreError> {
        self.run("look up a row of the audit", |connection| {
            row(connection, id)
        })
    }

    fn audit_heads(&mut self) -> Result<AuditHeads, StoreError> {
        self.run("read the audit's heads", heads)
    }

    fn verify_audit(&mut self, expected: &[AuditHead]) -> Result<AuditCheck, StoreError> {
        self.run("verify the audit", |connection| {
            verify::verify(connection, expected)
        })
    }

    fn last_act_before(&mut self, before: Timestamp) -> Result<AuditHead, StoreError> {
        self.run("prune the audit", |connection| {
            prune::last_before(connection, AuditChain::Acts, before)
        })
    }

    fn append_audit(
        &mut self,
        chain: AuditChain,
        entries: &[AuditEntry],
    ) -> Result<(), StoreError> {
        self.run(COMMIT, |connection| append(connection, chain, entries))
    }

    fn count_audited_refusals(&mut self) -> Result<u64, StoreError> {
        self.run("count refusals", |connection| {
            chain::count(connection, AuditChain::Refusals)
        })
    }

    fn cut_audit(
        &mut self,
        chain: AuditChain,
        most: usize,
        is_old: &mut dyn FnMut(i64, Timestamp) -> bool,
    ) -> Result<usize, StoreError> {
        self.run("cut the audit", |connection| {
            prune::cut(connection, chain, most, is_old)
        })
    }
}

/// Appends rows to a chain, inside the running write transaction.
fn append(connection: &Connection, chain: AuditChain, entries: &[AuditEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let ChainEnds { mut head, .. } = chain::ends(connection, chain)?;
    let next = chain::next_id(connection)?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO audit (id, chain, format, time, actor, act, subject, outcome, cause, address,
             client_id, topic, count, before, after, hash)
         VALUES (?1, ?2, 2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    for (place, entry) in chain.rows_after(head, next, entries) {
        head = place;
        statement.execute(params![
            head.id,
            chain.number(),
            entry.time.as_millis(),
            entry.actor,
            entry.act,
            entry.subject,
            entry.outcome.as_str(),
            entry.cause.map(Reason::as_str),
            entry.address,
            entry.client_id,
            entry.topic,
            entry.count,
            entry.before,
            entry.after,
            head.hash.0,
        ])?;
    }
    chain::set_head(connection, chain, head, entries.len())
}

/// The rows that `query` asks for, refusals that are still summed up included,
/// newest last.
fn list(connection: &Connection, query: &AuditQuery, part: Part<'_>) -> Result<FoundRows, Fault> {
    let found = select(connection, query, part)?;
    Ok(found.and(staged(connection, query, part)?))
}

/// The rows after the one with this number, of both chains.
pub(crate) fn rows_after(
    connection: &Connection,
    after: i64,
    most: usize,
) -> Result<Vec<AuditRow>, Fault> {
    let mut statement = connection.prepare_cached(AFTER)?;
    let mut rows = statement.query(params![after, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_row(&mut RowReader::of(row))?);
    }
    Ok(found)
}

/// The row with this number.
fn row(connection: &Connection, id: i64) -> Result<Option<AuditRow>, Fault> {
    let mut statement = connection.prepare_cached(ROW)?;
    let mut rows = statement.query([id])?;
    Ok(match rows.next()? {
        Some(row) => Some(read_row(&mut RowReader::of(row))?),
        None => None,
    })
}

/// Reads the rows of both chains that `query` asks for.
fn select(connection: &Connection, query: &AuditQuery, part: Part<'_>) -> Result<FoundRows, Fault> {
    // Rows are read in the order of an index, up to the last that is asked for. SQLite
    // would put all of them into order first where it may choose.
    let all = match &query.subject {
        Some(subject) => PageQuery::of(concat!(
            entry_columns!(),
            ", id FROM audit INDEXED BY audit_of_subject WHERE true"
        ))
        .and("subject = ?", [text(subject)]),
        None => PageQuery::of(concat!(
            entry_columns!(),
            ", id FROM audit INDEXED BY audit_by_time WHERE true"
        )),
    };
    let mut sought = all.when("time <= ?", query.until.map(Timestamp::as_millis));
    if let Some(since) = query.since {
        // A sum is dated at the start of its minute and reaches to its end.
        let values = [since.minus(MINUTE), since].map(|since| since.as_millis().into());
        sought = sought.and(
            concat!("time > ? AND (time >= ? OR ", is_sum!(), ")"),
            values,
        );
    }
    let (sql, values) = part.of(sought, ["time", SUM, "id"]);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query(params_from_iter(values))?;
    admitted(connection, query, part, rows, read_row)
}

fn read_row(columns: &mut RowReader<'_>) -> Result<AuditRow, Fault> {
    Ok(AuditRow {
        entry: read(columns)?,
        id: columns.maybe_number()?,
    })
}

fn read(columns: &mut RowReader<'_>) -> Result<AuditEntry, Fault> {
    Ok(AuditEntry {
        time: columns.instant()?,
        actor: columns.text()?.into(),
        act: columns.text()?.into(),
        subject: columns.text()?.into(),
        outcome: columns.parsed(|text| {
            let mut all = AuditOutcome::ALL.into_iter();
            all.find(|outcome| outcome.as_str() == text).ok_or(())
        })?,
        cause: columns.maybe_parsed(parse_reason)?,
        address: columns.maybe_text()?.map(Into::into),
        client_id: columns.maybe_text()?.map(Into::into),
        topic: columns.maybe_text()?.map(Into::into),
        count: columns.number()?,
        before: columns.maybe_text()?.map(Into::into),
        after: columns.maybe_text()?.map(Into::into),
    })
}

/// What [`read`] reads of a row of a chain.
macro_rules! entry_columns {
    () => {
        "SELECT time, actor, act, subject, outcome, cause, address, client_id, topic, count,
             before, after"
    };
}
use entry_columns;

/// [`AuditEntry::is_sum`] of a row of a chain.
macro_rules! is_sum {
    () => {
        "(outcome = 'denied' OR act = 'login' AND outcome = 'refused')"
    };
}
use is_sum;

/// [`AuditKey::sum`] of a row of a chain.
const SUM: &str = concat!(
    "CASE WHEN ",
    is_sum!(),
    " THEN actor || char(1) || subject || char(1) || coalesce(address, '') || char(1)
         || coalesce(cause, '') || char(1) || coalesce(client_id, '') || char(1)
         || coalesce(topic, '') || char(1) || act ELSE '' END"
);

const AFTER: &str = concat!(
    entry_columns!(),
    ", id FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2"
);

const ROW: &str = concat!(entry_columns!(), ", id FROM audit WHERE id = ?1");

const MINUTE: Duration = Duration::from_secs(60);
