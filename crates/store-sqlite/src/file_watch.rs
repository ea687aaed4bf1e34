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
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use rusqlite::Connection;

use self::files::{Before, FileChange, FilesState, OpenFiles, Written, written};
use crate::file::{FileId, beside};
use crate::wal_index::{self, Checkpoint};

pub(crate) use self::files::{Files, Seat};

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
    /// The index that is open, to ask for its length.
    index_file: Option<File>,
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
        drop(shared);
        let index = beside(path, "-shm");
        Ok(Self {
            files,
            seat: Some(seat),
            opening,
            log: beside(path, "-wal"),
            index_file: found.index.and_then(|id| open_for_length(&index, id)),
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
            let mut shared = self.files.lock();
            if shared.opened.take().is_some() {
                shared.before = Some(Before {
                    opened,
                    change,
                    written: written(path),
                });
            }
        }
        looked
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
        // First of all: to read the index beyond its end would end the process.
        let index = look_up(&self.index)?;
        if opened.index.is_none() {
            return Ok(());
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
        let is_short = log.len() < checkpoint.needs(&head);
        if is_short && wal_index::checkpoint(connection) == Some(checkpoint) {
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

    /// Says whether the index is there and can be read: what lies beyond its end, a
    /// process does not survive.
    pub(crate) fn has_index(&self) -> bool {
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

    /// Says whether a connection that is closed may write the log back: it belongs
    /// to this very file, is whole with its index, and nobody went on with another
    /// one since.
    fn may_write_back(&self, connection: &Connection, path: &Path) -> bool {
        let Some(before) = self.files.lock().before else {
            return false;
        };
        // An empty log holds no commit. A process that has it open holds a lock on the
        // file, which keeps this connection from writing anything back.
        let is_ours = match look_up(&self.log) {
            Ok(Some(log)) => log.len() == 0 || Some(FileId::from(&log)) == before.opened.log,
            Ok(None) => true,
            Err(_) => false,
        };
        before.change.keeps_log
            && is_ours
            && before.written.is_some()
            && written(path) == before.written
            && is_whole(&before.opened, connection)
    }

    /// Closes the connection by `close`, which is told whether the log may be
    /// written back.
    ///
    /// SQLite writes it back when the last connection closes, and where two close
    /// at once, each takes the other for the last. So they close one after the
    /// other, and wait for one that is being opened.
    pub(crate) fn let_go(
        &mut self,
        connection: &mut Connection,
        path: &Path,
        close: impl FnOnce(&mut Connection, bool) -> bool,
    ) {
        let files = Arc::clone(&self.files);
        // INVARIANT: it guards no data, so a panic while it is held leaves none half
        // written.
        let _alone = files.closing.lock().unwrap_or_else(PoisonError::into_inner);
        let opening = &files.opening;
        let is_opening = |shared: &mut FilesState| shared.begun > 0;
        let waited = opening.wait_timeout_while(files.lock(), OPENING, is_opening);
        let (shared, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(shared);
        if waited.timed_out() {
            return;
        }
        let may_write_back = self.may_write_back(connection, path);
        if close(connection, may_write_back) {
            self.seat = None;
        }
    }
}

/// Says whether the log and its index that this process has open are as long as
/// they must be, whatever their names lead to by now.
fn is_whole(opened: &OpenFiles, connection: &Connection) -> bool {
    let length = |id: Option<FileId>| length_of_open(id?);
    let index = length(opened.index).filter(|length| *length >= wal_index::INDEX);
    let (Some(index), Some(log)) = (index, length(opened.log)) else {
        return false;
    };
    let (Some(checkpoint), Some(head)) = (
        wal_index::checkpoint(connection),
        wal_index::head(connection),
    ) else {
        return false;
    };
    index >= checkpoint.needs_of_index() && log >= checkpoint.needs(&head)
}

/// How long a file is that this process has open, though it may have no name.
fn length_of_open(id: FileId) -> Option<u64> {
    let open = Path::new("/proc/self/fd").read_dir().ok()?;
    open.filter_map(|entry| entry.ok()?.path().metadata().ok())
        .find(|facts| FileId::from(facts) == id)
        .map(|facts| facts.len())
}

/// The file with this id, if it is the one that the name leads to, opened for
/// nothing but questions about it. So closing it ends no lock of the process, as it
/// would if it could be read; and to ask it takes less than to find it by its name.
fn open_for_length(path: &Path, id: FileId) -> Option<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_PATH.bits())
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

const REPLACED: FileChange = FileChange {
    what: "was moved or replaced while in use",
    keeps_log: false,
    leaves_log: true,
};
const OVERWRITTEN: FileChange = FileChange {
    what: "was overwritten while in use",
    keeps_log: false,
    leaves_log: true,
};
const WRITTEN_TO: FileChange = FileChange {
    what: "was written to by another program",
    keeps_log: true,
    leaves_log: false,
};
const WITHOUT_INDEX: FileChange = FileChange {
    what: "lost its `-shm` while in use",
    keeps_log: true,
    leaves_log: false,
};
const CUT_INDEX: FileChange = FileChange {
    keeps_log: false,
    ..WITHOUT_INDEX
};
const WITHOUT_LOG: FileChange = FileChange {
    what: "lost its `-wal` while in use",
    keeps_log: true,
    leaves_log: false,
};
const CUT_LOG: FileChange = FileChange {
    what: "lost a part of its `-wal` while in use",
    keeps_log: false,
    leaves_log: false,
};

/// So long one waits for a connection that is being opened.
const OPENING: Duration = Duration::from_millis(250);

const MAGIC: &[u8] = b"SQLite format 3\0";
/// Its owner may read and write it.
const READABLE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use countersign_core::store::{GateStore as _, Settings};
    use tempfile::TempDir;

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
}
