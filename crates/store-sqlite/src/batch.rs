//! What a gate writes down off the broker's thread.

use std::collections::HashMap;

use countersign_core::credential::CredentialId;
use countersign_core::presence::Observation;
use countersign_core::reason::Reason;
use countersign_core::store::{Batch, Refusal, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::open::SqliteStore;
use crate::patience::BATCH_WAIT;
use crate::{audit, kicks, presence};

impl SqliteStore {
    /// See [`GateStore::write_batch`](countersign_core::store::GateStore::write_batch).
    ///
    /// A long batch is written in chunks, so that no login waits long for the
    /// lock. What can't be written twice (refusals, audit rows, answers) is in
    /// the last chunk, whole; observations before it may be.
    pub(crate) fn write_chunks(&mut self, broker: &str, batch: &Batch) -> Result<(), StoreError> {
        let rest_is_empty =
            batch.refusals.is_empty() && batch.kicked.is_empty() && batch.audit.is_empty();
        if rest_is_empty && batch.observations.is_empty() {
            return Ok(());
        }
        let mut chunks = batch.observations.chunks(CHUNK).peekable();
        loop {
            let chunk = chunks.next().unwrap_or_default();
            let is_last = chunks.peek().is_none();
            self.act("write down what happened", BATCH_WAIT, |connection| {
                for observation in chunk {
                    observe(connection, broker, observation)?;
                }
                if is_last {
                    add_refusals(connection, broker, &batch.refusals)?;
                    for id in &batch.kicked {
                        kicks::answer(connection, *id)?;
                    }
                    audit::append(connection, &batch.audit)?;
                }
                Ok(())
            })?;
            if is_last {
                return Ok(());
            }
        }
    }
}

fn observe(connection: &Connection, broker: &str, observation: &Observation) -> Result<(), Fault> {
    match observation {
        Observation::Connected(session) => presence::connected(connection, broker, session),
        Observation::Disconnected(session, at) => {
            presence::disconnected(connection, broker, *session, *at)
        }
        Observation::Joined(session, tenant) => {
            presence::joined(connection, broker, *session, tenant)
        }
        Observation::Used(credential, at) => used(connection, *credential, *at),
    }
}

fn used(connection: &Connection, credential: CredentialId, at: Timestamp) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE credential SET last_used_at = ?2
             WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
        )?
        .execute([credential.0, at.as_millis()])?;
    Ok(())
}

/// Adds refusals to those of their minute. Where a minute has its rows, more
/// names and addresses are summed under [`EVERYBODY_ELSE`], one row a reason.
fn add_refusals(connection: &Connection, broker: &str, refusals: &[Refusal]) -> Result<(), Fault> {
    let mut rows_of_minute = HashMap::new();
    for refusal in refusals {
        let address = refusal.address.as_deref().unwrap_or("");
        if add_to_row(connection, broker, refusal, &refusal.subject, address)? {
            continue;
        }
        let rows = match rows_of_minute.get_mut(&refusal.minute) {
            Some(rows) => rows,
            None => {
                let count = count_named(connection, refusal.minute)?;
                rows_of_minute.entry(refusal.minute).or_insert(count)
            }
        };
        if *rows < named_rows() {
            *rows = rows.saturating_add(1);
            insert_row(connection, broker, refusal, &refusal.subject, address)?;
        } else if !add_to_row(connection, broker, refusal, EVERYBODY_ELSE, "")? {
            insert_row(connection, broker, refusal, EVERYBODY_ELSE, "")?;
        }
    }
    Ok(())
}

/// Adds to a row that is there; says whether there is one.
fn add_to_row(
    connection: &Connection,
    broker: &str,
    refusal: &Refusal,
    subject: &str,
    address: &str,
) -> Result<bool, Fault> {
    let updated = connection
        .prepare_cached(
            "UPDATE refusal SET count = min(count, ?7) + ?6
             WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4 AND cause = ?5",
        )?
        .execute(params![
            refusal.minute.as_millis(),
            broker,
            subject,
            address,
            refusal.cause.as_str(),
            refusal.count,
            // The sum of two whole numbers must stay one.
            i64::MAX.saturating_sub(refusal.count.max(0)),
        ])?;
    Ok(updated > 0)
}

fn insert_row(
    connection: &Connection,
    broker: &str,
    refusal: &Refusal,
    subject: &str,
    address: &str,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO refusal (minute, broker, subject, address, cause, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            refusal.minute.as_millis(),
            broker,
            subject,
            address,
            refusal.cause.as_str(),
            refusal.count,
        ])?;
    Ok(())
}

fn count_named(connection: &Connection, minute: Timestamp) -> Result<usize, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM refusal
         WHERE minute = ?1 AND NOT (subject = ?2 AND address = '')",
    )?;
    let count: i64 = statement.query_row(params![minute.as_millis(), EVERYBODY_ELSE], |row| {
        row.get(0)
    })?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many rows of a minute may name somebody: those of [`EVERYBODY_ELSE`]
/// have to fit into the minute's 1,000 as well.
fn named_rows() -> usize {
    ROWS_A_MINUTE.saturating_sub(Reason::ALL.len())
}

const EVERYBODY_ELSE: &str = "*";

const ROWS_A_MINUTE: usize = 1_000;

/// Observations a transaction.
const CHUNK: usize = 256;
