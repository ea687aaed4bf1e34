//! Making and opening a store.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::store::{Intent, Settings, StoreError, StoreErrorKind};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::backup::copy_pages;
use crate::busy_timeout::{ADMIN_WAIT, BATCH_WAIT, BusyTimeout, GATE_WAIT, yield_write_lock};
use crate::connect::{
    absolute, check_files, check_no_left_overs, connect, connect_to_newest, unusable, use_log,
};
use crate::error::{Fault, lost, moved, of_io};
use crate::file::{beside, create_private, open_file, remove_with_companions, sync_directory_of};
use crate::file_watch::{FileProblem, Files, Seat, Watch};
use crate::key_file::KeyFile;
use crate::schema::{self, FileHeader, MIGRATIONS};
use crate::transaction::TransactionGuard;
use crate::upgrade::{Upgrade, upgrade};
use crate::wal_index::WalHeader;
use crate::{broker_lock, write_rows};

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
    /// When this connection last gave the write lock back off the host's
    /// thread.
    pub(crate) wrote_at: Option<Instant>,
    /// Whether commits of this connection write the log back now and then.
    checkpoints: bool,
    /// The key file beside the store.
    pub(crate) key_file: KeyFile,
    /// The store's state when this connection last began the log anew.
    pub(crate) log_begun: Option<WalHeader>,
    /// The state that was looked at last, and how many were seen.
    pub(crate) seen: Option<WalHeader>,
    pub(crate) commits: u64,
    /// What opening it did to a store of an older schema.
    upgraded: Option<Upgrade>,
    /// Why this is a copy of a store of an older schema, if it is one.
    held_back: Option<StoreError>,
}

impl SqliteStore {
    /// Makes a store where there is nothing yet, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when something stands at `path` or beside it
    /// where SQLite keeps its log, and other kinds when the file can't be
    /// made. Nothing is left behind then.
    pub fn create(path: impl AsRef<Path>, settings: &Settings) -> Result<Self, StoreError> {
        let action = "create the store";
        let path = path.as_ref();
        check_no_left_overs(path, action)?;
        create_private(path).map_err(|error| of_io(error, action, path))?;
        let made = Self::fill(path, settings).and_then(|store| {
            sync_directory_of(path).map_err(|error| of_io(error, action, path))?;
            Ok(store)
        });
        if made.is_err() {
            remove_with_companions(path);
        }
        made
    }

    /// Opens a store; one with an older schema is brought up to date, after a
    /// copy of it was put beside it as `<path>.v<N>.bak`
    /// ([`SqliteStore::upgraded`] names it).
    ///
    /// # Errors
    ///
    /// Returns kind `Missing` when there is none, `Newer` when a newer version
    /// of this program made it, `Older` when its schema is older and a live
    /// broker uses it, `Damaged` when it is no database, and other kinds when it
    /// can't be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), MIGRATIONS, WhileHeldBack::Fail)
    }

    /// Opens a store to read it. One with an older schema that a live broker uses
    /// is left as it is, and what is read is a copy of it as it is now, which goes
    /// with this connection; [`SqliteStore::held_back`] says so.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`], but for kind `Older`, which is left for whatever
    /// would write.
    pub fn open_to_read(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), MIGRATIONS, WhileHeldBack::ReadCopy)
    }

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
        looking().map_err(|fault: Fault| fault.while_trying(action, &self.path))
    }

    /// Runs `look`, which is one statement, for the gate.
    pub(crate) fn look_once<T>(
        &self,
        action: &'static str,
        look: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _patience = BusyTimeout::of(GATE_WAIT);
        look(&self.connection).map_err(|fault| fault.while_trying(action, &self.path))
    }

    /// Runs `act` as one transaction, off the host's thread. It survives a
    /// kill; [`SqliteStore::sync`] makes it survive a power failure.
    pub(crate) fn act<T>(
        &mut self,
        action: &'static str,
        wait: Duration,
        act: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        yield_write_lock(self.wrote_at);
        self.check_is_no_copy()?;
        self.check(action)?;
        let _patience = BusyTimeout::of(wait);
        let acting = || {
            let scope = TransactionGuard::begin(&self.connection, Intent::Write)?;
            let done = act(&self.connection)?;
            scope.commit()?;
            Ok(done)
        };
        let done = acting().map_err(|fault: Fault| fault.while_trying(action, &self.path));
        self.wrote_at = Some(Instant::now());
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

    /// Says whether commits of this connection write the log back once it has
    /// grown: those of administrators do, those on the host's thread must not.
    pub(crate) fn checkpoint_on_commit(&mut self, checkpoints: bool) -> rusqlite::Result<()> {
        if self.checkpoints != checkpoints {
            let pages = if checkpoints { CHECKPOINT_PAGES } else { 0 };
            self.connection
                .pragma_update(None, "wal_autocheckpoint", pages)?;
            self.checkpoints = checkpoints;
        }
        Ok(())
    }

    /// A store by a connection that has read something.
    fn of(
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
            wrote_at: None,
            checkpoints: false,
            key_file: KeyFile::default(),
            log_begun: None,
            seen: None,
            commits: 0,
            upgraded: None,
            held_back: None,
        })
    }

    /// Puts the schema and the settings into a new, empty file.
    fn fill(path: &Path, settings: &Settings) -> Result<Self, StoreError> {
        let action = "create the store";
        let path = absolute(path, action)?;
        let _patience = BusyTimeout::of(ADMIN_WAIT);
        let seat = take_seat(&Files::at(&path), &path, action)?;
        let filling = || {
            let connection = connect(&path, OpenFlags::SQLITE_OPEN_NOFOLLOW)?;
            use_log(&connection)?;
            let scope = TransactionGuard::begin(&connection, Intent::Write)?;
            schema::migrate(&connection, 0, MIGRATIONS)?;
            write_rows::put_settings(&connection, settings)?;
            scope.commit()?;
            Ok(connection)
        };
        let connection = filling().map_err(|fault: Fault| fault.while_trying(action, &path))?;
        let store = Self::of(connection, &path.into(), seat, action)?;
        store.sync(action)?;
        Ok(store)
    }

    fn open_with(
        path: &Path,
        migrations: &[&str],
        while_held_back: WhileHeldBack,
    ) -> Result<Self, StoreError> {
        let action = "open the store";
        let unusable = |why: &str| unusable(path, why, action);
        check_files(path, action)?;
        let path = absolute(path, action)?;
        let _patience = BusyTimeout::of(ADMIN_WAIT);
        let explain = |fault: Fault| fault.while_trying(action, &path);
        broker_lock::wait_for_log(&path, action)?;
        let seat = take_seat(&Files::at(&path), &path, action)?;
        let mut connection = connect(&path, OpenFlags::empty()).map_err(explain)?;
        let newest = schema::newest(migrations);
        let (mut upgraded, mut held_back) = (None, None);
        match schema::header(&connection).map_err(explain)? {
            FileHeader::Empty => {
                return Err(unusable(
                    "is empty; remove it, then `countersign init` makes a store",
                ));
            }
            FileHeader::Foreign => return Err(unusable("is a database of another program")),
            FileHeader::Ours(version) if version > newest => {
                return Err(
                    StoreError::new(action, StoreErrorKind::Newer).with_detail(format!(
                        "`{}` has schema {version} and this program knows {newest}; \
                     install the version that made it",
                        path.display()
                    )),
                );
            }
            FileHeader::Ours(version) => {
                schema::check(&connection, version, migrations).map_err(explain)?;
                if !connection
                    .is_readonly(MAIN_DB)
                    .map_err(|error| explain(error.into()))?
                {
                    use_log(&connection).map_err(explain)?;
                }
                if version < newest {
                    match upgrade(&connection, &path, migrations) {
                        Ok(done) => upgraded = done,
                        Err(error)
                            if while_held_back == WhileHeldBack::ReadCopy
                                && error.kind() == StoreErrorKind::Older =>
                        {
                            connection = up_to_date_copy(&connection, version, migrations)
                                .map_err(explain)?;
                            held_back = Some(error);
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        let mut store = Self::of(connection, &path.into(), seat, action)?;
        store.upgraded = upgraded;
        store.held_back = held_back;
        Ok(store)
    }
}

fn take_seat(files: &Arc<Files>, path: &Path, action: &'static str) -> Result<Seat, StoreError> {
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

/// What becomes of a store that can't be brought up to date for now.
#[derive(Clone, Copy, Eq, PartialEq)]
enum WhileHeldBack {
    /// It is not opened.
    Fail,
    /// A copy of it is brought up to date and read.
    ReadCopy,
}

/// What `source` holds, with the newest schema, in a database without a name that
/// nothing but this connection sees, and that is gone with it.
fn up_to_date_copy(
    source: &Connection,
    version: u32,
    migrations: &[&str],
) -> Result<Connection, Fault> {
    let mut copy = connect(Path::new(""), OpenFlags::SQLITE_OPEN_CREATE)?;
    copy_pages(source, &mut copy, &mut |_| {})?;
    schema::migrate(&copy, version, migrations)?;
    copy.execute_batch("PRAGMA query_only = ON")?;
    Ok(copy)
}

/// So often a store is looked for that is not there.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// As long as a change takes to be noticed by those who follow the store.
const A_MOMENT: Duration = Duration::from_millis(10);

/// How large the log may stay once it was written back. Maintenance alone sees to
/// that: who writes while others wait must not give back the space of a file.
pub(crate) const LOG_BYTES: u64 = 8 * 1024 * 1024;

const CHECKPOINT_PAGES: u32 = 1_000;

#[cfg(test)]
mod tests {
    use countersign_core::change::Change;
    use countersign_core::store::{AdminStore as _, AdminTransaction as _, GateStore as _};
    use tempfile::TempDir;

    use super::*;

    fn fresh() -> (SqliteStore, TempDir) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        (
            SqliteStore::create(path, &Settings::default()).unwrap(),
            directory,
        )
    }

    #[test]
    fn an_older_schema_is_copied_and_then_brought_up_to_date() {
        let (store, directory) = fresh();
        let path = store.path.to_path_buf();
        drop(store);
        let newest = schema::newest(MIGRATIONS);
        let name = format!("x.db.v{newest}.bak");
        std::fs::write(directory.path().join(&name), "of another day").unwrap();
        let newer = [MIGRATIONS, &["CREATE TABLE more (c TEXT) STRICT;"]].concat();
        let store = SqliteStore::open_with(&path, &newer, WhileHeldBack::Fail).unwrap();
        assert_eq!(store.schema_version().unwrap(), newest + 1);
        store
            .connection
            .execute_batch("INSERT INTO more VALUES ('x')")
            .unwrap();
        let copy = SqliteStore::open(directory.path().join(format!("{name}.1"))).unwrap();
        assert_eq!(copy.schema_version().unwrap(), newest);
        assert!(copy.quick_check().unwrap().is_empty());
        let error = SqliteStore::open(&path).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Newer);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_store_as_it_was() {
        let (store, _directory) = fresh();
        let path = store.path.to_path_buf();
        drop(store);
        let broken = [
            MIGRATIONS,
            &["CREATE TABLE more (c TEXT) STRICT; CREATE TABLE more (c);"],
        ];
        assert!(SqliteStore::open_with(&path, &broken.concat(), WhileHeldBack::Fail).is_err());
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.schema_version().unwrap(), schema::newest(MIGRATIONS));
        assert!(store.connection.prepare("SELECT * FROM more").is_err());
    }

    #[test]
    fn every_connection_keeps_references_and_leaves_the_log_to_maintenance() {
        let (mut store, _directory) = fresh();
        let number = |store: &SqliteStore, pragma: &str| -> i64 {
            store
                .connection
                .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
                .unwrap()
        };
        for store in [&store, &store.reopen().unwrap()] {
            assert_eq!(number(store, "foreign_keys"), 1);
            assert_eq!(number(store, "synchronous"), 1);
            assert_eq!(number(store, "wal_autocheckpoint"), 0);
        }
        store
            .begin(Intent::Write)
            .unwrap()
            .commit(&[], &[])
            .unwrap();
        assert_eq!(
            number(&store, "wal_autocheckpoint"),
            i64::from(CHECKPOINT_PAGES)
        );
        store.checkpoint_on_commit(false).unwrap();
        assert_eq!(number(&store, "wal_autocheckpoint"), 0);
    }

    #[test]
    fn a_full_disk_says_so_and_keeps_what_was_there() {
        let (mut store, _directory) = fresh();
        let pages: i64 = store
            .connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        store
            .connection
            .pragma_update_and_check(None, "max_page_count", pages + 2, |_| Ok(()))
            .unwrap();
        let changes = vec![Change::Everything; 10_000];
        let error = store
            .begin(Intent::Write)
            .unwrap()
            .commit(&[], &changes)
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(store.last_change().unwrap().0, 0);
        assert!(store.quick_check().unwrap().is_empty());
        store
            .begin(Intent::Write)
            .unwrap()
            .commit(&[], &changes[..1])
            .unwrap();
        assert_eq!(store.last_change().unwrap().0, 1);
    }

    #[test]
    fn a_log_that_has_grown_is_shortened_once_nobody_needs_it() {
        let (mut store, _directory) = fresh();
        let mut reader = store.reopen().unwrap();
        let log = beside(&store.path, "-wal");
        let looking = reader.begin(Intent::Read).unwrap();
        let changes = vec![Change::Everything; 200_000];
        store
            .act("fill", ADMIN_WAIT, |connection| {
                for change in &changes {
                    let at = countersign_core::time::Timestamp::from_millis(0);
                    crate::changes::append(connection, at, change)?;
                }
                connection.execute_batch("UPDATE change SET kind = 'everything', number = 1")?;
                connection.execute_batch("UPDATE change SET kind = 'everything', number = seq")?;
                Ok(())
            })
            .unwrap();
        drop(looking);
        let now = countersign_core::time::Timestamp::from_millis(0);
        store.maintain("b1", now).unwrap();
        assert!(log.metadata().unwrap().len() <= LOG_BYTES);
    }

    /// Whoever may write the file, as a broker that was taken over, waits for
    /// root to open it.
    #[test]
    fn a_file_with_anything_in_it_that_was_not_made_here_is_damage() {
        for (planted, named) in [
            (
                "CREATE TRIGGER t AFTER INSERT ON tenant BEGIN DELETE FROM credential; END",
                "trigger `t`",
            ),
            ("CREATE VIEW v AS SELECT 1", "view `v`"),
            ("CREATE TABLE other (c TEXT)", "table `other`"),
            ("CREATE INDEX i ON tenant (upper(id))", "index `i`"),
            (
                "CREATE TABLE sqlitex (c); PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET name = 'sqlite_stat1', type = 'view',
                     sql = 'CREATE VIEW sqlite_stat1 AS SELECT 1' WHERE name = 'sqlitex'",
                "its pages make no sense",
            ),
            (
                "DROP INDEX token_of_issuer",
                "index `token_of_issuer`, which is missing",
            ),
            (
                "PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET sql = replace(sql, 'BEGIN', 'BEGIN DELETE FROM secret;')
                     WHERE type = 'trigger'",
                "trigger `",
            ),
            (
                "ALTER TABLE tenant ADD COLUMN c TEXT DEFAULT 'x'",
                "table `tenant`",
            ),
        ] {
            let (store, _directory) = fresh();
            let path = store.path.to_path_buf();
            drop(store);
            let intruder = Connection::open(&path).unwrap();
            intruder.execute_batch(planted).unwrap();
            drop(intruder);
            let error = SqliteStore::open(&path).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Damaged, "{planted}: {error}");
            assert!(error.to_string().contains(named), "{planted}: {error}");
        }
    }

    #[test]
    fn every_connection_can_do_no_more_than_a_store_needs() {
        let (store, directory) = fresh();
        for store in [
            &store,
            &store.reopen().unwrap(),
            &store.connect_again().unwrap(),
        ] {
            let attach = format!("ATTACH '{}' AS x", directory.path().join("y.db").display());
            for refused in [
                attach.as_str(),
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ''",
                "SELECT load_extension('x')",
                "CREATE TABLE \"x\" (c CHECK (c <> \"text\"))",
            ] {
                assert!(
                    store.connection.execute_batch(refused).is_err(),
                    "{refused}"
                );
            }
        }
        assert!(!directory.path().join("y.db").exists());
    }
}
