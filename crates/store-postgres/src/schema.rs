//! The numbered schema: how a database is told to hold a store, and how it gets one.

use countersign_core::store::{StoreError, StoreErrorKind};

use crate::error::Fault;
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
        for migration in MIGRATIONS {
            connection.run(migration)?;
        }
        fill(connection)?;
        connection.run("COMMIT")
    };
    make().map_err(explain)
}

/// Fails unless the database holds a store with the schema of this version.
pub(crate) fn check(
    connection: &Connection,
    place: &Place,
    action: &'static str,
) -> Result<(), StoreError> {
    let found = version(connection).map_err(|fault| fault.while_trying(action, place))?;
    let error = |kind, detail| Err(StoreError::new(action, kind).with_detail(detail));
    let newest = newest();
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

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Two that make a store do so one after the other.
fn begin() -> String {
    format!("BEGIN; SELECT pg_advisory_xact_lock({})", locks::writer())
}

/// Every step from nothing to the schema of this version.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001.sql")];
