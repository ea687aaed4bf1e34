//! The files of a store: who may read them, and what is refused.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[expect(dead_code, reason = "each test file uses some of it")]
#[cfg(test)]
mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;

use countersign_core::client_id::ClientIdTie;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::store::{
    Directory as _, GateStore, Settings, StoreError, StoreErrorKind, StoredTenants,
};
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicFilter;
use countersign_sqlite::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

use self::common::{activate, create, fresh, make_tenant, mode};

#[test]
fn only_the_owner_may_read_any_file_of_a_store() {
    let (mut store, directory) = fresh();
    make_tenant(&mut store);
    store
        .backup(directory.path().join("copy.db"), |_| {})
        .unwrap();
    let _claim = store.lock_broker("b1").unwrap();
    let mut names = Vec::new();
    for file in fs::read_dir(&directory).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600, "{:?}", file.path());
        names.push(file.file_name().into_string().unwrap());
    }
    for name in [
        "copy.db",
        "countersign.db",
        "countersign.db-shm",
        "countersign.db-wal",
    ] {
        assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
    }
}

#[test]
fn a_store_that_root_makes_belongs_to_whoever_owns_the_directory() {
    let directory = TempDir::new().unwrap();
    if !is_root(directory.path()) {
        return;
    }
    std::os::unix::fs::chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let path = directory.path().join("countersign.db");
    let mut store = SqliteStore::create(&path, &Settings::default()).unwrap();
    make_tenant(&mut store);
    let _claim = store.lock_broker("b1").unwrap();
    for file in fs::read_dir(&directory).unwrap() {
        let file = file.unwrap();
        let facts = file.metadata().unwrap();
        assert_eq!(
            (facts.uid(), facts.gid()),
            (NOBODY, NOBODY),
            "{:?}",
            file.path()
        );
    }
}

#[test]
fn what_is_there_already_is_neither_replaced_nor_followed() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("countersign.db");
    let make = || SqliteStore::create(&path, &Settings::default());
    let target = directory.path().join("target");
    symlink(&target, &path).unwrap();
    assert_eq!(make().unwrap_err().kind(), StoreErrorKind::Conflict);
    assert!(!target.exists());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "mine").unwrap();
    assert_eq!(make().unwrap_err().kind(), StoreErrorKind::Conflict);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();
    let left_over = directory.path().join("countersign.db-wal");
    fs::write(&left_over, "").unwrap();
    let error = make().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert!(error.to_string().contains("countersign.db-wal"), "{error}");
    assert!(!path.exists());
    fs::remove_file(left_over).unwrap();
    let store = make().unwrap();
    assert_eq!(
        store.backup(&path, |_| {}).unwrap_err().kind(),
        StoreErrorKind::Conflict
    );
    drop(store);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_store_that_is_missing_says_how_to_make_one() {
    let error = SqliteStore::open("/nowhere/countersign.db").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Missing);
    assert!(
        error.to_string().contains("/nowhere/countersign.db"),
        "{error}"
    );
    assert!(error.to_string().contains("countersign init"), "{error}");
    let error = SqliteStore::create("/nowhere/countersign.db", &Settings::default()).unwrap_err();
    assert!(
        error.to_string().contains("directory does not exist"),
        "{error}"
    );
}

#[test]
fn a_newer_schema_is_refused_with_both_numbers() {
    let (store, _directory) = fresh();
    assert_eq!(store.schema_version().unwrap(), 7);
    raw(&store, "PRAGMA user_version = 93");
    let error = reopened(store).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Newer);
    assert!(
        error
            .to_string()
            .contains("schema 93 and this program knows 7"),
        "{error}"
    );
}

#[test]
fn what_is_no_store_is_refused_as_what_it_is() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    let refused = |kind: StoreErrorKind, word: &str| {
        let error = SqliteStore::open(&path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    };
    fs::write(&path, "").unwrap();
    refused(StoreErrorKind::Unavailable, "is empty");
    fs::write(&path, "broker: localhost\n".repeat(200)).unwrap();
    refused(StoreErrorKind::Damaged, "it is no database");
    fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE t (c)")
        .unwrap();
    refused(StoreErrorKind::Unavailable, "another program");
    fs::remove_file(&path).unwrap();
    let cut_short = Connection::open(&path).unwrap();
    cut_short
        .execute_batch("CREATE TABLE t (c); DROP TABLE t")
        .unwrap();
    refused(StoreErrorKind::Unavailable, "is empty");
    drop(cut_short);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(StoreErrorKind::Unavailable, "is not a file");
    fs::remove_dir(&path).unwrap();
    let elsewhere = directory.path().join("elsewhere.db");
    drop(SqliteStore::create(&elsewhere, &Settings::default()).unwrap());
    symlink(&elsewhere, &path).unwrap();
    refused(StoreErrorKind::Unavailable, "symbolic link");
}

#[test]
fn damaged_pages_are_an_error_and_never_an_answer() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    for number in 0..200 {
        create(&mut store, &format!("dev{number}@acme")).unwrap();
    }
    let path = store.path().to_owned();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    for byte in &mut bytes[4_096..] {
        *byte = 0xa5;
    }
    fs::write(&path, bytes).unwrap();
    let error = SqliteStore::open(&path)
        .and_then(|mut store| store.credential(&name("dev1@acme")))
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("restore a backup"), "{error}");
}

#[test]
fn a_stored_text_without_meaning_is_damage() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    let set = |column: &str, value: &str| format!("UPDATE credential SET {column} = {value}");
    for (broken, mended) in [
        (set("state", "'Asleep'"), set("state", "'Inactive'")),
        (set("client_id_rule", "'exact:'"), set("client_id_rule", "'any'")),
        (set("client_id_tie", "x'00'"), set("client_id_tie", "NULL")),
        (set("ever_used", "7"), set("ever_used", "0")),
        // What has lost its tenant is not an operator, and what has one is not one either.
        (set("tenant", "NULL"), set("tenant", "'acme'")),
        (set("kind", "'operator'"), set("kind", "'device'")),
        (set("scheme", "CAST(x'ff' AS TEXT)"), set("scheme", "'basic'")),
        (
            "UPDATE secret SET phc = '$argon2id$v=19$m=4000000000,t=1,p=1$AAAA$AAAA', digest = NULL".into(),
            "UPDATE secret SET digest = zeroblob(32), phc = NULL".into(),
        ),
        ("UPDATE secret SET digest = x'00'".into(), "UPDATE secret SET digest = zeroblob(32)".into()),
    ] {
        raw(&store, &broken);
        let error = store.credential(&name("dev1@acme")).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{broken}: {error}");
        assert!(!error.to_string().contains("argon2"), "{error}");
        raw(&store, &mended);
        assert!(store.credential(&name("dev1@acme")).unwrap().is_some());
    }
    raw(&store, "INSERT INTO namespace VALUES ('acme', 0, '+/a')");
    let tenant = store.tenant(&common::tenant_id());
    assert_eq!(tenant.unwrap_err().kind(), StoreErrorKind::Damaged);
}

#[test]
fn a_tenant_with_a_role_whose_holders_are_unknown_is_damage() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    raw(
        &store,
        "INSERT INTO role VALUES ('acme', 'meter', NULL, 0, 0, NULL);
         INSERT INTO tenant_role VALUES ('acme', 'defualt', 'meter')",
    );
    let tenant = store.tenant(&common::tenant_id());
    assert_eq!(tenant.unwrap_err().kind(), StoreErrorKind::Damaged);
    let tenants = GateStore::tenants(&mut store).unwrap();
    assert!(tenants.readable.is_empty() && tenants.damaged.len() == 1);
}

#[test]
fn a_tenant_whose_id_cant_be_read_owns_what_it_did_under_a_name_that_none_has() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    for broken in ["'A B'", "CAST(x'ff' AS TEXT)"] {
        raw(
            &store,
            &format!(
                "PRAGMA foreign_keys = OFF;
                 UPDATE tenant SET id = {broken}, client_id_prefix = 'ac-';
                 DELETE FROM namespace;
                 INSERT INTO namespace VALUES ({broken}, 0, 'acme/#')"
            ),
        );
        let StoredTenants { readable, damaged } = GateStore::tenants(&mut store).unwrap();
        assert!(readable.is_empty());
        let [tenant] = &damaged[..] else {
            panic!("{damaged:?}");
        };
        assert!(tenant.id.is_none() && TenantId::parse(tenant.name()).is_err());
        let namespaces: Vec<_> = tenant.namespaces.iter().map(TopicFilter::as_str).collect();
        assert_eq!(namespaces, ["acme/#"]);
        assert!(tenant.has_all_namespaces);
        assert_eq!(tenant.client_id_prefix.as_ref().unwrap().as_str(), "ac-");
    }
}

#[test]
fn a_tenant_with_a_namespace_that_cant_be_read_keeps_the_others() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    raw(
        &store,
        "INSERT INTO namespace VALUES ('acme', 0, '#/a'), ('acme', 1, 'acme/#')",
    );
    let tenants = GateStore::tenants(&mut store).unwrap();
    let [tenant] = &tenants.damaged[..] else {
        panic!("{tenants:?}");
    };
    assert_eq!(tenant.name(), "acme");
    let namespaces: Vec<_> = tenant.namespaces.iter().map(TopicFilter::as_str).collect();
    assert_eq!(namespaces, ["acme/#"]);
    assert!(!tenant.has_all_namespaces);
}

#[test]
fn a_row_that_no_act_would_write_is_damage() {
    let sound = "
        INSERT INTO role VALUES ('acme', 'meter', NULL, 0, 0, NULL);
        INSERT INTO role_rule VALUES
            ('acme', 'meter', 0, 'allow', 'publish', 'a', NULL, 0, NULL, 0);
        INSERT INTO credential_role VALUES (1, 'meter', 'acme');
        INSERT INTO credential_rule VALUES (1, 0, 'allow', 'publish', 'a', NULL, 0, 0);
        INSERT INTO stored_session VALUES (zeroblob(32), 'credential', 1, NULL, 'acme', 0, 'b1', 0, 1);
        INSERT INTO scheme_field VALUES
            ('mine', 'name', 0, 'text', 'mine'),
            ('mine', 'login_name', 0, 'text', 'suffixed'),
            ('mine', 'client_id', 0, 'text', 'any'),
            ('mine', 'secret_shape', 0, 'text', '[0-9a-f]{32}'),
            ('mine', 'publish', 0, 'list', 'a/b'),
            ('mine', 'publish', 1, 'list', 'a/c')";
    let rules = [
        "effect = 'both'",
        "action = ''",
        "pattern = '#/a'",
        "max_qos = 3",
    ]
    .into_iter()
    .chain([
        "max_qos = 256",
        "no_retain = 2",
        "effect = 'deny', no_retain = 1",
    ])
    .flat_map(|broken| [("role_rule", broken), ("credential_rule", broken)]);
    let others = [
        ("role_rule", "group_path = '.'"),
        ("credential_role", "role = ' '"),
        ("setting", "value = '' WHERE key = 'client_id_hold'"),
        ("setting", "key = 'unknown' WHERE key = 'argon2'"),
        ("stored_session", "holder = 'Credential'"),
        ("stored_session", "tenant = 'A'"),
        ("scheme_field", "scheme = 'other'"),
        (
            "scheme_field",
            "scheme = 'basic', value = iif(key = 'name', 'basic', value)",
        ),
        ("scheme_field", "kind = 'list' WHERE key = 'name'"),
        ("scheme_field", "kind = 'Text' WHERE key = 'name'"),
        ("scheme_field", "kind = 'text' WHERE key = 'publish'"),
        ("scheme_field", "value = 'a/#/b' WHERE position = 1"),
        ("scheme_field", "key = 'more' WHERE key = 'login_name'"),
    ];
    for (table, broken) in rules.chain(others) {
        let (mut store, _directory) = fresh();
        make_tenant(&mut store);
        create(&mut store, "dev1@acme").unwrap();
        raw(&store, sound);
        read_all(&mut store).unwrap();
        raw(
            &store,
            &format!("PRAGMA foreign_keys = OFF; UPDATE {table} SET {broken}"),
        );
        let read = read_all(&mut store);
        assert!(read.is_err(), "{table} {broken}");
        let error = read.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Damaged,
            "{table} {broken}: {error}"
        );
    }
}

/// Everything that a CONNECT depends on.
fn read_all(store: &mut SqliteStore) -> Result<(), StoreError> {
    let credential = store.credential(&name("dev1@acme"))?.unwrap();
    for role in &credential.roles {
        store.role_named(credential.tenant.as_ref().unwrap(), role)?;
    }
    store.stored_session(&ClientIdTie([0; 32]))?;
    if let Some(error) = store.schemes()?.damaged.into_values().next() {
        return Err(error);
    }
    store.settings()?;
    Ok(())
}

#[test]
fn no_file_of_a_store_holds_a_secret() {
    let (mut store, directory) = fresh();
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    for is_written_back in [false, true] {
        if is_written_back {
            store.maintain(Timestamp::from_millis(0)).unwrap();
        }
        let mut holds_the_name = false;
        for file in fs::read_dir(&directory).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let holds = |text: &str| {
                bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
            };
            assert!(!holds("secret of dev1@acme"));
            holds_the_name |= holds("dev1@acme");
        }
        assert!(holds_the_name);
    }
}

#[test]
fn a_store_that_may_not_be_written_says_so() {
    let (mut store, directory) = fresh();
    let test = "a_store_that_may_not_be_written_says_so";
    if let Ok(path) = std::env::var(READ_ONLY_STORE) {
        use_read_only(Path::new(&path));
        return;
    }
    if !is_root(directory.path()) {
        return;
    }
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    let path = store.path().to_owned();
    drop(store);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    // Another user has to be able to run this program.
    let program = directory.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(program)
        .args(["--exact", test])
        .env(READ_ONLY_STORE, &path)
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .uid(NOBODY)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Run by a user who may read the store and write neither it nor its
/// directory.
fn use_read_only(path: &Path) {
    let error = SqliteStore::open(path)
        .and_then(|mut store| {
            assert!(store.credential(&name("dev1@acme"))?.is_some());
            activate(&mut store, "dev1@acme")
        })
        .unwrap_err();
    let kinds = [StoreErrorKind::ReadOnly, StoreErrorKind::Unavailable];
    assert!(kinds.contains(&error.kind()), "{error}");
    assert!(
        error.to_string().contains("must be writable by this user"),
        "{error}"
    );
}

#[test]
fn a_store_that_was_replaced_under_a_running_broker_is_noticed() {
    let (mut store, directory) = fresh();
    make_tenant(&mut store);
    let moved = directory.path().join("moved.db");
    store.log_position().unwrap();
    fs::rename(store.path(), &moved).unwrap();
    let error = store.log_position().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    fs::copy(&moved, store.path()).unwrap();
    let error = store.log_position().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("replaced"), "{error}");
    // What is asked very often finds it out, too, if not at once.
    let start = std::time::Instant::now();
    while store.mark().is_ok() {
        assert!(start.elapsed() < std::time::Duration::from_secs(10));
    }
}

#[test]
fn whoever_opens_a_store_waits_for_the_log_that_a_live_broker_has() {
    let (mut broker, _directory) = fresh();
    let _claim = broker.lock_broker("b1").unwrap();
    make_tenant(&mut broker);
    create(&mut broker, "dev1@acme").unwrap();
    remove_companions(broker.path());
    let path = broker.path().to_owned();
    let opening = std::thread::spawn(move || {
        // In the broker's own process, it may be told to come again.
        std::iter::repeat_with(|| SqliteStore::open(&path)).find_map(Result::ok)
    });
    // It is the broker that finds it out and writes back what was in the log.
    while broker.log_position().is_err() {}
    let mut other = opening.join().unwrap().unwrap();
    let found = other.credential(&name("dev1@acme")).unwrap();
    assert!(found.is_some());
    create(&mut other, "dev2@acme").unwrap();
    assert!(broker.credential(&name("dev2@acme")).unwrap().is_some());
}

#[test]
fn two_stores_of_one_process_open_new_files_only_when_both_have_let_go_of_the_old_ones() {
    let (mut one, _directory) = fresh();
    make_tenant(&mut one);
    let mut other = SqliteStore::open(one.path()).unwrap();
    create(&mut other, "dev1@acme").unwrap();
    remove_companions(one.path());
    for _ in 0..3 {
        let error = one.log_position().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        std::thread::sleep(std::time::Duration::from_millis(110));
    }
    let again = SqliteStore::open(one.path()).unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Unavailable, "{again}");
    while other.log_position().is_err() || one.log_position().is_err() {}
    assert!(one.credential(&name("dev1@acme")).unwrap().is_some());
    create(&mut one, "dev2@acme").unwrap();
    create(&mut other, "dev3@acme").unwrap();
    let checked =
        Connection::open(one.path())
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0));
    assert_eq!(checked, Ok("ok".to_owned()));
}

/// SQLite writes a log back when the last connection closes; each of two that
/// close at once takes the other for the last.
#[test]
fn stores_that_find_out_at_once_that_their_log_is_gone_lose_nothing_of_it() {
    for round in 0..20 {
        let (mut one, _directory) = fresh();
        make_tenant(&mut one);
        let path: PathBuf = one.path().into();
        let mut stores: Vec<_> = (0..3).map(|_| SqliteStore::open(&path).unwrap()).collect();
        stores.push(one);
        create(&mut stores[round % 4], "dev1@acme").unwrap();
        remove_companions(&path);
        let barrier = Barrier::new(stores.len());
        std::thread::scope(|scope| {
            for mut store in stores {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let _lost = store.log_position();
                });
            }
        });
        let mut store = SqliteStore::open(&path).unwrap();
        assert!(store.credential(&name("dev1@acme")).unwrap().is_some());
    }
}

/// Another program, which does not wait for anybody, has put something into a log
/// of its own by then.
#[test]
fn a_log_that_was_removed_is_not_written_over_what_others_committed_since() {
    if let Ok(path) = std::env::var(OTHERS_STORE) {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE others (x)").unwrap();
        return;
    }
    for looks_first in [true, false] {
        let (mut store, _directory) = fresh();
        make_tenant(&mut store);
        let path: PathBuf = store.path().into();
        Connection::open(&path)
            .unwrap()
            .execute_batch("PRAGMA wal_checkpoint")
            .unwrap();
        create(&mut store, "dev1@acme").unwrap();
        remove_companions(&path);
        let test = "a_log_that_was_removed_is_not_written_over_what_others_committed_since";
        let other = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(OTHERS_STORE, &path)
            .output()
            .unwrap();
        assert!(other.status.success(), "{other:?}");
        if looks_first {
            store.log_position().unwrap_err();
        }
        drop(store);
        let connection = Connection::open(&path).unwrap();
        let count = |sql: &str| {
            connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(
            count("SELECT count(*) FROM sqlite_master WHERE name = 'others'"),
            1
        );
        assert_eq!(
            count("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
            1
        );
    }
}

fn remove_companions(path: &Path) {
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
    }
}

/// Does to a store what none of its own code would.
fn raw(store: &SqliteStore, sql: &str) {
    let connection = Connection::open(store.path()).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn reopened(store: SqliteStore) -> Result<SqliteStore, StoreError> {
    let path: PathBuf = store.path().into();
    drop(store);
    SqliteStore::open(path)
}

fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

fn is_root(made_here: &Path) -> bool {
    made_here.metadata().unwrap().uid() == 0
}

const NOBODY: u32 = 65_534;
const OTHERS_STORE: &str = "COUNTERSIGN_TEST_OTHERS_STORE";
const READ_ONLY_STORE: &str = "COUNTERSIGN_TEST_READ_ONLY_STORE";
