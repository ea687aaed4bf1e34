//! The audit's chain of rows, and the refusals that are still summed up.

use core::time::Duration;

use countersign_core::audit::{AuditEntry, AuditHash, Outcome};
use countersign_core::reason::Reason;
use countersign_core::store::{AuditQuery, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, Row, ToSql, params};

use crate::columns::Columns;
use crate::error::Fault;
use crate::open::SqliteStore;
use crate::patience::ADMIN_WAIT;

/// What a walk along the audit's chain found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum AuditCheck {
    /// Every row follows from the one before.
    Intact {
        /// How many rows there are.
        rows: u64,
    },
    /// This row was changed, or rows before it were added or removed.
    Broken {
        /// The number of the row, counted from the first ever written.
        row: i64,
        /// What it says about when it was written, if it can be read.
        time: Option<Timestamp>,
    },
    /// Rows at the end were removed.
    CutOff {
        /// The last row that there is.
        last: i64,
        /// The last row that there was.
        expected: i64,
    },
}

impl SqliteStore {
    /// Walks along the audit, from the first row or the anchor that the last
    /// prune left.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn verify_audit(&self) -> Result<AuditCheck, StoreError> {
        self.look("verify the audit", ADMIN_WAIT, verify)
    }

    /// Removes all rows before the first one that is not older than `before`,
    /// and appends `entry`, which tells of it. Returns how many were removed.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written. Some rows may
    /// be removed then; the rest still verifies.
    pub fn prune_audit(
        &mut self,
        before: Timestamp,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let action = "prune the audit";
        let mut removed: u64 = 0;
        loop {
            let rows = self.act(action, ADMIN_WAIT, |connection| {
                let rows = prune(connection, before)?;
                if rows < CHUNK {
                    append(connection, core::slice::from_ref(entry))?;
                }
                Ok(rows)
            })?;
            removed = removed.saturating_add(u64::try_from(rows).unwrap_or(0));
            if rows < CHUNK {
                self.sync(action)?;
                return Ok(removed);
            }
        }
    }
}

/// Appends rows to the chain, inside the running write transaction.
pub(crate) fn append(connection: &Connection, entries: &[AuditEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut hash = last_hash(connection)?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO audit (time, actor, act, subject, outcome, cause, address, client_id, count,
             before, after, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for entry in entries {
        hash = entry.chained(&hash);
        statement.execute(params![
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
            hash.0,
        ])?;
    }
    Ok(())
}

/// The newest rows that `query` asks for, refusals that are still summed up
/// included, newest last.
pub(crate) fn list(connection: &Connection, query: &AuditQuery) -> Result<Vec<AuditEntry>, Fault> {
    let limit = query
        .limit
        .map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut found = select(connection, STAGED, query, limit)?;
    let left = limit.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX));
    if left > 0 {
        found.extend(select(connection, CHAINED, query, left)?);
    }
    found.reverse();
    Ok(found)
}

/// Moves up to `limit` sums of minutes that ended before `now` into the
/// chain; returns how many they were.
pub(crate) fn take_refusals(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<usize, Fault> {
    let last_minute = now.minus(MINUTE).as_millis();
    let mut statement = connection.prepare_cached(
        "SELECT minute, 'broker:' || broker, 'login', subject, 'refused', cause,
             nullif(address, ''), nullif(client_id, ''), count, NULL, about, broker
         FROM refusal WHERE minute <= ?1
         ORDER BY minute, broker, subject, address, cause, client_id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![last_minute, limit])?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        taken.push((read(columns)?, String::from(columns.text()?)));
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
    let entries: Vec<_> = taken.into_iter().map(|(entry, _)| entry).collect();
    append(connection, &entries)?;
    Ok(entries.len())
}

/// Reads the rows of `source` that `query` asks for, newest first.
fn select(
    connection: &Connection,
    source: &str,
    query: &AuditQuery,
    limit: i64,
) -> Result<Vec<AuditEntry>, Fault> {
    let mut sql = format!("SELECT * FROM ({source}) WHERE true");
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
    sql.push_str(" ORDER BY place DESC LIMIT ?");
    values.push(&limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values.as_slice())?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(&mut Columns::of(row))?);
    }
    Ok(entries)
}

fn read(columns: &mut Columns<'_>) -> Result<AuditEntry, Fault> {
    Ok(AuditEntry {
        time: columns.instant()?,
        actor: columns.text()?.into(),
        act: columns.text()?.into(),
        subject: columns.text()?.into(),
        outcome: match columns.text()? {
            "done" => Outcome::Done,
            "refused" => Outcome::Refused,
            _ => return Err(columns.nonsense()),
        },
        cause: columns.maybe_parsed(|text| {
            Reason::ALL
                .iter()
                .find(|reason| reason.as_str() == text)
                .copied()
                .ok_or(())
        })?,
        address: columns.maybe_text()?.map(Into::into),
        client_id: columns.maybe_text()?.map(Into::into),
        count: columns.number()?,
        before: columns.maybe_text()?.map(Into::into),
        after: columns.maybe_text()?.map(Into::into),
    })
}

/// The hash that the next row follows.
fn last_hash(connection: &Connection) -> Result<AuditHash, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT hash FROM audit ORDER BY id DESC LIMIT 1")?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        Some(row) => Ok(AuditHash(Columns::of(row).hash()?)),
        None => Ok(anchor(connection)?.1),
    }
}

/// The last row that was pruned, and its hash.
fn anchor(connection: &Connection) -> Result<(i64, AuditHash), Fault> {
    let mut statement = connection.prepare_cached("SELECT last, hash FROM audit_anchor")?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        Some(row) => {
            let columns = &mut Columns::of(row);
            Ok((columns.number()?, AuditHash(columns.hash()?)))
        }
        None => Ok((0, AuditHash::START)),
    }
}

fn verify(connection: &Connection) -> Result<AuditCheck, Fault> {
    let (mut last, mut hash) = anchor(connection)?;
    let mut statement = connection.prepare(
        "SELECT time, actor, act, subject, outcome, cause, address, client_id, count, before,
             after, hash, id
         FROM audit ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut count: u64 = 0;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(12)?;
        let follows = is_next(row, &mut hash) && id == last.saturating_add(1);
        if !follows {
            let time = row.get(0).ok().map(Timestamp::from_millis);
            return Ok(AuditCheck::Broken { row: id, time });
        }
        last = id;
        count = count.saturating_add(1);
    }
    let expected: i64 = connection.query_row(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0)",
        [],
        |row| row.get(0),
    )?;
    Ok(if last == expected {
        AuditCheck::Intact { rows: count }
    } else {
        AuditCheck::CutOff { last, expected }
    })
}

/// Says whether `row` follows a row with `hash`, which then becomes its own.
fn is_next(row: &Row<'_>, hash: &mut AuditHash) -> bool {
    let columns = &mut Columns::of(row);
    match (read(columns), columns.hash()) {
        (Ok(entry), Ok(stored)) => {
            *hash = entry.chained(hash);
            hash.0 == stored
        }
        (Ok(_) | Err(_), _) => false,
    }
}

/// Removes up to a chunk of rows before `before` and moves the anchor there.
fn prune(connection: &Connection, before: Timestamp) -> Result<usize, Fault> {
    let mut oldest =
        connection.prepare_cached("SELECT id, time, hash FROM audit ORDER BY id LIMIT ?1")?;
    let mut rows = oldest.query([CHUNK])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        let (id, time) = (columns.number()?, columns.instant()?);
        if time >= before {
            break;
        }
        last = Some((id, columns.hash()?));
    }
    let Some((id, hash)) = last else {
        return Ok(0);
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO audit_anchor (only, last, hash) VALUES (1, ?1, ?2)",
        )?
        .execute(params![id, hash])?;
    Ok(connection
        .prepare_cached("DELETE FROM audit WHERE id <= ?1")?
        .execute([id])?)
}

/// Rows of the chain, as [`read`] reads them.
const CHAINED: &str = "SELECT time, actor, act, subject, outcome, cause, address, client_id,
    count, before, after, id AS place FROM audit";

/// Sums of refusals, as [`read`] reads them.
const STAGED: &str = "SELECT minute AS time, 'broker:' || broker AS actor, 'login' AS act,
    subject, 'refused' AS outcome, cause, nullif(address, '') AS address,
    nullif(client_id, '') AS client_id, count, NULL AS before, about AS after,
    minute AS place FROM refusal";

const MINUTE: Duration = Duration::from_secs(60);

/// Rows a transaction.
const CHUNK: usize = 256;
