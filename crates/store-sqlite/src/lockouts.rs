//! Failed logins of users, and of e-mail addresses that no user has.

use countersign_core::lockout::Lockout;
use countersign_core::name::LoginName;
use countersign_core::store::StoreError;
use countersign_core::store::rows::LockoutRows;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl LockoutRows for SqliteTransaction<'_> {
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError> {
        self.run("look up a lockout", |connection| lockout(connection, email))
    }

    fn put_lockout(
        &mut self,
        email: &LoginName,
        lockout: &Lockout,
        is_users: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.run("write a lockout", |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO lockout (name, known, failures, locked_until, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (name) DO UPDATE SET known = excluded.known,
                         failures = excluded.failures, locked_until = excluded.locked_until,
                         updated_at = excluded.updated_at",
                )?
                .execute(params![
                    email.as_str(),
                    is_users,
                    lockout.failures,
                    lockout.locked_until.map(Timestamp::as_millis),
                    at.as_millis(),
                ])?;
            Ok(())
        })
    }

    fn mark_lockout(&mut self, email: &LoginName, is_users: bool) -> Result<(), StoreError> {
        self.run("write a lockout", |connection| {
            connection
                .prepare_cached("UPDATE lockout SET known = ?2 WHERE name = ?1")?
                .execute(params![email.as_str(), is_users])?;
            Ok(())
        })
    }

    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError> {
        self.run("clear a lockout", |connection| {
            connection
                .prepare_cached("DELETE FROM lockout WHERE name = ?1")?
                .execute([email.as_str()])?;
            Ok(())
        })
    }

    fn keep_unknown_lockouts(&mut self, most: usize, newest: &LoginName) -> Result<(), StoreError> {
        self.run("forget lockouts", |connection| {
            connection
                .prepare_cached(
                    "DELETE FROM lockout WHERE name IN
                         (SELECT name FROM lockout WHERE known = 0 AND name <> ?1
                          ORDER BY updated_at DESC LIMIT -1 OFFSET ?2)",
                )?
                .execute(params![newest.as_str(), most.saturating_sub(1)])?;
            Ok(())
        })
    }

    fn remove_lockouts(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.run("forget lockouts", |connection| {
            let mut statement = connection.prepare_cached(
                "DELETE FROM lockout WHERE name IN
                     (SELECT name FROM lockout WHERE known IN (0, 1) AND updated_at < ?1 LIMIT ?2)",
            )?;
            Ok(statement.execute(params![at.as_millis(), most])?)
        })
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

pub(crate) const LOCKOUT: &str = "SELECT failures, locked_until FROM lockout WHERE name = ?1";
