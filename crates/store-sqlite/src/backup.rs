//! Copies of a store, made while it is used.

use std::path::Path;

use countersign_core::store::{Intent, StoreError};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::error::{Fault, of_io};
use crate::file::{create_private, remove_with_companions, sync_directory_of};
use crate::open::SqliteStore;
use crate::patience::{ADMIN_WAIT, Patience};
use crate::transaction::Scope;

/// How far a backup has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackupProgress {
    /// The pages that are copied.
    pub done: u64,
    /// The pages there are.
    pub total: u64,
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
        mut progress: impl FnMut(BackupProgress),
    ) -> Result<(), StoreError> {
        let source = self.connect_again()?;
        copy(
            &source.connection,
            destination.as_ref(),
            "back the store up",
            &mut progress,
        )
    }
}

/// Copies what `source` sees now into a new file at `destination`.
pub(crate) fn copy(
    source: &Connection,
    destination: &Path,
    action: &'static str,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<(), StoreError> {
    let file = create_private(destination).map_err(|error| of_io(error, action, destination))?;
    let copied = copy_pages(source, destination, progress)
        .map_err(|fault| fault.while_trying(action, destination))
        .and_then(|()| {
            file.sync_all()
                .and_then(|()| sync_directory_of(destination))
                .map_err(|error| of_io(error, action, destination))
        });
    if copied.is_err() {
        remove_with_companions(destination);
    }
    copied
}

fn copy_pages(
    source: &Connection,
    destination: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<(), Fault> {
    let _patience = Patience::of(ADMIN_WAIT);
    // One read transaction over the whole copy: without it, every commit of
    // somebody else would make SQLite start over.
    let scope = Scope::begin(source, Intent::Read)?;
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(destination, flags)?;
    {
        let backup = Backup::new(source, &mut target)?;
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
    target.close().map_err(|(_, error)| error)?;
    Ok(scope.commit()?)
}

/// Pages a step: 4 MiB, so that a progress bar moves.
const PAGES: i32 = 1_024;
