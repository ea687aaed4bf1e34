//! Making and opening a store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::store::{Intent, Settings, StoreError, StoreErrorKind, StoreState};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::error::{Fault, damaged, lost, make_one, moved, of_io};
use crate::file::{
    COMPANIONS, beside, create_private, directory_of, open_file, remove_with_companions,
    sync_directory_of,
};
use crate::patience::{ADMIN_WAIT, BATCH_WAIT, GATE_WAIT, Patience, leave_a_turn, wait_a_little};
use crate::schema::{self, Header, MIGRATIONS};
use crate::transaction::Scope;
use crate::upgrade::{Upgrade, upgrade};
use crate::vault::KeyFile;
use crate::watch::{Files, Trouble, Watch};
use crate::writing;

/// One connection to a store in a SQLite file. Serves one thread at a time.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) connection: Connection,
    pub(crate) path: Arc<Path>,
    /// Whether the files are still those that it has open.
    pub(crate) watch: Watch,
    /// When they were last found to be.
    looked_at: Option<Instant>,
    /// Whether the files are others than before, and nobody was told.
    pub(crate) is_anew: bool,
    /// When this connection last gave the write lock back off the host's
    /// thread.
    pub(crate) wrote_at: Option<Instant>,
    /// Whether commits of this connection write the log back now and then.
    checkpoints: bool,
    /// The key file beside the store.
    pub(crate) key_file: KeyFile,
    /// The store's state when this connection last began the log anew.
    pub(crate) log_begun: Option<StoreState>,
    /// What opening it did to a store of an older schema.
    upgraded: Option<Upgrade>,
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
        Self::open_with(path.as_ref(), MIGRATIONS)
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

    /// A second connection to the same file.
    pub(crate) fn connect_again(&self) -> Result<Self, StoreError> {
        let action = "open the store";
        let _patience = Patience::of(BATCH_WAIT);
        let connection = connect_to_newest(&self.path, action)?;
        Self::of(connection, &self.path, self.watch.files(), action)
    }

    /// Runs `look` on one state of the store.
    pub(crate) fn look<T>(
        &self,
        action: &'static str,
        wait: Duration,
        look: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _patience = Patience::of(wait);
        let looking = || {
            let scope = Scope::begin(&self.connection, Intent::Read)?;
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
        let _patience = Patience::of(GATE_WAIT);
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
        leave_a_turn(self.wrote_at);
        self.check(action)?;
        let _patience = Patience::of(wait);
        let acting = || {
            let scope = Scope::begin(&self.connection, Intent::Write)?;
            let done = act(&self.connection)?;
            scope.commit()?;
            Ok(done)
        };
        let done = acting().map_err(|fault: Fault| fault.while_trying(action, &self.path));
        self.wrote_at = Some(Instant::now());
        done
    }

    /// Runs `act` as one transaction on the host's thread. It survives a kill;
    /// [`SqliteStore::sync`] makes it survive a power failure.
    ///
    /// [`SqliteStore::act`] is not for this: it may sleep to be fair to other
    /// writers.
    pub(crate) fn act_now<T>(
        &mut self,
        action: &'static str,
        act: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.check(action)?;
        let _patience = Patience::of(GATE_WAIT);
        let acting = || {
            self.checkpoint_on_commit(false)?;
            let scope = Scope::begin(&self.connection, Intent::Write)?;
            let done = act(&self.connection)?;
            scope.commit()?;
            Ok(done)
        };
        acting().map_err(|fault: Fault| fault.while_trying(action, &self.path))
    }

    /// Fails unless the files are those that this connection has open. If they
    /// are others by now, it lets go of the old ones; once all connections of
    /// this process have done so, it opens what stands there.
    ///
    /// SQLite would go on reading the old file: what an administrator does to
    /// the new one would change nothing here, without a word.
    pub(crate) fn check(&mut self, action: &'static str) -> Result<(), StoreError> {
        self.looked_at = None;
        match self.watch.look(&self.connection, &self.path) {
            Ok(()) => {}
            Err(Trouble::Away(what)) => return Err(lost(action, &self.path, what)),
            Err(Trouble::Changed(change)) => {
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
        let may_write_back = self.watch.may_write_back();
        let kept = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !may_write_back);
        if kept.is_ok() {
            drop(core::mem::replace(&mut self.connection, nothing));
            self.watch.let_go();
        }
    }

    /// Opens what stands there by now, if nobody has the files of before open
    /// any more; says whether.
    fn open_anew(&mut self, action: &'static str) -> Result<bool, StoreError> {
        let files = Arc::clone(self.watch.files());
        if self.watch.is_open() || !files.may_be_opened(&self.path, TRY_EVERY) {
            return Ok(false);
        }
        let _patience = Patience::of(GATE_WAIT);
        let connection = connect_to_newest(&self.path, action)?;
        let opened = Self::of(connection, &self.path, &files, action)?;
        *self = Self {
            is_anew: true,
            key_file: core::mem::take(&mut self.key_file),
            ..opened
        };
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
        files: &Arc<Files>,
        action: &'static str,
    ) -> Result<Self, StoreError> {
        let watch = Watch::begin(files, path).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                moved(action, path)
            } else {
                of_io(error, action, path)
            }
        })?;
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
            upgraded: None,
        })
    }

    /// Puts the schema and the settings into a new, empty file.
    fn fill(path: &Path, settings: &Settings) -> Result<Self, StoreError> {
        let action = "create the store";
        let path = absolute(path, action)?;
        let _patience = Patience::of(ADMIN_WAIT);
        let filling = || {
            let connection = connect(&path, OpenFlags::SQLITE_OPEN_NOFOLLOW)?;
            use_log(&connection)?;
            let scope = Scope::begin(&connection, Intent::Write)?;
            schema::migrate(&connection, 0, MIGRATIONS)?;
            writing::put_settings(&connection, settings)?;
            scope.commit()?;
            Ok(connection)
        };
        let connection = filling().map_err(|fault: Fault| fault.while_trying(action, &path))?;
        let store = Self::of(connection, &path.into(), &Arc::default(), action)?;
        store.sync(action)?;
        Ok(store)
    }

    fn open_with(path: &Path, migrations: &[&str]) -> Result<Self, StoreError> {
        let action = "open the store";
        let unusable = |why: &str| unusable(path, why, action);
        check_files(path, action)?;
        let path = absolute(path, action)?;
        let _patience = Patience::of(ADMIN_WAIT);
        let explain = |fault: Fault| fault.while_trying(action, &path);
        let connection = connect(&path, OpenFlags::empty()).map_err(explain)?;
        let newest = schema::newest(migrations);
        let mut upgraded = None;
        match schema::header(&connection).map_err(explain)? {
            Header::Empty => {
                return Err(unusable(
                    "is empty; remove it, then `countersign init` makes a store",
                ));
            }
            Header::Foreign => return Err(unusable("is a database of another program")),
            Header::Ours(version) if version > newest => {
                return Err(
                    StoreError::new(action, StoreErrorKind::Newer).with_detail(format!(
                        "`{}` has schema {version} and this program knows {newest}; \
                     install the version that made it",
                        path.display()
                    )),
                );
            }
            Header::Ours(version) => {
                schema::check(&connection, version, migrations).map_err(explain)?;
                if !connection
                    .is_readonly(MAIN_DB)
                    .map_err(|error| explain(error.into()))?
                {
                    use_log(&connection).map_err(explain)?;
                }
                if version < newest {
                    upgraded = upgrade(&connection, &path, migrations)?;
                }
            }
        }
        let store = Self::of(connection, &path.into(), &Arc::default(), action)?;
        Ok(Self { upgraded, ..store })
    }
}

/// Fails unless there is a store's file, with nothing but files beside it.
fn check_files(path: &Path, action: &'static str) -> Result<(), StoreError> {
    let file = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                StoreError::new(action, StoreErrorKind::Missing).with_detail(make_one(path))
            );
        }
        Err(error) => return Err(of_io(error, action, path)),
        Ok(file) => file,
    };
    if !file.is_file() {
        return Err(unusable(path, "is not a file", action));
    }
    // SQLite would keep its log beside the file that a link leads to, and brokers
    // their locks beside the link.
    if path.is_symlink() {
        let why = "is a symbolic link; name the file that it leads to";
        return Err(unusable(path, why, action));
    }
    // A link leads elsewhere, and a pipe keeps whoever opens it waiting.
    for suffix in COMPANIONS {
        if let Ok(companion) = beside(path, suffix).symlink_metadata()
            && !companion.is_file()
        {
            let why = format!("has a `{suffix}` beside it that is not a file; remove that");
            return Err(unusable(path, &why, action));
        }
    }
    Ok(())
}

fn unusable(path: &Path, why: &str, action: &'static str) -> StoreError {
    StoreError::new(action, StoreErrorKind::Unavailable)
        .with_detail(format!("`{}` {why}", path.display()))
}

/// Opens a store that is there and has the newest schema.
fn connect_to_newest(path: &Path, action: &'static str) -> Result<Connection, StoreError> {
    let explain = |fault: Fault| fault.while_trying(action, path);
    check_files(path, action)?;
    let connection = connect(path, OpenFlags::empty()).map_err(explain)?;
    let newest = schema::newest(MIGRATIONS);
    match schema::header(&connection).map_err(explain)? {
        Header::Ours(version) if version == newest => {
            schema::check(&connection, version, MIGRATIONS).map_err(explain)?;
            if !connection
                .is_readonly(MAIN_DB)
                .map_err(|error| explain(error.into()))?
            {
                use_log(&connection).map_err(explain)?;
            }
            Ok(connection)
        }
        Header::Ours(_) | Header::Empty | Header::Foreign => Err(lost(
            action,
            path,
            "was replaced by something else than a store of this version",
        )),
    }
}

/// Checks that nothing stands where SQLite would keep its log beside a new file.
pub(crate) fn check_no_left_overs(path: &Path, action: &'static str) -> Result<(), StoreError> {
    for companion in COMPANIONS.map(|suffix| beside(path, suffix)) {
        if companion.symlink_metadata().is_ok() {
            return Err(
                StoreError::new(action, StoreErrorKind::Conflict).with_detail(format!(
                    "`{}` is left over from another store; move it away",
                    companion.display()
                )),
            );
        }
    }
    Ok(())
}

/// Opens a file with all that holds for each connection.
pub(crate) fn connect(path: &Path, more: OpenFlags) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_a_little))?;
    harden(&connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(connection)
}

/// Leaves out what a store has no use for. Another user may have written the
/// file, and what SQLite can't do it can't be made to do.
fn harden(connection: &Connection) -> Result<(), Fault> {
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    ] {
        connection.set_db_config(setting, value)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, TRIGGER_DEPTH)?;
    Ok(())
}

/// Sees to it that the file is in WAL mode.
fn use_log(connection: &Connection) -> Result<(), Fault> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        Ok(())
    } else {
        Err(Fault::Content("the journal mode of the file".into()))
    }
}

/// The path as it stays right when the process changes its directory, with
/// the directory's own links resolved and the file's name as it was given.
fn absolute(path: &Path, action: &'static str) -> Result<PathBuf, StoreError> {
    let directory = directory_of(path)
        .canonicalize()
        .map_err(|error| of_io(error, action, path))?;
    match path.file_name() {
        Some(name) => Ok(directory.join(name)),
        None => Err(damaged(action, path, "it names no file")),
    }
}

/// So often a store is looked for that is not there.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// As long as a change takes to be noticed by those who follow the store.
const A_MOMENT: Duration = Duration::from_millis(10);

/// Far above the largest row of an audit.
const LONGEST_VALUE: i32 = 64 * 1024 * 1024;

/// A trigger of ours changes what has no trigger; foreign keys count, too.
const TRIGGER_DEPTH: i32 = 16;

/// Above what all of the statements in this crate need.
const STATEMENTS: usize = 128;

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
        let store = SqliteStore::open_with(&path, &newer).unwrap();
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
        assert!(SqliteStore::open_with(&path, &broken.concat()).is_err());
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
