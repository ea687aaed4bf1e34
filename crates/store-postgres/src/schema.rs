//! The numbered schema: how a database is told to hold a store, how it gets one, and how one
//! of an older version is brought up to date.
//!
//! Whoever is connected holds a lock together with all others, and whoever changes the schema
//! holds it alone: no program of an older version meets tables that it does not know.

use std::time::Duration;

use countersign_core::store::{StoreError, StoreErrorKind};

use crate::error::Fault;
use crate::link::ADMIN_LIMIT;
use crate::locks;
use crate::place::Place;
use crate::sql::Connection;

/// Makes the tables in a database that has none of ours, in a namespace of their own.
pub(crate) fn create(
    connection: &Connection,
    place: &Place,
    action: &'static str,
    fill: impl FnOnce(&Connection) -> Result<(), Fault>,
) -> Result<(), StoreError> {
    let explain = |fault: Fault| fault.while_trying(action, place);
    connection.run(&begin()).map_err(explain)?;
    if version(connection).map_err(explain)?.is_some() {
        return Err(StoreError::new(action, StoreErrorKind::Conflict)
            .with_detail(format!("{place} holds a store")));
    }
    let encoding = encoding(connection).map_err(explain)?;
    if encoding != "UTF8" {
        return Err(
            StoreError::new(action, StoreErrorKind::Unavailable).with_detail(format!(
                "{place} keeps texts as {encoding}, in which some names can't be stored; \
             `createdb --encoding UTF8 --template template0` makes another"
            )),
        );
    }
    let make = || {
        connection.run("CREATE SCHEMA countersign")?;
        migrate(connection, 0, MIGRATIONS)?;
        fill(connection)?;
        connection.run("COMMIT")?;
        connection.run(&share())
    };
    make().map_err(explain)
}

/// Keeps the schema as it is while the connection lasts. Fails unless the database holds a
/// store with the schema of these steps.
pub(crate) fn check(
    connection: &Connection,
    place: &Place,
    action: &'static str,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let found = connection.run(&share()).and_then(|()| version(connection));
    let found = found.map_err(|fault| fault.while_trying(action, place))?;
    let error = |kind, detail| Err(StoreError::new(action, kind).with_detail(detail));
    let newest = newest(migrations);
    match found {
        None => error(
            StoreErrorKind::Missing,
            format!("{place} holds no store of Countersign"),
        ),
        Some(version) if version > newest => error(
            StoreErrorKind::Newer,
            format!(
                "{place} has schema {version} and this program knows {newest}; install the \
                 version that made it"
            ),
        ),
        Some(version) if version < newest => error(
            StoreErrorKind::Older,
            format!("{place} has schema {version}, and this version needs {newest}"),
        ),
        Some(_) => Ok(()),
    }
}

/// The number of the schema, if there is a store.
fn version(connection: &Connection) -> Result<Option<i64>, Fault> {
    let is_there: bool = connection
        .prepare("SELECT to_regclass('countersign.store') IS NOT NULL")?
        .query_row((), |row| row.get(0))?;
    if !is_there {
        return Ok(None);
    }
    let statement = connection.prepare("SELECT version FROM store WHERE id = 1")?;
    statement.query_row((), |row| row.get(0)).map(Some)
}

fn encoding(connection: &Connection) -> Result<String, Fault> {
    let statement = connection.prepare("SELECT current_setting('server_encoding')")?;
    statement.query_row((), |row| row.get(0))
}

/// Brings an older schema up to date, in one transaction. Returns what it had, unless it is
/// that of these steps or none that they know.
///
/// Nobody else is connected meanwhile: of two that begin at once one waits, and finds that
/// there is nothing left to do.
pub(crate) fn upgrade(
    connection: &Connection,
    place: &Place,
    action: &'static str,
    migrations: &[&str],
) -> Result<Option<i64>, StoreError> {
    let explain = |fault: Fault| fault.while_trying(action, place);
    let older = || {
        let found = version(connection).map_err(explain)?;
        Ok(found.filter(|version| *version < newest(migrations)))
    };
    for _ in 0..ATTEMPTS {
        if older()?.is_none() {
            return Ok(None);
        }
        match connection.run(&alone()).map_err(explain) {
            // Whoever is connected may have brought it up to date.
            Err(error) if error.kind() == StoreErrorKind::Busy => {
                connection.run("ROLLBACK").map_err(explain)?;
            }
            Err(error) => return Err(error),
            Ok(()) => {
                let found = older()?;
                connection.link.limit(UPGRADE);
                let from = found.unwrap_or(newest(migrations));
                let done = migrate(connection, from, migrations);
                let done = done.and_then(|()| connection.run("COMMIT"));
                connection.link.limit(ADMIN_LIMIT);
                return done.map_err(explain).map(|()| found);
            }
        }
    }
    Err(StoreError::new(action, StoreErrorKind::Older).with_detail(format!(
        "{place} has an older schema, and services or commands of an older version use it; stop \
         them"
    )))
}

/// Takes each step that a schema lacks.
fn migrate(connection: &Connection, from: i64, migrations: &[&str]) -> Result<(), Fault> {
    let steps = (1_i64..).zip(migrations);
    for (number, step) in steps.filter(|(number, _)| *number > from) {
        connection.run(step)?;
        connection.run(&format!("UPDATE store SET version = {number} WHERE id = 1"))?;
    }
    Ok(())
}

pub(crate) fn newest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// Holds the schema together with others, once nobody changes it any more.
fn share() -> String {
    format!(
        "SET lock_timeout = {wait}; SELECT pg_advisory_lock_shared({lock}); RESET lock_timeout",
        wait = ATTEMPT.saturating_mul(ATTEMPTS).as_millis(),
        lock = locks::schema()
    )
}

/// Begins to change the schema, which nobody else holds from here to the end.
fn alone() -> String {
    format!(
        "BEGIN; SET LOCAL lock_timeout = {wait}; SET LOCAL statement_timeout = {longest};
         SELECT pg_advisory_xact_lock({lock})",
        wait = ATTEMPT.as_millis(),
        longest = UPGRADE.as_millis(),
        lock = locks::schema()
    )
}

/// Two that make a store do so one after the other.
fn begin() -> String {
    format!("BEGIN; SELECT pg_advisory_xact_lock({})", locks::writer())
}

/// Every step from nothing to the schema of this version.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001.sql")];

/// So often whoever changes the schema waits for others to be gone,
const ATTEMPTS: u32 = 6;
/// so long each time, and whoever connects as long as all of that for a change to end.
const ATTEMPT: Duration = Duration::from_millis(500);

/// What a change of the schema may take.
const UPGRADE: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests;
