//! Requests to end live sessions.

use countersign_core::audit::AuditEntry;
use countersign_core::change::KickRequestId;
use countersign_core::client_id::ClientIdTie;
use countersign_core::follower::FollowerName;
use countersign_core::hex;
use countersign_core::presence::SessionNumber;
use countersign_core::store::rows::{AnsweredKick, KickRows};
use countersign_core::store::{KickTarget, StoreError};
use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};
use crate::transaction::PostgresTransaction;

impl KickRows for PostgresTransaction<'_> {
    fn request_kick(
        &mut self,
        target: &KickTarget,
        entry: &AuditEntry,
    ) -> Result<KickRequestId, StoreError> {
        self.run("ask for a kick", |connection| {
            request(connection, target, entry)
        })
    }

    fn kick_target(&mut self, id: KickRequestId) -> Result<Option<KickTarget>, StoreError> {
        self.run("look up a request to kick", |connection| {
            read(connection, REQUEST, id)
        })
    }

    fn answer_kick(&mut self, id: KickRequestId) -> Result<Option<AnsweredKick>, StoreError> {
        self.run("answer a request to kick", |connection| {
            answer(connection, id)
        })
    }

    fn withdraw_kick(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        self.run("take back a request to kick", |connection| {
            withdraw(connection, id)
        })
    }

    fn is_kick_answered(&mut self, id: KickRequestId) -> Result<bool, StoreError> {
        self.run("look up a request to kick", |connection| {
            is_answered(connection, id)
        })
    }

    fn kick_actor(&mut self, id: KickRequestId) -> Result<Option<String>, StoreError> {
        self.run("look up a request to kick", |connection| {
            let statement = connection.prepare("SELECT actor FROM kick_request WHERE id = $1")?;
            let mut rows = statement.query([id.0])?;
            Ok(match rows.next()? {
                Some(row) => row.get(0)?,
                None => None,
            })
        })
    }

    fn remove_kick_requests(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.run("remove requests to kick", |connection| {
            remove(connection, at, most)
        })
    }
}

/// Writes a request down, and what the audit says once it is done.
fn request(
    connection: &Connection,
    target: &KickTarget,
    entry: &AuditEntry,
) -> Result<KickRequestId, Fault> {
    let (client_id, follower, broker, session) = match target {
        KickTarget::ClientId(client_id) => (Some(as_text(client_id)), None, None, None),
        KickTarget::Session { broker, session } => {
            (None, None, Some(broker.as_str()), Some(session.0))
        }
        KickTarget::Behind {
            follower,
            broker,
            session,
        } => (
            None,
            Some(follower.as_str()),
            Some(broker.as_deref().unwrap_or_default()),
            Some(session.0),
        ),
    };
    let id = connection
        .prepare(
            "INSERT INTO kick_request (at, client_id, broker, session, actor, subject, about,
                 follower)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT DO NOTHING RETURNING id",
        )?
        .insert(
            params![
                entry.time.as_millis(),
                client_id,
                broker,
                session,
                entry.actor,
                entry.subject,
                entry.after,
                follower,
            ],
            "a request",
        )?;
    Ok(KickRequestId(id))
}

/// What a request asks brokers of this store for; none once it is answered.
pub(crate) fn target(
    connection: &Connection,
    id: KickRequestId,
) -> Result<Option<KickTarget>, Fault> {
    read(connection, FOR_BROKERS, id)
}

fn read(
    connection: &Connection,
    sql: &str,
    id: KickRequestId,
) -> Result<Option<KickTarget>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    if let Some(text) = columns.maybe_text()? {
        let Some(client_id) = parse(text) else {
            return Err(columns.nonsense());
        };
        return Ok(Some(KickTarget::ClientId(client_id)));
    }
    let broker = columns.maybe_text()?.map(String::from);
    let session = SessionNumber(columns.number()?);
    let follower = columns.maybe_parsed(FollowerName::parse)?;
    Ok(Some(match (follower, broker) {
        (Some(follower), broker) => KickTarget::Behind {
            follower,
            broker: broker.filter(|it| !it.is_empty()),
            session,
        },
        (None, Some(broker)) => KickTarget::Session { broker, session },
        (None, None) => return Err(columns.nonsense()),
    }))
}

/// The hash of a client id, in a column that is text.
fn as_text(ClientIdTie(hash): &ClientIdTie) -> String {
    hex::encode(hash)
}

fn parse(text: &str) -> Option<ClientIdTie> {
    let hash = hex::decode(text)?.try_into().ok()?;
    Some(ClientIdTie(hash))
}

/// Marks a request as answered; the first time, says what was asked for. Of one of
/// an earlier version the audit said so when it was asked for.
fn answer(connection: &Connection, id: KickRequestId) -> Result<Option<AnsweredKick>, Fault> {
    let statement = connection.prepare(
        "UPDATE kick_request SET answered = 1 WHERE id = $1 AND answered <> 1
         RETURNING at, actor, subject, about",
    )?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    let at = columns.instant()?;
    let actor = columns.maybe_text()?.map(String::from);
    let subject = columns.maybe_text()?.map(String::from);
    let about = columns.maybe_text()?.map(String::from);
    Ok(actor.zip(subject).map(|(actor, subject)| AnsweredKick {
        at,
        actor,
        subject,
        about,
    }))
}

/// Takes a request back, unless it was answered; says whether it was not.
fn withdraw(connection: &Connection, id: KickRequestId) -> Result<bool, Fault> {
    let rows = connection
        .prepare("UPDATE kick_request SET answered = 2 WHERE id = $1 AND answered = 0")?
        .execute([id.0])?;
    Ok(rows > 0)
}

/// Says whether a request was answered.
fn is_answered(connection: &Connection, id: KickRequestId) -> Result<bool, Fault> {
    connection
        .prepare("SELECT EXISTS (SELECT 1 FROM kick_request WHERE id = $1 AND answered = 1)")?
        .query_row([id.0], |row| row.get(0))
}

/// Removes up to `most` requests that were made before `at`; says how many they
/// were.
fn remove(connection: &Connection, at: Timestamp, most: usize) -> Result<usize, Fault> {
    let statement = connection.prepare(
        "DELETE FROM kick_request WHERE id IN
             (SELECT id FROM kick_request WHERE at < $1 LIMIT $2)",
    )?;
    statement.execute(params![at.as_millis(), most])
}

macro_rules! select_request {
    () => {
        "SELECT client_id, broker, session, follower FROM kick_request WHERE id = $1"
    };
}

const REQUEST: &str = select_request!();
const FOR_BROKERS: &str = concat!(select_request!(), " AND answered = 0 AND follower IS NULL");
