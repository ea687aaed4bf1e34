//! Which state the store is in, told without a statement.
//!
//! Each commit, of whatever process, writes a new header into the index of the
//! write-ahead log, which all connections share in memory (SQLite's WAL-mode
//! file format, §2.1). A connection that begins to read compares that header
//! with the one it saw last, and takes its page cache for good if they are the
//! same. This is that comparison alone: no lock, no system call.
//!
//! The index is reached through SQLite's own handle on it. To open its file a
//! second time would not do: closing it again ends all locks of the process.

#![expect(
    unsafe_code,
    reason = "SQLite shows this through its C interface alone"
)]

use core::ffi::c_int;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicU32, Ordering, fence};

use countersign_core::store::StoreState;
use rusqlite::{Connection, ffi};

/// The state that a statement would look at now; none while somebody commits, and
/// where there is no log in shared memory.
pub(crate) fn of(connection: &Connection) -> Option<StoreState> {
    // SAFETY: it is used for the next call alone, while the connection is open.
    let database = unsafe { connection.handle() };
    let mut file: *mut ffi::sqlite3_file = null_mut();
    // SAFETY: the database is open, and this operation writes such a pointer.
    let code = unsafe {
        ffi::sqlite3_file_control(
            database,
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast(),
        )
    };
    if code != ffi::SQLITE_OK {
        return None;
    }
    // SAFETY: null, or SQLite's own file, which is as old as the connection.
    let methods = unsafe { file.as_ref() }?.pMethods;
    // SAFETY: null while the file is not open, else a static table.
    let methods = unsafe { methods.as_ref() }?;
    // Those of version 1 end before the methods of shared memory.
    let map = methods.xShmMap.filter(|_| methods.iVersion >= 2)?;
    let mut region = null_mut();
    // SAFETY: a method of this very file, which is open; it writes a pointer.
    let code = unsafe { map(file, 0, REGION, DONT_EXTEND, &raw mut region) };
    if code != ffi::SQLITE_OK {
        return None;
    }
    let header = NonNull::new(region)?.cast::<[[AtomicU32; 12]; 2]>();
    // SAFETY: the first region, of 32 KiB and aligned to pages, begins with the
    // header twice. It stays where it is as long as the connection is open,
    // and others write to it.
    let [first, second] = unsafe { header.as_ref() };
    // Written in the other order.
    let seen = read(first);
    fence(Ordering::SeqCst);
    let is_whole = seen == read(second) && seen.first() != Some(&NOT_YET);
    is_whole.then_some(StoreState(seen))
}

fn read(header: &[AtomicU32; 12]) -> [u32; 12] {
    header.each_ref().map(|word| word.load(Ordering::Relaxed))
}

/// The size of a region of the index, which is a part of its format.
const REGION: c_int = 32_768;
const DONT_EXTEND: c_int = 0;
/// In place of the version of the format, before anybody wrote a header.
const NOT_YET: u32 = 0;

#[cfg(test)]
mod tests {
    use countersign_core::store::{Batch, GateStore as _, Settings};
    use tempfile::TempDir;

    use super::*;
    use crate::open::SqliteStore;

    #[test]
    fn a_database_in_memory_cannot_tell() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(of(&connection), None);
    }

    #[test]
    fn each_commit_is_seen_by_every_connection_and_nothing_else_is() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut writer = SqliteStore::create(&path, &Settings::default()).unwrap();
        let mut reader = SqliteStore::open(&path).unwrap();
        let looks = |store: &mut SqliteStore| {
            store.last_change().unwrap();
            of(&store.connection).unwrap()
        };
        let mut before = looks(&mut reader);
        assert_eq!(looks(&mut writer), before);
        for round in 1..100 {
            assert_eq!(of(&reader.connection), Some(before), "{round}");
            writer
                .connection
                .execute_batch("BEGIN IMMEDIATE; UPDATE session_change SET number = -1; ROLLBACK")
                .unwrap();
            assert_eq!(of(&reader.connection), Some(before), "{round}");
            writer
                .connection
                .execute("UPDATE session_change SET number = ?1", [round])
                .unwrap();
            let after = of(&reader.connection);
            assert!(after.is_some() && after != Some(before), "{round}");
            assert_eq!(of(&writer.connection), after, "{round}");
            if round % 10 == 0 {
                // What writes the log back, and begins it anew, loses nothing.
                writer.write_batch("b", &Batch::default()).unwrap();
                let mode = if round % 20 == 0 {
                    "RESTART"
                } else {
                    "PASSIVE"
                };
                writer
                    .connection
                    .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
                    .unwrap();
            }
            before = looks(&mut reader);
        }
    }
}
