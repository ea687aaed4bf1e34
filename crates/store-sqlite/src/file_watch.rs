//! Whether the files of a store are still those that were opened, and how all
//! connections of a process move to others.
//!
//! SQLite keeps its files open. If other files are put in their place, other
//! processes read those, and open connections do not notice. So each connection
//! looks, before it writes and every few milliseconds when it reads, whether
//! the names still name the same files, and whether anything but SQLite wrote
//! to them. If not, all connections of the process close the old files before
//! one opens the new ones, because they share what SQLite knows of a file.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use rusqlite::Connection;

use self::files::{
    CUT_INDEX, CUT_LOG, FileChange, OVERWRITTEN, OpenFiles, REPLACED, WITHOUT_INDEX, WITHOUT_LOG,
    WRITTEN_TO, Written,
};
use crate::error::Fault;
use crate::file::{FileId, beside};
use crate::index_fault::GuardedStore;
use crate::wal_index::{self, Checkpoint};

pub(crate) use self::files::{Files, Seat};

mod closing;
mod files;

/// What is wrong with a store's files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileProblem {
    /// They can't be reached; they may be again, and still be the same.
    Away(&'static str),
    /// They are not what was opened.
    Changed(FileChange),
}

/// What a connection saw last of the file itself.
#[derive(Clone, Copy, Debug)]
struct LastSeen {
    checkpoint: Checkpoint,
    written: Written,
    head: [u8; wal_index::HEAD],
}

/// A connection's own part.
#[derive(Debug)]
pub(crate) struct Watch {
    files: Arc<Files>,
    /// None once its connection is closed.
    seat: Option<Seat>,
    /// Of which opening its connection is.
    opening: u64,
    log: PathBuf,
    index: PathBuf,
    /// The log that is open, to look whether what it must hold is there. No lock of
    /// SQLite lies on it, so that another handle does no harm.
    log_file: Option<File>,
    /// The index that is open, to ask for its length.
    index_file: Option<File>,
    /// Which store the index is guarded for.
    guarded: GuardedStore,
    /// How many of its regions are, as far as it knows.
    guarded_regions: u32,
    seen: Option<LastSeen>,
    largest: u64,
}

impl Watch {
    /// Takes note of which files a new connection has open. It must have read
    /// something, so that the log and its index are there.
    ///
    /// # Errors
    ///
    /// Returns the system's error when they can't be looked at, and
    /// [`io::ErrorKind::Interrupted`] when others have other files open. The
    /// place is given back, to be kept until the connection is closed.
    pub(crate) fn begin(
        mut seat: Seat,
        connection: &Connection,
        path: &Path,
    ) -> Result<Self, (io::Error, Seat)> {
        let found = match OpenFiles::at(path) {
            Ok(found) => found,
            Err(error) => return Err((error, seat)),
        };
        // What it has open was removed meanwhile.
        let is_without = found.log.is_none() || found.index.is_none();
        if is_without && wal_index::is_mapped(connection) {
            return Err((io::ErrorKind::Interrupted.into(), seat));
        }
        let files = Arc::clone(&seat.files);
        let mut shared = files.lock();
        match shared.opened {
            Some(opened) if opened == found => {}
            None if shared.connections == 1 => {
                shared.opened = Some(found);
                shared.opening = shared.opening.saturating_add(1);
                shared.before = None;
                shared.searched = None;
            }
            Some(_) | None => {
                drop(shared);
                return Err((io::ErrorKind::Interrupted.into(), seat));
            }
        }
        shared.begun = shared.begun.saturating_sub(1);
        seat.is_begun = false;
        files.opening.notify_all();
        let opening = shared.opening;
        // What one connection lost, all have lost.
        let guarded = shared.guard(connection, 1);
        drop(shared);
        let [log, index] = ["-wal", "-shm"].map(|suffix| beside(path, suffix));
        Ok(Self {
            files,
            seat: Some(seat),
            opening,
            log_file: found.log.and_then(|id| open_as(&log, id, Use::Read)),
            log,
            index_file: found.index.and_then(|id| open_as(&index, id, Use::Length)),
            guarded,
            guarded_regions: 1,
            index,
            seen: None,
            largest: 0,
        })
    }

    /// What all connections of this process share.
    pub(crate) fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// How often the files were opened when this connection was.
    pub(crate) fn opening(&self) -> u64 {
        self.opening
    }

    /// Looks whether the files are still the same.
    pub(crate) fn look(&mut self, connection: &Connection, path: &Path) -> Result<(), FileProblem> {
        let (opened, before) = {
            let shared = self.files.lock();
            let is_current = self.is_open() && self.opening == shared.opening;
            (shared.opened.filter(|_| is_current), shared.before)
        };
        let Some(opened) = opened else {
            return changed(before.map_or(REPLACED, |before| before.change));
        };
        let looked = self.look_at(&opened, connection, path);
        if let Err(FileProblem::Changed(change)) = looked {
            self.files.lock().change(change, path);
        }
        looked
    }

    /// What was read or done by the connection, unless that can't be believed: a part of
    /// the index was lost meanwhile or, where pages made no sense, the file was overwritten
    /// or the log has a hole.
    pub(crate) fn believe<T>(
        &self,
        done: Result<T, Fault>,
        connection: &Connection,
        path: &Path,
    ) -> Result<T, Fault> {
        self.check_index()?;
        if done.as_ref().is_err_and(Fault::is_of_pages)
            && let Some(change) = self.change_behind_nonsense(connection)
        {
            self.files.lock().change(change, path);
            return Err(Fault::Lost(change.what));
        }
        done
    }

    /// Fails where this process lost a part of the index. Asked under the write lock
    /// before a commit, it keeps what is based on zeros from what others have committed.
    pub(crate) fn check_index(&self) -> Result<(), Fault> {
        if self.has_lost_index() {
            return Err(Fault::Lost(CUT_INDEX.what));
        }
        Ok(())
    }

    /// Says whether this process lost a part of the index, so that it has zeros there.
    fn has_lost_index(&self) -> bool {
        self.guarded.has_lost_index()
    }

    /// What happened to the files whose pages made no sense, if they tell. The file comes
    /// first: the log of one that was overwritten would be read as the next one's own.
    fn change_behind_nonsense(&self, connection: &Connection) -> Option<FileChange> {
        match wal_index::head(connection) {
            Some(head) if head.starts_with(MAGIC) => {
                self.has_hole(connection, &head).then_some(CUT_LOG)
            }
            Some(_) | None => Some(OVERWRITTEN),
        }
    }

    /// Says whether a frame is missing in the log. It looks once at each state of it.
    fn has_hole(&self, connection: &Connection, head: &[u8; wal_index::HEAD]) -> bool {
        let (Some(log), Some(checkpoint)) = (&self.log_file, wal_index::checkpoint(connection))
        else {
            return false;
        };
        if self.files.lock().searched.replace(checkpoint) == Some(checkpoint) {
            return false;
        }
        let is_whole = checkpoint.are_in(log, head, u32::MAX);
        !is_whole && wal_index::checkpoint(connection) == Some(checkpoint)
    }

    fn look_at(
        &mut self,
        opened: &OpenFiles,
        connection: &Connection,
        path: &Path,
    ) -> Result<(), FileProblem> {
        let main = look_up(path)?.ok_or(FileProblem::Away("was removed or moved away"))?;
        if FileId::from(&main) != opened.main {
            return changed(REPLACED);
        }
        if main.mode() & READABLE != READABLE {
            return Err(FileProblem::Away(
                "may not be read and written by its owner",
            ));
        }
        if main.len() < self.largest {
            return changed(OVERWRITTEN);
        }
        self.largest = main.len();
        // First of all, as the rest reads it.
        let index = look_up(&self.index)?;
        if opened.index.is_none() {
            return Ok(());
        }
        if self.has_lost_index() {
            return changed(CUT_INDEX);
        }
        let is_its = |facts: &Metadata, id| Some(FileId::from(facts)) == id;
        match index.filter(|it| is_its(it, opened.index)) {
            Some(index) if index.len() >= wal_index::INDEX => {}
            Some(_) => return changed(CUT_INDEX),
            None => return changed(WITHOUT_INDEX),
        }
        // Before the head, which the next checkpoint may change, and before the log,
        // which is never shorter than what this tells of.
        let checkpoint = wal_index::checkpoint(connection);
        let Some(head) = wal_index::head(connection) else {
            return changed(OVERWRITTEN);
        };
        if !head.starts_with(MAGIC) {
            return changed(OVERWRITTEN);
        }
        let log = look_up(&self.log)?;
        let Some(log) = log.filter(|it| is_its(it, opened.log)) else {
            return changed(WITHOUT_LOG);
        };
        let Some(checkpoint) = checkpoint else {
            // Somebody commits.
            return Ok(());
        };
        if self.guarded_regions < checkpoint.regions() {
            self.guarded = self.files.lock().guard(connection, checkpoint.regions());
            self.guarded_regions = checkpoint.regions();
        }
        let begins = |log: &File| checkpoint.are_in(log, &head, 1);
        let is_whole =
            log.len() >= checkpoint.needs(&head) && self.log_file.as_ref().is_none_or(begins);
        if !is_whole && wal_index::checkpoint(connection) == Some(checkpoint) {
            return changed(CUT_LOG);
        }
        self.look_at_writes(checkpoint, head, connection, path)
    }

    /// Looks whether anything but a checkpoint of SQLite wrote to the file, whose `head`
    /// was read after `checkpoint`.
    fn look_at_writes(
        &mut self,
        checkpoint: Checkpoint,
        head: [u8; wal_index::HEAD],
        connection: &Connection,
        path: &Path,
    ) -> Result<(), FileProblem> {
        let Some(main) = look_up(path)? else {
            return Ok(());
        };
        // One that begins is told of before it writes.
        if checkpoint.is_running() || wal_index::checkpoint(connection) != Some(checkpoint) {
            return Ok(());
        }
        let seen = LastSeen {
            checkpoint,
            written: (main.mtime(), main.mtime_nsec()),
            head,
        };
        match self.seen.replace(seen) {
            Some(before) if before.checkpoint == checkpoint && before.head != head => {
                changed(OVERWRITTEN)
            }
            Some(before) if before.checkpoint == checkpoint && before.written != seen.written => {
                changed(WRITTEN_TO)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Says whether the index is there and can be read.
    pub(crate) fn has_index(&self) -> bool {
        if self.has_lost_index() {
            return false;
        }
        let index = self.index_file.as_ref().filter(|_| self.is_open());
        let facts = index.and_then(|index| fstat(index).ok());
        facts.is_some_and(|facts| {
            let is_whole = u64::try_from(facts.st_size).is_ok_and(|it| it >= wal_index::INDEX);
            facts.st_nlink > 0 && is_whole
        })
    }

    /// Says whether the connection has files open.
    pub(crate) fn is_open(&self) -> bool {
        self.seat.is_some()
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug)]
enum Use {
    Read,
    /// For nothing but questions about it. So closing it ends no lock of the process, as
    /// it would if it could be read; and to ask it takes less than to find it by its name.
    Length,
}

/// The file with this id, if it is the one that the name leads to.
fn open_as(path: &Path, id: FileId, purpose: Use) -> Option<File> {
    let flags = match purpose {
        // A pipe in its place must not hold up the thread.
        Use::Read => OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK,
        Use::Length => OFlag::O_PATH,
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .ok()?;
    let is_it = FileId::from(&file.metadata().ok()?) == id;
    is_it.then_some(file)
}

fn look_up(path: &Path) -> Result<Option<Metadata>, FileProblem> {
    match path.metadata() {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(FileProblem::Away("can't be reached")),
    }
}

fn changed(change: FileChange) -> Result<(), FileProblem> {
    Err(FileProblem::Changed(change))
}

const MAGIC: &[u8] = b"SQLite format 3\0";
/// Its owner may read and write it.
const READABLE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use countersign_core::store::{GateStore as _, Settings, StoreError};
    use tempfile::TempDir;

    use super::*;
    use crate::busy_timeout::GATE_WAIT;
    use crate::store::SqliteStore;

    #[test]
    fn who_looks_while_the_log_is_written_back_again_and_again_finds_nothing_changed() {
        const ROUNDS: u32 = 1_000;
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut readers = vec![SqliteStore::create(&path, &Settings::default()).unwrap()];
        readers.push(readers[0].reopen().unwrap());
        let writer = readers[0].reopen().unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for reader in &mut readers {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        reader.check("look").unwrap();
                    }
                });
            }
            // Each of them changes the first page, and so the head of the file.
            for round in 1..=ROUNDS {
                let statement = format!(
                    "UPDATE session_change SET number = {round};
                     PRAGMA user_version = {};
                     PRAGMA wal_checkpoint(PASSIVE)",
                    round + 1_000
                );
                writer.connection.execute_batch(&statement).unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    /// Waits until `look` is answered, and returns the answer.
    fn answered<T>(mut look: impl FnMut() -> Result<T, StoreError>) -> T {
        let start = Instant::now();
        loop {
            match look() {
                Ok(answer) => return answer,
                Err(error) => assert!(start.elapsed() < LONG, "{error}"),
            }
        }
    }

    fn cut(path: &Path, suffix: &str) {
        let file = OpenOptions::new().write(true).open(beside(path, suffix));
        file.unwrap().set_len(0).unwrap();
    }

    /// A thread that reads what is gone at that very moment would end the process.
    #[test]
    fn whoever_reads_while_the_index_is_cut_short_lives_and_reads_nothing_old() {
        const ROUNDS: i64 = 40;
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut store = SqliteStore::create(&path, &Settings::default()).unwrap();
        let mut readers = [store.reopen().unwrap(), store.reopen().unwrap()];
        let written = AtomicI64::new(0);
        thread::scope(|scope| {
            for reader in &mut readers {
                scope.spawn(|| {
                    while written.load(Ordering::SeqCst) < ROUNDS {
                        let before = written.load(Ordering::SeqCst);
                        let position = answered(|| {
                            reader.mark()?;
                            reader.log_position()
                        });
                        assert!(position.session_changes >= before, "{position:?}");
                    }
                });
            }
            for round in 1..=ROUNDS {
                cut(&path, "-shm");
                answered(|| write(&mut store, round));
                written.store(round, Ordering::SeqCst);
            }
        });
        assert_eq!(answered(|| store.log_position()).session_changes, ROUNDS);
    }

    /// It is as long as before then, but for what the commit wrote of no content.
    #[test]
    fn a_log_that_is_cut_while_a_commit_is_under_way_is_found_out_and_left() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut store = SqliteStore::create(&path, &Settings::default()).unwrap();
        let mut reader = store.reopen().unwrap();
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        store
            .connection
            .query_row(checkpoint, [], |_| Ok(()))
            .unwrap();
        for number in 1..20 {
            write(&mut store, number).unwrap();
        }
        let _done = store.act("write", GATE_WAIT, |connection| {
            connection.execute(WRITE, [20])?;
            cut(&path, "-wal");
            Ok(())
        });
        // Each lets go of the files before one opens them anew.
        let read = answered(|| {
            let _looked = store.mark();
            reader.mark()?;
            reader.log_position()
        });
        // What was written since the log began is lost.
        assert_eq!(read.session_changes, 0);
        answered(|| write(&mut store, 21));
        assert_eq!(answered(|| reader.log_position()).session_changes, 21);
    }

    fn write(store: &mut SqliteStore, number: i64) -> Result<usize, StoreError> {
        store.act("write", GATE_WAIT, |connection| {
            Ok(connection.execute(WRITE, [number])?)
        })
    }

    const WRITE: &str = "UPDATE session_change SET number = ?1";
    const LONG: Duration = Duration::from_secs(10);
}
