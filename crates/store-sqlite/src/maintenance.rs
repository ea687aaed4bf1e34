//! What keeps a store small: off the broker's thread, once in a while.

use core::time::Duration;

use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::file::beside;
use crate::open::{LOG_BYTES, SqliteStore};
use crate::patience::{BATCH_WAIT, Patience};
use crate::{audit, kicks, lockouts, tokens};

impl SqliteStore {
    /// See [`GateStore::maintain`](countersign_core::store::GateStore::maintain).
    pub(crate) fn maintain_all(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let action = "tidy the store up";
        self.repeat(action, |connection| {
            audit::take_refusals(connection, now, CHUNK)
        })?;
        let cut = self.look(action, BATCH_WAIT, |connection| {
            oldest_change_to_keep(connection, now)
        })?;
        self.repeat(action, |connection| prune_changes(connection, cut))?;
        self.repeat(action, |connection| kicks::prune(connection, now, CHUNK))?;
        self.repeat(action, |connection| tokens::prune(connection, now, CHUNK))?;
        self.repeat(action, |connection| lockouts::prune(connection, now, CHUNK))?;
        let _patience = Patience::of(Duration::ZERO);
        self.write_log_back()
            .map_err(|error| Fault::from(error).while_trying(action, &self.path))
    }

    /// Runs `step` in short transactions of its own until it did less than a
    /// chunk.
    pub(crate) fn repeat(
        &mut self,
        action: &'static str,
        step: impl Fn(&Connection) -> Result<usize, Fault>,
    ) -> Result<(), StoreError> {
        loop {
            // A commit that changed nothing writes nothing and wakes nobody.
            if self.act(action, BATCH_WAIT, &step)? < CHUNK {
                return Ok(());
            }
        }
    }

    /// Writes the log back into the file without waiting for anybody, and
    /// shortens it if it has grown and nobody needs it.
    fn write_log_back(&self) -> rusqlite::Result<()> {
        let checkpoint = |mode: &str| {
            let sql = format!("PRAGMA wal_checkpoint({mode})");
            self.connection.query_row(&sql, [], |row| {
                Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            })
        };
        let (pages, written_back) = checkpoint("PASSIVE")?;
        let log = beside(&self.path, "-wal");
        let is_large = log.metadata().is_ok_and(|file| file.len() > LOG_BYTES);
        if is_large && pages == written_back {
            checkpoint("TRUNCATE")?;
        }
        Ok(())
    }
}

/// The first entry of the change log that is young or among the newest.
fn oldest_change_to_keep(connection: &Connection, now: Timestamp) -> Result<i64, Fault> {
    let young = now.minus(DAY).as_millis();
    let mut statement = connection.prepare_cached(
        "SELECT min(
             coalesce((SELECT max(seq) FROM change), 0) - ?1 + 1,
             coalesce((SELECT seq FROM change WHERE at >= ?2 ORDER BY seq LIMIT 1), ?3))",
    )?;
    Ok(statement.query_row([CHANGES_KEPT, young, i64::MAX], |row| row.get(0))?)
}

fn prune_changes(connection: &Connection, cut: i64) -> Result<usize, Fault> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM change WHERE seq IN
             (SELECT seq FROM change WHERE seq < ?1 ORDER BY seq LIMIT ?2)",
    )?;
    Ok(statement.execute(params![cut, CHUNK])?)
}

const DAY: Duration = Duration::from_secs(86_400);

/// Followers that were away for less than these need not judge everything
/// again.
const CHANGES_KEPT: i64 = 10_000;

/// Rows a transaction.
pub(crate) const CHUNK: usize = 256;
