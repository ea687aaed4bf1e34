//! Transactions that roll back unless they were committed.

use countersign_core::store::Intent;
use rusqlite::Connection;

/// A running transaction. Dropped without [`TransactionGuard::commit`], it
/// never happened.
pub(crate) struct TransactionGuard<'a> {
    connection: &'a Connection,
}

impl<'a> TransactionGuard<'a> {
    /// Begins to look at one state of the store or, for [`Intent::Write`],
    /// takes the write lock.
    pub(crate) fn begin(connection: &'a Connection, intent: Intent) -> rusqlite::Result<Self> {
        begin(connection, intent)?;
        Ok(Self { connection })
    }

    /// Ends the transaction and keeps what it did.
    pub(crate) fn commit(self) -> rusqlite::Result<()> {
        commit(self.connection)
    }
}

impl Drop for TransactionGuard<'_> {
    fn drop(&mut self) {
        roll_back(self.connection);
    }
}

/// Begins a transaction that another function ends.
pub(crate) fn begin(connection: &Connection, intent: Intent) -> rusqlite::Result<()> {
    let statement = match intent {
        Intent::Read => "BEGIN",
        Intent::Write => "BEGIN IMMEDIATE",
    };
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// Commits the running transaction.
pub(crate) fn commit(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// Undoes the running transaction, if one runs.
pub(crate) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // SQLite rolls back by itself when this fails: the connection is then
        // out of the transaction or unusable, and says so at its next use.
        let _ = connection.execute_batch("ROLLBACK");
    }
}
