//! The numbered schema: how a file is told to be ours, and brought up to date.

use rusqlite::Connection;

use crate::error::Fault;

/// What the header of a SQLite file says about its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Header {
    /// There is nothing in it, as when making it was cut short.
    Empty,
    /// It is no store of ours.
    Foreign,
    /// It is a store with a schema of this number.
    Ours(u32),
}

/// Reads what the file says it is.
pub(crate) fn header(connection: &Connection) -> Result<Header, Fault> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let is_empty: bool = connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)",
        [],
        |row| row.get(0),
    )?;
    Ok(match u32::try_from(version) {
        Ok(version) if application == APPLICATION && version > 0 => Header::Ours(version),
        Ok(0) if application == 0 && is_empty => Header::Empty,
        Ok(_) | Err(_) => Header::Foreign,
    })
}

/// Applies those of `migrations` that come after `from`, inside the running
/// transaction.
pub(crate) fn migrate(
    connection: &Connection,
    from: u32,
    migrations: &[&str],
) -> Result<(), Fault> {
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    for migration in migrations.iter().skip(done) {
        connection.execute_batch(migration)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", newest(migrations))?;
    Ok(())
}

/// The number of the schema that all of `migrations` lead to.
pub(crate) fn newest(migrations: &[&str]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// Every step from an empty file to the schema of this version.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001.sql"),
    include_str!("../migrations/0002.sql"),
    include_str!("../migrations/0003.sql"),
    include_str!("../migrations/0004.sql"),
];

/// `CSgn`, in the header of every store.
const APPLICATION: i64 = 0x4353_676e;
