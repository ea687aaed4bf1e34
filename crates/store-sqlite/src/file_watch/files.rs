//! The files of a store as all connections of a process see them.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::file::{FileId, beside};
use crate::index_fault::{GuardedStore, IndexGuard};
use crate::wal_index::{self, Checkpoint};

/// The files of a store as all connections of a process see them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    state: Mutex<FilesState>,
    /// Held while a connection closes.
    pub(super) closing: Mutex<()>,
    /// That one was opened, or failed to be.
    pub(super) opening: Condvar,
}

/// Of all stores that this process has open.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Files>>> = Mutex::new(BTreeMap::new());

#[derive(Debug, Default)]
pub(super) struct FilesState {
    /// How often they were opened, other files each time.
    pub(super) opening: u64,
    /// Which files they are; none since they were found changed.
    pub(super) opened: Option<OpenFiles>,
    /// Connections that have not let go of them, and those that are being opened.
    pub(super) connections: usize,
    /// Those of them that are being opened.
    pub(super) begun: usize,
    /// What happened to those of before.
    pub(super) before: Option<Before>,
    /// Guards the index that the process has mapped.
    pub(super) guard: Option<IndexGuard>,
    /// The state in which the log was searched last for a hole.
    pub(super) searched: Option<Checkpoint>,
    tried: Option<Instant>,
}

/// The files that a connection has open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct OpenFiles {
    pub(super) main: FileId,
    pub(super) log: Option<FileId>,
    pub(super) index: Option<FileId>,
}

/// What happened to the files that were open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) opened: OpenFiles,
    pub(super) change: FileChange,
    /// When the file was last written to by then.
    pub(super) written: Option<Written>,
}

/// When a file was last written to, in seconds and nanoseconds.
pub(super) type Written = (i64, i64);

/// How files changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileChange {
    /// What happened, in words.
    pub(crate) what: &'static str,
    /// Whether the log holds what belongs to this very file, and is whole as
    /// far as this process has it open.
    pub(super) keeps_log: bool,
    /// Whether the log that lies there belongs to the file of before.
    pub(super) leaves_log: bool,
}

/// A place among the connections of a process, taken before one is opened.
///
/// SQLite gives a new connection the index that another connection of the process
/// has mapped, also where the names lead to other files by now. So as long as a
/// place is taken, nobody opens anew.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(super) files: Arc<Files>,
    /// Whether its connection is being opened.
    pub(super) is_begun: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut shared = self.files.lock();
        shared.connections = shared.connections.saturating_sub(1);
        if shared.connections == 0 {
            shared.guard = None;
        }
        if self.is_begun {
            shared.begun = shared.begun.saturating_sub(1);
            self.files.opening.notify_all();
        }
    }
}

impl OpenFiles {
    /// What the names lead to now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            main: FileId::of(path)?,
            log: FileId::of(&beside(path, "-wal")).ok(),
            index: FileId::of(&beside(path, "-shm")).ok(),
        })
    }
}

impl FilesState {
    /// Takes note that the files that were open are not what they were.
    pub(super) fn change(&mut self, change: FileChange, path: &Path) {
        if let Some(opened) = self.opened.take() {
            self.before = Some(Before {
                opened,
                change,
                written: written(path),
            });
        }
    }

    /// Guards so many regions of the index.
    pub(super) fn guard(&mut self, connection: &Connection, regions: u32) -> GuardedStore {
        let guard = self.guard.get_or_insert_with(IndexGuard::begin);
        while guard.regions() < regions {
            let region = wal_index::region(connection, guard.regions());
            if !region.is_some_and(|region| guard.add(region)) {
                break;
            }
        }
        guard.store()
    }
}

impl Files {
    /// What the connections of this process to the file at `path` share, if there
    /// are any.
    pub(crate) fn at(path: &Path) -> Arc<Self> {
        let main = FileId::of(path).ok();
        let is_same = |files: &Self| {
            let opened = files.lock().opened;
            opened.is_none_or(|opened| Some(opened.main) == main)
        };
        let mut open = lock_open();
        let found = open.get(path).and_then(Weak::upgrade);
        let files = match &found {
            Some(files) if is_same(files) => Arc::clone(files),
            Some(_) | None => {
                let files = Arc::default();
                open.insert(path.to_owned(), Arc::downgrade(&files));
                files
            }
        };
        // Before what was found: to drop the last of those takes the lock.
        drop(open);
        drop(found);
        files
    }

    /// Takes a place for a connection that is about to be opened.
    ///
    /// # Errors
    ///
    /// Returns [`io::ErrorKind::Interrupted`] while connections have other files
    /// open than those that the names lead to, and the system's error where that
    /// can't be told.
    pub(crate) fn take_seat(self: &Arc<Self>, path: &Path) -> io::Result<Seat> {
        let mut shared = self.lock();
        if shared.connections == 0 {
            shared.opened = None;
        } else if shared.opened != Some(OpenFiles::at(path)?) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        shared.connections = shared.connections.saturating_add(1);
        shared.begun = shared.begun.saturating_add(1);
        drop(shared);
        Ok(Seat {
            files: Arc::clone(self),
            is_begun: true,
        })
    }

    /// Says whether files may be opened now, as nobody has those of before open
    /// any more. Puts aside a log that belongs to those.
    pub(crate) fn may_be_opened(&self, path: &Path, wait: Duration) -> bool {
        let mut shared = self.lock();
        if shared.opened.is_some() {
            return true;
        }
        let waits = shared.tried.is_some_and(|at| at.elapsed() < wait);
        if shared.connections > 0 || waits {
            return false;
        }
        shared.tried = Some(Instant::now());
        if let Some(Before { opened, change, .. }) = shared.before
            && change.leaves_log
        {
            // Read as the new file's own, it would make a mixture of both.
            for (suffix, id) in [("-wal", opened.log), ("-shm", opened.index)] {
                let left = beside(path, suffix);
                if id.is_some() && FileId::of(&left).ok() == id {
                    let _moved = std::fs::rename(&left, beside(&left, ".replaced"));
                }
            }
        }
        true
    }

    /// What is known of them.
    pub(super) fn lock(&self) -> MutexGuard<'_, FilesState> {
        // INVARIANT: every change of it is made whole before the lock is given
        // back, and nothing in between panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let mut open = lock_open();
        open.retain(|_, files| files.strong_count() > 0);
        if open.is_empty() {
            *open = BTreeMap::new();
        }
    }
}

fn lock_open() -> MutexGuard<'static, BTreeMap<PathBuf, Weak<Files>>> {
    // INVARIANT: nothing panics while it is held.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a file was last written to, if it is there.
pub(super) fn written(path: &Path) -> Option<Written> {
    let facts = path.metadata().ok()?;
    Some((facts.mtime(), facts.mtime_nsec()))
}

pub(super) const REPLACED: FileChange = FileChange {
    what: "was moved or replaced while in use",
    keeps_log: false,
    leaves_log: true,
};
pub(super) const OVERWRITTEN: FileChange = FileChange {
    what: "was overwritten while in use",
    keeps_log: false,
    leaves_log: true,
};
pub(super) const WRITTEN_TO: FileChange = FileChange {
    what: "was written to by another program",
    keeps_log: true,
    leaves_log: false,
};
pub(super) const WITHOUT_INDEX: FileChange = FileChange {
    what: "lost its `-shm` while in use",
    keeps_log: true,
    leaves_log: false,
};
pub(super) const CUT_INDEX: FileChange = FileChange {
    keeps_log: false,
    ..WITHOUT_INDEX
};
pub(super) const WITHOUT_LOG: FileChange = FileChange {
    what: "lost its `-wal` while in use",
    keeps_log: true,
    leaves_log: false,
};
pub(super) const CUT_LOG: FileChange = FileChange {
    what: "lost a part of its `-wal` while in use",
    keeps_log: false,
    leaves_log: false,
};
