//! Failed logins of users, and of e-mail addresses that no user has.

use countersign_core::ledger::LockoutRows;
use countersign_core::lockout::Lockout;
use countersign_core::name::LoginName;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::ledger::SqliteWriting;
use crate::row_reader::RowReader;

impl LockoutRows for SqliteWriting<'_> {
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        self.run(|connection| lockout(connection, email))
    }

    fn put_lockout(
        &mut self,
        email: &LoginName,
        lockout: &Lockout,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(|connection| put(connection, email, lockout, at))
    }

    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError> {
        self.run(|connection| clear(connection, email))
    }

    fn keep_unknown_lockouts(&mut self, most: usize, newest: &LoginName) -> Result<(), StoreError> {
        self.run(|connection| keep_unknown(connection, most, newest))
    }
}

/// What is counted against this address.
pub(crate) fn lockout(connection: &Connection, email: &LoginName) -> Result<Lockout, Fault> {
    let mut statement = connection.prepare_cached(LOCKOUT)?;
    let mut rows = statement.query([email.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(Lockout::default());
    };
    let columns = &mut RowReader::of(row);
    Ok(Lockout {
        failures: columns.small()?,
        locked_until: columns.maybe_instant()?,
    })
}

/// Forgets what was counted against this address.
pub(crate) fn clear(connection: &Connection, email: &LoginName) -> Result<(), Fault> {
    connection
        .prepare_cached("DELETE FROM lockout WHERE name = ?1")?
        .execute([email.as_str()])?;
    Ok(())
}

/// Takes note of whether a user has this address from now on.
///
/// What was counted stays: who watches from outside must not learn from a lock
/// that ends that the address got a user or lost one.
pub(crate) fn set_known(
    connection: &Connection,
    email: &LoginName,
    is_known: bool,
) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE lockout SET known = ?2 WHERE name = ?1")?
        .execute(params![email.as_str(), is_known])?;
    Ok(())
}

/// Removes up to `most` counts to which nothing was added since `at`; says how many
/// they were.
pub(crate) fn remove(connection: &Connection, at: Timestamp, most: usize) -> Result<usize, Fault> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM lockout WHERE name IN
             (SELECT name FROM lockout WHERE known IN (0, 1) AND updated_at < ?1 LIMIT ?2)",
    )?;
    Ok(statement.execute(params![at.as_millis(), most])?)
}

/// Replaces what is counted against this address; says whether a user has it.
fn put(
    connection: &Connection,
    email: &LoginName,
    lockout: &Lockout,
    at: Timestamp,
) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO lockout (name, known, failures, locked_until, updated_at)
         VALUES (?1, EXISTS (SELECT 1 FROM credential WHERE name = ?1 AND kind = 'user'),
             ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET known = excluded.known,
             failures = excluded.failures, locked_until = excluded.locked_until,
             updated_at = excluded.updated_at
         RETURNING known",
    )?;
    let values = params![
        email.as_str(),
        lockout.failures,
        lockout.locked_until.map(Timestamp::as_millis),
        at.as_millis(),
    ];
    Ok(statement.query_row(values, |row| row.get(0))?)
}

/// Keeps so many addresses that no user has, the latest and `newest` among them.
fn keep_unknown(connection: &Connection, most: usize, newest: &LoginName) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "DELETE FROM lockout WHERE name IN
                 (SELECT name FROM lockout WHERE known = 0 AND name <> ?1
                  ORDER BY updated_at DESC LIMIT -1 OFFSET ?2)",
        )?
        .execute(params![newest.as_str(), most.saturating_sub(1)])?;
    Ok(())
}

pub(crate) const LOCKOUT: &str = "SELECT failures, locked_until FROM lockout WHERE name = ?1";
