//! How a connection lets go of a store's files that are others by now.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::files::{FilesState, OpenFiles, written};
use super::{Watch, look_up};
use crate::file::FileId;
use crate::wal_index;

impl Watch {
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

/// So long one waits for a connection that is being opened.
const OPENING: Duration = Duration::from_millis(250);
