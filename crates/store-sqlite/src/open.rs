//! Making and opening a store.

use std::path::Path;

use countersign_core::store::{Intent, Settings, StoreError, StoreErrorKind};
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::backup::copy_pages;
use crate::busy_timeout::{ADMIN_WAIT, BusyTimeout};
use crate::connect::{absolute, check_files, check_no_left_overs, connect, unusable, use_log};
use crate::error::{Fault, of_io};
use crate::file::{create_private, remove_with_companions, sync_directory_of};
use crate::file_watch::Files;
use crate::schema::{self, FileHeader, MIGRATIONS};
use crate::store::{SqliteStore, take_seat};
use crate::transaction_guard::TransactionGuard;
use crate::upgrade::upgrade;
use crate::{broker_lock, settings};

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
        Self::open_with(path.as_ref(), MIGRATIONS, WhenOlder::Upgrade)
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
        Self::open_with(path.as_ref(), MIGRATIONS, WhenOlder::UpgradeOrReadCopy)
    }

    /// Opens a store to read it, as it is: one with an older schema is not opened.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`], and kind `Older` for any older schema.
    pub fn open_as_it_is(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), MIGRATIONS, WhenOlder::Refuse)
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
            settings::put(&connection, settings)?;
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
        when_older: WhenOlder,
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
                if version < newest && when_older == WhenOlder::Refuse {
                    return Err(StoreError::new(action, StoreErrorKind::Older));
                }
                if version < newest {
                    match upgrade(&connection, &path, migrations) {
                        Ok(done) => upgraded = done,
                        Err(error)
                            if when_older == WhenOlder::UpgradeOrReadCopy
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

/// What becomes of a store with an older schema.
#[derive(Clone, Copy, Eq, PartialEq)]
enum WhenOlder {
    /// It is not opened.
    Refuse,
    /// It is brought up to date; while a broker holds that back, it is not opened.
    Upgrade,
    /// It is brought up to date; while a broker holds that back, a copy of it is
    /// brought up to date and read.
    UpgradeOrReadCopy,
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

#[cfg(test)]
mod tests {
    use countersign_core::change::Change;
    use countersign_core::ledger::Durability;
    use countersign_core::store::{AdminStore as _, AdminTransaction as _, GateStore as _};
    use tempfile::TempDir;

    use super::*;
    use crate::file::beside;
    use crate::store::{CHECKPOINT_PAGES, CHECKPOINT_PAGES_OF_MANY, LOG_BYTES};

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
        let store = SqliteStore::open_with(&path, &newer, WhenOlder::Upgrade).unwrap();
        assert_eq!(store.schema_version().unwrap(), newest + 1);
        store
            .connection
            .execute_batch("INSERT INTO more VALUES ('x')")
            .unwrap();
        let copy = directory.path().join(format!("{name}.1"));
        let refused = SqliteStore::open_with(&copy, &newer, WhenOlder::Refuse).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Older);
        let copy = SqliteStore::open_as_it_is(copy).unwrap();
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
        assert!(SqliteStore::open_with(&path, &broken.concat(), WhenOlder::Upgrade).is_err());
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
        let one_of_many = store.begin(Intent::Write).unwrap();
        one_of_many
            .commit_act(&[], &[Change::Everything], Durability::Kill)
            .unwrap();
        assert_eq!(
            number(&store, "wal_autocheckpoint"),
            i64::from(CHECKPOINT_PAGES_OF_MANY)
        );
        store.sync_commits().unwrap();
        assert_eq!(
            number(&store, "wal_autocheckpoint"),
            i64::from(CHECKPOINT_PAGES)
        );
        store.checkpoint_on_commit(0).unwrap();
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
        store.maintain(now).unwrap();
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
