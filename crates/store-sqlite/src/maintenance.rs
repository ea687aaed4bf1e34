//! Maintenance, off the broker's thread: old rows are removed, and the log is
//! written back.

use core::time::Duration;

use countersign_core::ledger::Ledger as _;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;

use crate::busy_timeout::{BATCH_WAIT, BusyTimeout};
use crate::error::Fault;
use crate::file::beside;
use crate::store::{LOG_BYTES, SqliteStore};
use crate::wal_index;

impl SqliteStore {
    /// See [`GateStore::maintain`](countersign_core::store::GateStore::maintain).
    pub(crate) fn maintain_all(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.tidy_up(now)?;
        let state = wal_index::of(&self.connection);
        if state.is_some() && self.log_begun == state {
            return Ok(());
        }
        let is_whole = self.write_log_back()?;
        if self.log_begun.is_none() && self.log_size() <= LOG_BYTES {
            // What was written before is not known yet, and not worth a write.
            self.log_begun = state;
        } else if is_whole {
            self.begin_log_anew()?;
            self.shorten_log()?;
        }
        Ok(())
    }

    /// Shortens the log, if it has grown and no connection needs it, a little
    /// at a time: a file system takes its time to give back space, and who
    /// writes waits for it.
    fn shorten_log(&mut self) -> Result<(), StoreError> {
        let mut size = self.log_size();
        while size > LOG_BYTES && self.write_log_back()? {
            let less = size.saturating_sub(LOG_STEP).max(LOG_BYTES);
            self.limit_log(i64::try_from(less).unwrap_or(i64::MAX))?;
            let begun = self.begin_log_anew();
            self.limit_log(UNLIMITED)?;
            begun?;
            let before = core::mem::replace(&mut size, self.log_size());
            if size >= before {
                // Somebody still reads what it held.
                break;
            }
        }
        Ok(())
    }

    fn log_size(&self) -> u64 {
        let log = beside(&self.path, "-wal");
        log.metadata().map_or(0, |file| file.len())
    }

    /// Says how long the log may stay when it is begun anew.
    fn limit_log(&self, bytes: i64) -> Result<(), StoreError> {
        self.connection
            .pragma_update_and_check(None, "journal_size_limit", bytes, |_| Ok(()))
            .map_err(|error| Fault::from(error).while_trying("shorten the log", &self.path))
    }

    /// Writes something, so that nobody else is the first to write after the
    /// whole log was written back.
    ///
    /// SQLite then begins the log anew and syncs its new head to disk, whoever
    /// writes; a login would do that on the broker's thread.
    fn begin_log_anew(&mut self) -> Result<(), StoreError> {
        self.act("begin the log anew", BATCH_WAIT, |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO refusal
                         (minute, broker, subject, address, cause, client_id, topic, act, count)
                     VALUES (-1, '', '', '', '', '', '', '', 0)",
                )?
                .execute([])?;
            connection
                .prepare_cached("DELETE FROM refusal WHERE minute = -1")?
                .execute([])?;
            Ok(())
        })?;
        self.log_begun = wal_index::of(&self.connection);
        Ok(())
    }

    /// Writes the log back into the file without waiting for anybody, and
    /// without anybody waiting for it. Says whether it is written back as a
    /// whole.
    fn write_log_back(&self) -> Result<bool, StoreError> {
        let _patience = BusyTimeout::of(Duration::ZERO);
        let written = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                let (pages, written_back): (i64, i64) = (row.get(1)?, row.get(2)?);
                Ok(pages == written_back)
            });
        written.map_err(|error| Fault::from(error).while_trying("write the log back", &self.path))
    }
}

/// How much of the log is given back at a time: three milliseconds' worth.
const LOG_STEP: u64 = 8 * 1024 * 1024;

/// What SQLite takes for no limit.
const UNLIMITED: i64 = -1;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use countersign_core::store::{GateStore as _, Settings};
    use tempfile::TempDir;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// The log's head, which differs each time that the log begins anew.
    fn head(path: &Path) -> Vec<u8> {
        let log = std::fs::read(beside(path, "-wal")).unwrap();
        log.get(..32).unwrap_or_default().to_vec()
    }

    #[test]
    fn after_maintenance_nobody_else_begins_the_log_anew() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut store = SqliteStore::create(&path, &Settings::default()).unwrap();
        let mut other = SqliteStore::open(&path).unwrap();
        store.maintain_all(NOW).unwrap();
        for _ in 0..3 {
            other
                .act("write", BATCH_WAIT, |connection| {
                    connection.execute(
                        "INSERT INTO refusal VALUES (1, '', '', '', '', '', '', '', NULL, 1)",
                        [],
                    )?;
                    connection.execute("DELETE FROM refusal", [])?;
                    Ok(())
                })
                .unwrap();
            store.maintain_all(NOW).unwrap();
            let begun = head(&path);
            other
                .act("write", BATCH_WAIT, |connection| {
                    connection.execute("UPDATE setting SET value = value || '0'", [])?;
                    Ok(())
                })
                .unwrap();
            assert_eq!(head(&path), begun);
            assert!(!begun.is_empty());
        }
    }

    #[test]
    fn where_nobody_writes_maintenance_does_not_either() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut store = SqliteStore::create(&path, &Settings::default()).unwrap();
        store.maintain_all(NOW).unwrap();
        let mut other = SqliteStore::open(&path).unwrap();
        other.last_change().unwrap();
        let (before, begun) = (other.mark().unwrap(), head(&path));
        for _ in 0..3 {
            store.maintain_all(NOW).unwrap();
        }
        assert_eq!(other.mark().unwrap(), before);
        assert_eq!(head(&path), begun);
    }
}
