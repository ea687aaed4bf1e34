//! Detects commits without a statement.
//!
//! Each commit, of whatever process, writes a new header into the index of the
//! write-ahead log, which all connections share in memory (SQLite's WAL-mode
//! file format, §2.1). A connection that begins to read compares that header
//! with the one it saw last, and keeps its page cache if they are the same.
//! This file makes that comparison and nothing else: no lock, no system call.
//!
//! The index is reached through SQLite's own handle on it. To open its file a
//! second time would not do: closing it again ends all locks of the process.

#![expect(
    unsafe_code,
    reason = "SQLite shows this through its C interface alone"
)]

use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null, null_mut};
use core::sync::atomic::{AtomicU32, Ordering, fence};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rusqlite::{Connection, ffi};

/// What tells one state of the log from all that come after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct WalHeader([u32; 12]);

/// The state that a statement would look at now; none during a commit, and
/// where there is no log in shared memory.
pub(crate) fn of(connection: &Connection) -> Option<WalHeader> {
    let [first, second] = &index(connection)?.headers;
    // Written in the other order.
    let seen = read(first);
    fence(Ordering::SeqCst);
    let is_whole = seen == read(second) && seen.first() != Some(&NOT_YET);
    is_whole.then_some(WalHeader(seen))
}

/// How far the log is written back into the file; none during a commit.
pub(crate) fn checkpoint(connection: &Connection) -> Option<Checkpoint> {
    let WalHeader(header) = of(connection)?;
    let [_, _, _, _, frames, _, _, _, salt, salt_2, _, _] = header;
    let index = index(connection)?;
    Some(Checkpoint {
        frames,
        salts: [salt, salt_2],
        done: index.done.load(Ordering::SeqCst),
        begun: index.begun.load(Ordering::SeqCst),
    })
}

/// How far the log is written back into the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Checkpoint {
    /// The frames of the log that count.
    frames: u32,
    /// Others each time that the log begins anew.
    salts: [u32; 2],
    /// So many frames are written back.
    done: u32,
    /// So many were to be, when that was begun last.
    begun: u32,
}

impl Checkpoint {
    /// Says whether somebody may be writing to the file.
    pub(crate) fn is_running(&self) -> bool {
        self.begun != self.done
    }

    /// How long the index must be: a region has 4,096 frames, but for the first,
    /// which begins with the header (SQLite's WAL-mode file format, §2.3).
    pub(crate) fn needs_of_index(&self) -> u64 {
        u64::from(self.regions()).saturating_mul(INDEX)
    }

    /// How many regions the index has.
    pub(crate) fn regions(&self) -> u32 {
        let more = self.frames.saturating_sub(FRAMES_OF_FIRST_REGION);
        more.div_ceil(FRAMES_OF_REGION).saturating_add(1)
    }

    /// How long the log must be, beside a file that begins so.
    pub(crate) fn needs(&self, head: &[u8; HEAD]) -> u64 {
        if self.frames == 0 {
            return 0;
        }
        frame_at(head, self.frames)
    }

    /// Says whether the frames of the log that count are there, `most` of them at most.
    /// A commit that is under way when the log is cut makes it as long as before, with
    /// a hole in it.
    pub(crate) fn are_in(&self, log: &File, head: &[u8; HEAD], most: u32) -> bool {
        let salts = self.salts.map(u32::to_ne_bytes);
        (0..self.frames.min(most)).all(|frame| {
            // Behind the number of the page and the size of the file.
            let at = frame_at(head, frame).saturating_add(8);
            let mut found = [[0; 4]; 2];
            log.read_exact_at(found.as_flattened_mut(), at).is_ok() && found == salts
        })
    }
}

/// Where a frame of the log begins, beside a file that begins so.
fn frame_at(head: &[u8; HEAD], number: u32) -> u64 {
    let [.., high, low] = *head.first_chunk::<18>().unwrap_or(&[0; 18]);
    let page = match u16::from_be_bytes([high, low]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let frames = u64::from(number).saturating_mul(page.saturating_add(FRAME_HEADER));
    frames.saturating_add(LOG_HEADER)
}

/// The first bytes of the file, as the connection has it open.
pub(crate) fn head(connection: &Connection) -> Option<[u8; HEAD]> {
    let (file, methods) = file_of(connection)?;
    let read = methods.xRead?;
    let mut bytes = [0; HEAD];
    // SAFETY: a method of this very file, which is open; it writes so many bytes.
    let code = unsafe { read(file, bytes.as_mut_ptr().cast(), LENGTH_OF_HEAD, 0) };
    (code == ffi::SQLITE_OK).then_some(bytes)
}

/// The beginning of the index.
#[repr(C)]
struct WalIndex {
    headers: [[AtomicU32; 12]; 2],
    done: AtomicU32,
    _readers_and_locks: [AtomicU32; 7],
    begun: AtomicU32,
}

/// SQLite's own handle on the file of a connection.
fn file_of(
    connection: &Connection,
) -> Option<(*mut ffi::sqlite3_file, &'static ffi::sqlite3_io_methods)> {
    // SAFETY: it is used for the next call alone, while the connection is open.
    let database = unsafe { connection.handle() };
    let mut file: *mut ffi::sqlite3_file = null_mut();
    // SAFETY: the database is open, null stands for its main file, and this
    // operation writes such a pointer.
    let code = unsafe {
        ffi::sqlite3_file_control(
            database,
            null(),
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
    Some((file, methods))
}

/// Says whether the connection has an index of the log in shared memory.
pub(crate) fn is_mapped(connection: &Connection) -> bool {
    index(connection).is_some()
}

/// The index of the log; none where there is none in shared memory.
fn index(connection: &Connection) -> Option<&WalIndex> {
    let index = mapped(connection, 0)?.cast::<WalIndex>();
    // SAFETY: the first region, of 32 KiB and aligned to pages, begins so. It
    // stays where it is as long as the connection is open, and others write to
    // it. That its file is so long, whoever asks has just made sure of.
    Some(unsafe { index.as_ref() })
}

/// Where a region of the index lies in memory, [`REGION_SIZE`] bytes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region(pub(crate) usize);

/// A region of the index by its number, if there is such a one.
pub(crate) fn region(connection: &Connection, number: u32) -> Option<Region> {
    let start = mapped(connection, number.try_into().ok()?)?;
    Some(Region(start.as_ptr().expose_provenance()))
}

fn mapped(connection: &Connection, number: c_int) -> Option<NonNull<c_void>> {
    let (file, methods) = file_of(connection)?;
    // Those of version 1 end before the methods of shared memory.
    let map = methods.xShmMap.filter(|_| methods.iVersion >= 2)?;
    let mut region = null_mut();
    // SAFETY: a method of this very file, which is open; it writes a pointer.
    let code = unsafe { map(file, number, REGION, DONT_EXTEND, &raw mut region) };
    if code != ffi::SQLITE_OK {
        return None;
    }
    NonNull::new(region)
}

fn read(header: &[AtomicU32; 12]) -> [u32; 12] {
    header.each_ref().map(|word| word.load(Ordering::Relaxed))
}

/// The size of a region of the index, which is a part of its format.
const REGION: c_int = 32_768;
pub(crate) const REGION_SIZE: usize = 32_768;
const FRAMES_OF_REGION: u32 = 4_096;
const FRAMES_OF_FIRST_REGION: u32 = 4_062;
const DONT_EXTEND: c_int = 0;
/// The file of an index is never shorter.
pub(crate) const INDEX: u64 = 32_768;
/// The header of a SQLite file.
pub(crate) const HEAD: usize = 100;
const LENGTH_OF_HEAD: c_int = 100;
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// In place of the version of the format, before anybody wrote a header.
const NOT_YET: u32 = 0;

#[cfg(test)]
mod tests {
    use countersign_core::ledger::Ledger as _;
    use countersign_core::store::{Batch, GateStore as _, Settings};
    use tempfile::TempDir;

    use super::*;
    use crate::store::SqliteStore;

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
