//! The audit's two chains of rows, and the refusals that are still summed up.

use core::time::Duration;

use countersign_core::audit::{
    AuditChain, AuditEntry, AuditHead, AuditHeads, AuditOutcome, AuditRow,
};
use countersign_core::ledger::RefusalRow;
use countersign_core::reason::Reason;
use countersign_core::store::{AuditQuery, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, ToSql, params};

use self::chain::ChainEnds;
use crate::busy_timeout::ADMIN_WAIT;
use crate::error::Fault;
use crate::open::SqliteStore;
use crate::row_reader::RowReader;

pub use self::verify::AuditCheck;

mod chain;
mod prune;
mod verify;

pub(crate) use self::chain::{count, count_staged, heads};
pub(crate) use self::prune::cut;

impl SqliteStore {
    /// The heads of both chains, to be kept where who writes to the store does
    /// not write.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn audit_heads(&self) -> Result<AuditHeads, StoreError> {
        self.look("read the audit's heads", ADMIN_WAIT, heads)
    }

    /// Walks along both chains of the audit, from the first row or from where
    /// it was cut, and looks for the rows that `expected` names.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn verify_audit(&self, expected: &[AuditHead]) -> Result<AuditCheck, StoreError> {
        self.look("verify the audit", ADMIN_WAIT, |connection| {
            verify::verify(connection, expected)
        })
    }

    /// Removes, from each chain, all rows before the first one that is not
    /// older than `before`. First it appends the row that `entry` makes of the
    /// last act that goes. Returns how many were removed.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written. Some rows may
    /// be removed then; the rest still verifies.
    pub fn prune_audit(
        &mut self,
        before: Timestamp,
        entry: impl FnOnce(AuditHead) -> AuditEntry,
    ) -> Result<u64, StoreError> {
        let action = "prune the audit";
        let last = self.look(action, ADMIN_WAIT, |connection| {
            prune::last_before(connection, AuditChain::Acts, before)
        })?;
        let entry = entry(last);
        self.act(action, ADMIN_WAIT, |connection| {
            append(connection, AuditChain::Acts, core::slice::from_ref(&entry))
        })?;
        let mut removed: u64 = 0;
        for chain in AuditChain::ALL {
            loop {
                let rows = self.act(action, ADMIN_WAIT, |connection| {
                    cut(connection, chain, ROWS_AT_ONCE, |head, time| match chain {
                        AuditChain::Acts => head.id <= last.id,
                        AuditChain::Refusals => time < before,
                    })
                })?;
                removed = removed.saturating_add(u64::try_from(rows).unwrap_or(0));
                if rows < ROWS_AT_ONCE {
                    break;
                }
            }
        }
        self.sync(action)?;
        Ok(removed)
    }
}

/// Appends rows to a chain, inside the running write transaction.
pub(crate) fn append(
    connection: &Connection,
    chain: AuditChain,
    entries: &[AuditEntry],
) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let ChainEnds { mut head, .. } = chain::ends(connection, chain)?;
    let next = chain::next_id(connection)?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO audit (id, chain, format, time, actor, act, subject, outcome, cause, address,
             client_id, count, before, after, hash)
         VALUES (?1, ?2, 2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
            entry.count,
            entry.before,
            entry.after,
            head.hash.0,
        ])?;
    }
    chain::set_head(connection, chain, head, entries.len())
}

/// The newest rows that `query` asks for, refusals that are still summed up
/// included, newest last.
pub(crate) fn list(connection: &Connection, query: &AuditQuery) -> Result<Vec<AuditRow>, Fault> {
    let limit = query
        .limit
        .map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut found = select(connection, query, limit)?;
    found.reverse();
    let mut staged = staged(connection, query, limit)?;
    staged.reverse();
    found.append(&mut staged);
    // A refusal is dated at the start of its minute and written after its end.
    found.sort_by_key(|row| row.entry.time);
    let too_many = found
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    found.drain(..too_many);
    Ok(found)
}

/// The row with this number.
pub(crate) fn row(connection: &Connection, id: i64) -> Result<Option<AuditRow>, Fault> {
    let mut statement = connection.prepare_cached(ROW)?;
    let mut rows = statement.query([id])?;
    Ok(match rows.next()? {
        Some(row) => Some(read_row(&mut RowReader::of(row))?),
        None => None,
    })
}

/// Removes up to `most` sums of refusals of minutes that start no later than
/// `last`; returns what the audit says of them.
pub(crate) fn take_refusals(
    connection: &Connection,
    last: Timestamp,
    most: usize,
) -> Result<Vec<AuditEntry>, Fault> {
    let mut statement = connection.prepare_cached(concat!(
        refusal_columns!(),
        " WHERE minute <= ?1
         ORDER BY minute, broker, subject, address, cause, client_id LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![last.as_millis(), most])?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next()? {
        let refusal = read_refusal(&mut RowReader::of(row))?;
        taken.push((refusal.entry(), refusal.broker.to_owned()));
    }
    let mut remove = connection.prepare_cached(
        "DELETE FROM refusal
         WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4 AND cause = ?5
             AND client_id = ?6",
    )?;
    for (entry, broker) in &taken {
        remove.execute(params![
            entry.time.as_millis(),
            broker,
            entry.subject,
            entry.address.as_deref().unwrap_or(""),
            entry.cause.map(Reason::as_str),
            entry.client_id.as_deref().unwrap_or(""),
        ])?;
    }
    Ok(taken.into_iter().map(|(entry, _)| entry).collect())
}

/// The refusals still summed up that `query` asks for, newest first.
fn staged(connection: &Connection, query: &AuditQuery, limit: i64) -> Result<Vec<AuditRow>, Fault> {
    // A sum is dated at the start of its minute and reaches to its end.
    let after = query.since.map(|since| since.minus(MINUTE).as_millis());
    let mut statement = connection.prepare_cached(concat!(
        refusal_columns!(),
        " WHERE (?1 IS NULL OR minute > ?1) AND (?2 IS NULL OR subject = ?2)
         ORDER BY minute DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![after, query.subject, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(AuditRow {
            id: None,
            entry: read_refusal(&mut RowReader::of(row))?.entry(),
        });
    }
    Ok(found)
}

/// Reads the rows of both chains that `query` asks for, newest first.
fn select(connection: &Connection, query: &AuditQuery, limit: i64) -> Result<Vec<AuditRow>, Fault> {
    let mut sql = String::from(concat!(entry_columns!(), ", id FROM audit WHERE true"));
    let mut values: Vec<&dyn ToSql> = Vec::new();
    // A sum is dated at the start of its minute and reaches to its end.
    let since = query
        .since
        .map(|since| (since.minus(MINUTE).as_millis(), since.as_millis()));
    if let Some((minute_before, since)) = &since {
        sql.push_str(" AND time > ? AND (time >= ? OR (act = 'login' AND outcome = 'refused'))");
        values.extend([minute_before as &dyn ToSql, since]);
    }
    if let Some(subject) = &query.subject {
        sql.push_str(" AND subject = ?");
        values.push(subject);
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(&limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values.as_slice())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_row(&mut RowReader::of(row))?);
    }
    Ok(found)
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
        outcome: match columns.text()? {
            "done" => AuditOutcome::Done,
            "refused" => AuditOutcome::Refused,
            _ => return Err(columns.nonsense()),
        },
        cause: columns.maybe_parsed(parse_reason)?,
        address: columns.maybe_text()?.map(Into::into),
        client_id: columns.maybe_text()?.map(Into::into),
        count: columns.number()?,
        before: columns.maybe_text()?.map(Into::into),
        after: columns.maybe_text()?.map(Into::into),
    })
}

fn read_refusal<'row>(columns: &mut RowReader<'row>) -> Result<RefusalRow<'row>, Fault> {
    Ok(RefusalRow {
        minute: columns.instant()?,
        broker: columns.text()?,
        subject: columns.text()?,
        address: columns.text()?,
        cause: columns.parsed(parse_reason)?,
        client_id: columns.text()?,
        about: columns.maybe_text()?,
        count: columns.number()?,
    })
}

fn parse_reason(text: &str) -> Result<Reason, ()> {
    let mut all = Reason::ALL.iter();
    all.find(|reason| reason.as_str() == text)
        .copied()
        .ok_or(())
}

/// What [`read`] reads of a row of a chain.
macro_rules! entry_columns {
    () => {
        "SELECT time, actor, act, subject, outcome, cause, address, client_id, count, before, after"
    };
}
use entry_columns;

/// What [`read_refusal`] reads.
macro_rules! refusal_columns {
    () => {
        "SELECT minute, broker, subject, address, cause, client_id, about, count FROM refusal"
    };
}
use refusal_columns;

const ROW: &str = concat!(entry_columns!(), ", id FROM audit WHERE id = ?1");

const MINUTE: Duration = Duration::from_secs(60);

/// Rows a transaction.
const ROWS_AT_ONCE: usize = 256;
