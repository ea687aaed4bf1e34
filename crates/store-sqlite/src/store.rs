//! One connection to a store, and whether its files are still those that it has
//! open.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::scheme::Schemes;
use countersign_core::store::{Intent, StoreError};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::busy_timeout::{BATCH_WAIT, BusyTimeout, GATE_WAIT, WriteTurns};
use crate::connect::connect_to_newest;
use crate::error::{Fault, lost, moved, of_io};
use crate::file::{beside, open_file};
use crate::file_watch::{FileProblem, Files, Seat, Watch};
use crate::key_file::KeyFile;
use crate::transaction_guard::TransactionGuard;
use crate::upgraded::Upgrade;
use crate::wal_index::WalHeader;

/// One connection to a store in a SQLite file. Serves one thread at a time.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) connection: Connection,
    pub(crate) path: Arc<Path>,
    /// Whether the files are still those that it has open.
    pub(crate) watch: Watch,
    /// When they were last found to be.
    looked_at: Option<Instant>,
    /// Whether the files are others than before, and the follower was not told
    /// yet.
    pub(crate) is_anew: bool,
    /// How long this connection has the write lock off the host's thread.
    pub(crate) turns: WriteTurns,
    /// How many pages the log may have before commits of this connection write it back;
    /// none where they never do.
    pub(crate) checkpoint_pages: u32,
    /// The key file beside the store.
    pub(crate) key_file: KeyFile,
    /// The store's state when this connection last began the log anew.
    pub(crate) log_begun: Option<WalHeader>,
    /// The state that was looked at last, and how many were seen.
    pub(crate) seen: Option<WalHeader>,
    pub(crate) commits: u64,
    /// What opening it did to a store of an older schema.
    pub(crate) upgraded: Option<Upgrade>,
    /// The schemes that every store knows, read once.
    pub(crate) built_in: Schemes,
    /// Why this is a copy of a store of an older schema, if it is one.
    pub(crate) held_back: Option<StoreError>,
}

impl SqliteStore {
    /// Where the store lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What opening it did to a store of an older schema, if it was one.
    #[must_use]
    pub fn upgraded(&self) -> Option<&Upgrade> {
        self.upgraded.as_ref()
    }

    /// Why this is a copy of a store that could not be brought up to date, if it
    /// is one.
    #[must_use]
    pub fn held_back(&self) -> Option<&StoreError> {
        self.held_back.as_ref()
    }

    /// Fails if this is a copy, in which nothing that is written would stay.
    pub(crate) fn check_is_no_copy(&self) -> Result<(), StoreError> {
        match &self.held_back {
            None => Ok(()),
            Some(why) => Err(why.of_the_same()),
        }
    }

    /// A second connection to the same file.
    pub(crate) fn connect_again(&self) -> Result<Self, StoreError> {
        let action = "open the store";
        self.check_is_no_copy()?;
        let _patience = BusyTimeout::of(BATCH_WAIT);
        let seat = take_seat(self.watch.files(), &self.path, action)?;
        let connection = connect_to_newest(&self.path, action)?;
        Self::of(connection, &self.path, seat, action)
    }

    /// Runs `look` on one state of the store.
    pub(crate) fn look<T>(
        &self,
        action: &'static str,
        wait: Duration,
        look: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _patience = BusyTimeout::of(wait);
        let looking = || {
            let scope = TransactionGuard::begin(&self.connection, Intent::Read)?;
            let seen = look(&self.connection)?;
            scope.commit()?;
            Ok(seen)
        };
        self.believe(action, looking())
    }

    /// Runs `look`, which is one statement, for the gate.
    pub(crate) fn look_once<T>(
        &self,
        action: &'static str,
        look: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _patience = BusyTimeout::of(GATE_WAIT);
        self.believe(action, look(&self.connection))
    }

    /// What was read or done, unless a part of the files was lost meanwhile.
    pub(crate) fn believe<T>(
        &self,
        action: &'static str,
        done: Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let believed = if self.held_back.is_some() {
            done
        } else {
            self.watch.believe(done, &self.connection, &self.path)
        };
        believed.map_err(|fault| fault.while_trying(action, &self.path))
    }

    /// Runs `act` as one transaction, off the host's thread. It survives a
    /// kill; [`SqliteStore::sync`] makes it survive a power failure.
    pub(crate) fn act<T>(
        &mut self,
        action: &'static str,
        wait: Duration,
        act: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.turns.wait(Duration::ZERO);
        self.check_is_no_copy()?;
        self.check(action)?;
        let _patience = BusyTimeout::of(wait);
        let mut taken = None;
        let acting = || {
            let scope = TransactionGuard::begin(&self.connection, Intent::Write)?;
            taken = Some(Instant::now());
            let done = act(&self.connection)?;
            self.watch.check_index()?;
            scope.commit()?;
            Ok(done)
        };
        let done = self.believe(action, acting());
        if let Some(taken) = taken {
            self.turns.give_back(taken);
        }
        done
    }

    /// Fails unless the files are those that this connection has open. If they
    /// are others by now, it lets go of the old ones; once all connections of
    /// this process have done so, it opens what stands there.
    ///
    /// SQLite would go on reading the old file: what an administrator does to
    /// the new one would change nothing here, without a word.
    pub(crate) fn check(&mut self, action: &'static str) -> Result<(), StoreError> {
        if self.held_back.is_some() {
            return Ok(());
        }
        self.looked_at = None;
        match self.watch.look(&self.connection, &self.path) {
            Ok(()) => {}
            Err(FileProblem::Away(what)) => return Err(lost(action, &self.path, what)),
            Err(FileProblem::Changed(change)) => {
                self.let_go();
                if !self.open_anew(action)? {
                    return Err(lost(action, &self.path, change.what));
                }
            }
        }
        self.looked_at = Some(Instant::now());
        Ok(())
    }

    /// The same, of what was true a moment ago; for what is asked very often.
    pub(crate) fn check_at_times(&mut self, action: &'static str) -> Result<(), StoreError> {
        let was_just_looked_at = self.looked_at.is_some_and(|at| at.elapsed() < A_MOMENT);
        if was_just_looked_at && self.watch.has_index() {
            return Ok(());
        }
        self.check(action)
    }

    /// Closes the connection, without it writing back a log that may not be this
    /// file's, or reading an index that may have been cut short.
    fn let_go(&mut self) {
        if !self.watch.is_open() {
            return;
        }
        let Ok(nothing) = Connection::open_in_memory() else {
            return;
        };
        let close = |connection: &mut Connection, may_write_back: bool| {
            let is_set = writes_back_when_closed(connection, may_write_back);
            if is_set {
                drop(core::mem::replace(connection, nothing));
            }
            is_set
        };
        self.watch.let_go(&mut self.connection, &self.path, close);
    }

    /// Opens what stands there by now, if nobody has the files of before open
    /// any more; says whether.
    fn open_anew(&mut self, action: &'static str) -> Result<bool, StoreError> {
        let files = Arc::clone(self.watch.files());
        if self.watch.is_open() || !files.may_be_opened(&self.path, TRY_EVERY) {
            return Ok(false);
        }
        let _patience = BusyTimeout::of(GATE_WAIT);
        let seat = take_seat(&files, &self.path, action)?;
        let connection = connect_to_newest(&self.path, action)?;
        let mut opened = Self::of(connection, &self.path, seat, action)?;
        opened.is_anew = true;
        opened.key_file = core::mem::take(&mut self.key_file);
        *self = opened;
        Ok(true)
    }

    /// Makes what was committed so far survive a power failure.
    ///
    /// This is `synchronous=FULL` without its drawback: there, the write lock
    /// is held while the disk syncs, and on a slow disk every login that has
    /// something to record would be refused meanwhile. No lock of SQLite lies
    /// on the log's own file, so that a second handle on it does no harm.
    pub(crate) fn sync(&self, action: &'static str) -> Result<(), StoreError> {
        let log = beside(&self.path, "-wal");
        open_file(&log)
            .and_then(|file| file.sync_data())
            .map_err(|error| of_io(error, action, &log))
    }

    /// Says how far the log grows before a commit of this connection writes it back:
    /// one of an administrator does then, one on the host's thread never.
    pub(crate) fn checkpoint_on_commit(&mut self, pages: u32) -> rusqlite::Result<()> {
        if self.checkpoint_pages != pages {
            self.connection
                .pragma_update(None, "wal_autocheckpoint", pages)?;
            self.checkpoint_pages = pages;
        }
        Ok(())
    }

    /// A store by a connection that has read something.
    pub(crate) fn of(
        connection: Connection,
        path: &Arc<Path>,
        seat: Seat,
        action: &'static str,
    ) -> Result<Self, StoreError> {
        let watch = match Watch::begin(seat, &connection, path) {
            Ok(watch) => watch,
            Err((error, seat)) => {
                // Its log may belong to other files than the names lead to.
                let _set = writes_back_when_closed(&connection, false);
                drop(connection);
                drop(seat);
                return Err(of_files(error, action, path));
            }
        };
        Ok(Self {
            connection,
            path: Arc::clone(path),
            watch,
            looked_at: None,
            is_anew: false,
            turns: WriteTurns::default(),
            checkpoint_pages: 0,
            key_file: KeyFile::default(),
            log_begun: None,
            seen: None,
            commits: 0,
            built_in: Schemes::built_in(),
            held_back: None,
            upgraded: None,
        })
    }
}

/// Takes a place for a connection that is about to be opened.
pub(crate) fn take_seat(
    files: &Arc<Files>,
    path: &Path,
    action: &'static str,
) -> Result<Seat, StoreError> {
    files
        .take_seat(path)
        .map_err(|error| of_files(error, action, path))
}

fn of_files(error: io::Error, action: &'static str, path: &Path) -> StoreError {
    if error.kind() == io::ErrorKind::Interrupted {
        moved(action, path)
    } else {
        of_io(error, action, path)
    }
}

/// A store that nobody looked at since its files changed may not write its log
/// back as SQLite does by itself, nor remove one by its name.
impl Drop for SqliteStore {
    fn drop(&mut self) {
        if self.held_back.is_some() || !self.watch.is_open() {
            return;
        }
        let looked = self.watch.look(&self.connection, &self.path);
        if matches!(looked, Err(FileProblem::Changed(_))) {
            self.let_go();
            let _set = writes_back_when_closed(&self.connection, false);
        }
    }
}

/// Tells SQLite whether a connection that closes as the last one writes the log
/// back; says whether it took that.
fn writes_back_when_closed(connection: &Connection, writes_back: bool) -> bool {
    let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection
        .set_db_config(no_checkpoint, !writes_back)
        .is_ok()
}

/// So often a store is looked for that is not there.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// As long as a change takes to be noticed by those who follow the store.
const A_MOMENT: Duration = Duration::from_millis(10);

/// How large the log may stay once it was written back. Maintenance alone sees to
/// that: who writes while others wait must not give back the space of a file.
pub(crate) const LOG_BYTES: u64 = 8 * 1024 * 1024;

/// So many pages of the log are written back by commits of administrators.
pub(crate) const CHECKPOINT_PAGES: u32 = 1_000;

/// So many where an act is one of many: what they change again and again is written
/// back once, and the disk is waited for less often.
pub(crate) const CHECKPOINT_PAGES_OF_MANY: u32 = 16_000;
