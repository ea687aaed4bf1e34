//! What a gate writes down off the broker's thread.

use std::collections::HashMap;

use countersign_core::audit::AuditChain;
use countersign_core::credential::CredentialId;
use countersign_core::presence::PresenceEvent;
use countersign_core::reason::Reason;
use countersign_core::store::{Batch, Refusal, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::busy_timeout::BATCH_WAIT;
use crate::error::Fault;
use crate::open::SqliteStore;
use crate::{audit, kicks, ownership, presence};

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
                    let counts = batch.refusals.iter().map(|refusal| refusal.count);
                    audit::count_staged(connection, counts.fold(0, i64::saturating_add))?;
                    for id in &batch.kicked {
                        kicks::answer(connection, *id)?;
                    }
                    audit::append(connection, AuditChain::Acts, &batch.audit)?;
                }
                Ok(())
            })?;
            if is_last {
                return Ok(());
            }
        }
    }
}

fn observe(
    connection: &Connection,
    broker: &str,
    observation: &PresenceEvent,
) -> Result<(), Fault> {
    match observation {
        PresenceEvent::Connected(session) => presence::connected(connection, broker, session),
        PresenceEvent::Disconnected(departure) => {
            presence::disconnected(connection, broker, departure)
        }
        PresenceEvent::Passed(visit) => ownership::visit(connection, broker, visit),
        PresenceEvent::Joined(session, tenant) => {
            presence::joined(connection, broker, *session, tenant)
        }
        PresenceEvent::Used(credential, at) => used(connection, *credential, *at),
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
/// names and addresses are summed under [`ALL_OTHERS`], one row a reason; where
/// a name, an address and a reason have theirs, so are more client ids.
fn add_refusals(connection: &Connection, broker: &str, refusals: &[Refusal]) -> Result<(), Fault> {
    let mut rows_of_minute = HashMap::new();
    for refusal in refusals {
        let mut row = RefusalRow::of(broker, refusal);
        if row.add(connection)? {
            continue;
        }
        if row.count_client_ids(connection)? >= CLIENT_IDS_OF_ONE {
            row.client_id = ALL_OTHERS;
            row.about = None;
            if row.add(connection)? {
                continue;
            }
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
            row.insert(connection)?;
            continue;
        }
        let row = RefusalRow {
            subject: ALL_OTHERS,
            address: "",
            client_id: "",
            about: None,
            ..row
        };
        if !row.add(connection)? {
            row.insert(connection)?;
        }
    }
    Ok(())
}

/// A row of refusals, as it is written.
struct RefusalRow<'a> {
    minute: i64,
    broker: &'a str,
    subject: &'a str,
    address: &'a str,
    cause: &'static str,
    client_id: &'a str,
    about: Option<&'a str>,
    count: i64,
}

impl<'a> RefusalRow<'a> {
    fn of(broker: &'a str, refusal: &'a Refusal) -> Self {
        Self {
            minute: refusal.minute.as_millis(),
            broker,
            subject: &refusal.subject,
            address: refusal.address.as_deref().unwrap_or(""),
            cause: refusal.cause.as_str(),
            client_id: refusal.client_id.as_deref().unwrap_or(""),
            about: refusal.about.as_deref(),
            count: refusal.count,
        }
    }

    /// Adds to the row that is there; says whether there is one.
    fn add(&self, connection: &Connection) -> Result<bool, Fault> {
        let updated = connection
            .prepare_cached(
                "UPDATE refusal SET count = min(count, ?8) + ?7, about = ?9
                 WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4
                     AND cause = ?5 AND client_id = ?6",
            )?
            .execute(params![
                self.minute,
                self.broker,
                self.subject,
                self.address,
                self.cause,
                self.client_id,
                self.count,
                // The sum of two whole numbers must stay one.
                i64::MAX.saturating_sub(self.count.max(0)),
                self.about,
            ])?;
        Ok(updated > 0)
    }

    fn insert(&self, connection: &Connection) -> Result<(), Fault> {
        connection
            .prepare_cached(
                "INSERT INTO refusal
                     (minute, broker, subject, address, cause, client_id, count, about)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.minute,
                self.broker,
                self.subject,
                self.address,
                self.cause,
                self.client_id,
                self.count,
                self.about,
            ])?;
        Ok(())
    }

    /// How many rows differ from this one by the client id alone, as far as that
    /// matters.
    fn count_client_ids(&self, connection: &Connection) -> Result<i64, Fault> {
        let mut statement = connection.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM refusal
             WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4 AND cause = ?5
             LIMIT ?6)",
        )?;
        let parameters = params![
            self.minute,
            self.broker,
            self.subject,
            self.address,
            self.cause,
            CLIENT_IDS_OF_ONE,
        ];
        Ok(statement.query_row(parameters, |row| row.get(0))?)
    }
}

fn count_named(connection: &Connection, minute: Timestamp) -> Result<usize, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM refusal
         WHERE minute = ?1 AND NOT (subject = ?2 AND address = '')",
    )?;
    let count: i64 =
        statement.query_row(params![minute.as_millis(), ALL_OTHERS], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many rows of a minute may name somebody: those of [`ALL_OTHERS`]
/// have to fit into the minute's 1,000 as well.
fn named_rows() -> usize {
    ROWS_A_MINUTE.saturating_sub(Reason::ALL.len())
}

const ALL_OTHERS: &str = "*";

const ROWS_A_MINUTE: usize = 1_000;

/// So many client ids are told apart of one name, address, reason and minute.
const CLIENT_IDS_OF_ONE: i64 = 16;

/// Observations a transaction: what a client id takes, times these, is a moment.
const CHUNK: usize = 32;
