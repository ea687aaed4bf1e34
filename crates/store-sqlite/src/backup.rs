//! Copies of a store, made while it is used.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use countersign_core::store::{Intent, StoreError};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::busy_timeout::{ADMIN_WAIT, BusyTimeout};
use crate::connect::check_no_left_overs;
use crate::error::{Fault, moved, of_io};
use crate::file::{FileId, create_private, remove_with_companions, sync_directory_of};
use crate::store::SqliteStore;
use crate::transaction_guard::TransactionGuard;

/// How far a backup has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackupProgress {
    /// The pages that are copied.
    pub done: u64,
    /// The pages there are.
    pub total: u64,
}

/// A new file that a copy of a store goes to, held by its descriptors.
///
/// To make it, to fill it ([`SqliteStore::back_up_into`]) and to keep it are
/// three steps, since root may have to be one user for the first and the last,
/// and another for the second: filling it opens nothing by its name.
#[derive(Debug)]
pub struct BackupTarget {
    connection: Connection,
    file: File,
    path: PathBuf,
}

impl BackupTarget {
    /// Makes a new file at `path`, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when something stands at `path`, and other kinds
    /// when the file can't be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::create_for(path.as_ref(), BACK_UP)
    }

    fn create_for(path: &Path, action: &'static str) -> Result<Self, StoreError> {
        let said = |error| of_io(error, action, path);
        check_no_left_overs(path, action)?;
        let file = create_private(path).map_err(said)?;
        let opened = open_for_filling(path).map_err(|fault| fault.while_trying(action, path));
        let opened = opened.and_then(|connection| {
            let made = FileId::from(&file.metadata().map_err(said)?);
            let opened = FileId::of(path).map_err(said)?;
            if made == opened {
                Ok(connection)
            } else {
                Err(moved(action, path))
            }
        });
        match opened {
            Ok(connection) => Ok(Self {
                connection,
                file,
                path: path.into(),
            }),
            Err(error) => {
                remove_with_companions(path);
                Err(error)
            }
        }
    }

    /// Keeps the file, so that it survives a power failure.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the disk can't say that it has the file. The
    /// file is removed then.
    pub fn keep(self) -> Result<(), StoreError> {
        self.keep_for(BACK_UP)
    }

    fn keep_for(self, action: &'static str) -> Result<(), StoreError> {
        let Self {
            connection,
            file,
            path,
        } = self;
        drop(connection);
        let kept = file.sync_all().and_then(|()| sync_directory_of(&path));
        kept.map_err(|error: io::Error| {
            remove_with_companions(&path);
            of_io(error, action, &path)
        })
    }

    /// Removes the file.
    pub fn discard(self) {
        drop(self.connection);
        remove_with_companions(&self.path);
    }
}

impl SqliteStore {
    /// Copies the store as it is now into a new file, readable by its owner
    /// alone. Others may read and write meanwhile.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when something stands at `destination`, and
    /// other kinds when one of the files can't be read or written. The copy is
    /// removed then.
    pub fn backup(
        &self,
        destination: impl AsRef<Path>,
        progress: impl FnMut(BackupProgress),
    ) -> Result<(), StoreError> {
        let mut target = BackupTarget::create(destination)?;
        match self.back_up_into(&mut target, progress) {
            Ok(()) => target.keep(),
            Err(error) => {
                target.discard();
                Err(error)
            }
        }
    }

    /// Copies the store as it is now into `target`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when one of the files can't be read or written.
    pub fn back_up_into(
        &self,
        target: &mut BackupTarget,
        mut progress: impl FnMut(BackupProgress),
    ) -> Result<(), StoreError> {
        let source = self.connect_again()?;
        copy_pages(&source.connection, &mut target.connection, &mut progress)
            .map_err(|fault| fault.while_trying(BACK_UP, &target.path))
    }
}

/// Copies what `source` sees now into a new file at `destination`.
pub(crate) fn copy(
    source: &Connection,
    destination: &Path,
    action: &'static str,
) -> Result<(), StoreError> {
    let mut target = BackupTarget::create_for(destination, action)?;
    match copy_pages(source, &mut target.connection, &mut |_| {}) {
        Ok(()) => target.keep_for(action),
        Err(fault) => {
            target.discard();
            Err(fault.while_trying(action, destination))
        }
    }
}

/// Opens the new, empty file, and everything beside it that SQLite would look
/// for later: it has no journal, and its lock is held from here on.
fn open_for_filling(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF;
         PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA synchronous = OFF;
         BEGIN EXCLUSIVE; COMMIT;",
    )?;
    Ok(connection)
}

/// Copies what `source` sees now.
pub(crate) fn copy_pages(
    source: &Connection,
    target: &mut Connection,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<(), Fault> {
    let _patience = BusyTimeout::of(ADMIN_WAIT);
    // One read transaction over the whole copy: without it, every commit of
    // somebody else would make SQLite start over.
    let scope = TransactionGuard::begin(source, Intent::Read)?;
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    {
        let backup = Backup::new(source, target)?;
        loop {
            let step = backup.step(PAGES)?;
            let pages = backup.progress();
            let total = u64::try_from(pages.pagecount).unwrap_or(0);
            let left = u64::try_from(pages.remaining).unwrap_or(0);
            progress(BackupProgress {
                done: total.saturating_sub(left),
                total,
            });
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                StepResult::Busy | StepResult::Locked | _ => {
                    return Err(rusqlite::Error::SqliteFailure(
                        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                        None,
                    )
                    .into());
                }
            }
        }
    }
    Ok(scope.commit()?)
}

const BACK_UP: &str = "back the store up";
/// Pages a step: 4 MiB, so that a progress bar moves.
const PAGES: i32 = 1_024;
