//! Databases of mosquitto-go-auth, made here and read.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use countersign_import::StoredPassword;
use countersign_import::source::go_auth::{Database, Queries};
use rusqlite::Connection;
use tempfile::TempDir;

/// A database with the tables of mosquitto-go-auth's examples.
struct Fixture {
    folder: TempDir,
    queries: Queries,
}

impl Fixture {
    fn new(rows: &str) -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
            queries: Queries::default(),
        };
        let tables = "
            CREATE TABLE test_user (id INTEGER PRIMARY KEY, username, password_hash, is_admin);
            CREATE TABLE test_acl (test_user_id INTEGER, topic, rw INTEGER);";
        let connection = Connection::open(fixture.path()).unwrap();
        connection.execute_batch(tables).unwrap();
        connection.execute_batch(rows).unwrap();
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("go-auth.db")
    }

    fn read(&self) -> Result<Database, String> {
        let folder = format!("{}/", self.folder.path().display());
        let read = Database::read(&self.path(), &self.queries);
        read.map_err(|error| error.to_string().replace(&folder, ""))
    }

    /// What is wrong with a query in the place of the one for rules.
    fn refused(&mut self, acl: &str) -> String {
        self.queries.acl = Some(acl.into());
        self.read().unwrap_err()
    }
}

const USERS: &str = "
    INSERT INTO test_user VALUES (1, 'alice', 'PBKDF2$sha512$1000$AAECAwQFBgcICQoLDA0ODw==$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs7osCteF7W4A61dZDqSIqQjO+dxO6p5FT/Uy7QRBXSXA==', 1);
    INSERT INTO test_user VALUES (2, 'b/ob', NULL, 0);
    INSERT INTO test_user VALUES (3, 'carol', 'secret', NULL);
    INSERT INTO test_acl VALUES (1, 'a/%u', 1), (1, 'a/#', 3), (2, 'b', 4), (2, 'no#filter', 2);";

#[test]
fn an_empty_database_has_no_users_and_without_its_tables_it_is_refused() {
    let read = Fixture::new("").read().unwrap();
    assert_eq!((read.users.len(), read.items()), (0, 0));
    let fixture = Fixture::new("DROP TABLE test_user;");
    let error = fixture.read().unwrap_err();
    assert!(
        error.starts_with("go-auth.db: the users query failed: no such table: test_user"),
        "{error}"
    );
}

#[test]
fn users_are_read_with_their_hash_whether_they_are_superusers_and_their_rules() {
    let fixture = Fixture::new(USERS);
    let read = fixture.read().unwrap();
    let folder = format!("{}/", fixture.folder.path().display());
    let shown: Vec<String> = read
        .users
        .iter()
        .flat_map(|user| {
            let password = match &user.password {
                StoredPassword::Hash(hash) => hash.as_str().get(..20).unwrap(),
                StoredPassword::Missing => "missing",
                StoredPassword::Plain(_) => "plain",
                StoredPassword::Unusable(_) => "unusable",
            };
            let place = user.place.to_string();
            let first = format!("{place} {} {password} {}", user.name, user.is_superuser);
            let topics = user.topics.iter();
            let topics = topics.map(|it| format!("{} {:?} {}", it.place, it.access, it.topic));
            [first].into_iter().chain(topics)
        })
        .map(|line| line.replace(&folder, ""))
        .collect();
    let expected = [
        "go-auth.db/users/alice alice PBKDF2-either$sha512 true",
        "go-auth.db/users/alice/read/0 Read a/%u",
        "go-auth.db/users/alice/read/1 Read a/#",
        "go-auth.db/users/alice/write/0 Write a/#",
        "go-auth.db/users/alice/subscribe/0 Subscribe a/#",
        "go-auth.db/users/b~1ob b/ob missing false",
        "go-auth.db/users/b~1ob/write/0 Write no#filter",
        "go-auth.db/users/b~1ob/subscribe/0 Subscribe b",
        "go-auth.db/users/carol carol unusable false",
    ];
    assert_eq!(shown, expected);
    assert_eq!(read.items(), expected.len());
    assert!(!read.allows_all);
}

#[test]
fn without_queries_for_rules_and_superusers_everything_is_allowed_and_nobody_is_one() {
    let mut fixture = Fixture::new(USERS);
    fixture.queries.acl = None;
    fixture.queries.superuser = None;
    let read = fixture.read().unwrap();
    assert!(read.allows_all);
    assert!(read.users.iter().all(|user| !user.is_superuser));
    assert_eq!(read.items(), 3);
}

#[test]
fn parameters_may_be_written_in_each_way_and_left_out() {
    let mut fixture = Fixture::new(USERS);
    for acl in [
        "SELECT $1 || '/' || $2",
        "SELECT ? || '/' || ?",
        "SELECT :user || '/' || :access",
    ] {
        fixture.queries.acl = Some(acl.into());
        let read = fixture.read().unwrap();
        let topics = read.users.iter().flat_map(|user| &user.topics);
        let topics: Vec<&str> = topics.map(|it| &*it.topic).take(3).collect();
        assert_eq!(topics, ["alice/1", "alice/2", "alice/4"], "{acl}");
    }
    fixture.queries.acl = Some("SELECT 'all'".into());
    assert_eq!(fixture.read().unwrap().items(), 3 + 9);
}

#[test]
fn a_name_that_is_listed_twice_is_one_user_and_told_of() {
    let mut fixture = Fixture::new(USERS);
    fixture.queries.users = "SELECT username FROM test_user UNION ALL SELECT 'alice'".into();
    let read = fixture.read().unwrap();
    assert_eq!((read.users.len(), read.passed_over.len()), (3, 1));
}

#[test]
fn a_query_reads_one_column_and_does_nothing_else() {
    let mut fixture = Fixture::new(USERS);
    let before = fs::read(fixture.path()).unwrap();
    let other = fixture.folder.path().join("other.db");
    let only_reads = "go-auth.db: the acl query may read and nothing else";
    for query in [
        "DELETE FROM test_acl",
        "UPDATE test_user SET is_admin = 1 RETURNING username",
        "INSERT INTO test_acl VALUES (1, 'x', 3) RETURNING topic",
        "CREATE TABLE x (y)",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = 1",
        &format!("ATTACH '{}' AS other", other.display()),
        "BEGIN",
    ] {
        assert_eq!(fixture.refused(query), only_reads, "{query}");
    }
    let many = "go-auth.db: the acl query does not read one column";
    assert_eq!(fixture.refused("SELECT 1, 2"), many);
    let parameters = "go-auth.db: the acl query has more than 2 parameters";
    assert_eq!(fixture.refused("SELECT ? || ? || ?"), parameters);
    for query in [
        "SELECT load_extension('x')",
        "SELECT",
        "SELECT readfile('/etc/passwd')",
    ] {
        let error = fixture.refused(query);
        assert!(
            error.starts_with("go-auth.db: the acl query failed: "),
            "{error}"
        );
    }
    assert_eq!(fs::read(fixture.path()).unwrap(), before);
    assert!(!other.exists());
}

#[test]
fn values_of_another_type_are_refused_and_not_repeated() {
    let mut fixture = Fixture::new(USERS);
    let not_text = "go-auth.db/users/alice: the acl query gives a value that is not a text";
    for query in [
        "SELECT x'ff'",
        "SELECT NULL",
        "SELECT 1.5",
        "SELECT 'a' || char(0)",
    ] {
        assert_eq!(fixture.refused(query), not_text, "{query}");
    }
    fixture.queries.superuser = Some("SELECT 'yes'".into());
    let error = fixture.read().unwrap_err();
    let not_a_number = "the super query gives a value that is not an integer";
    assert_eq!(error, format!("go-auth.db/users/alice: {not_a_number}"));
}

#[test]
fn a_value_has_a_bound_and_so_have_the_rows_of_a_query() {
    let mut fixture = Fixture::new(USERS);
    let long = fixture.refused("SELECT hex(zeroblob(1000000))");
    assert!(long.contains("too big"), "{long}");
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    fixture.queries.users = endless.into();
    let error = fixture.read().unwrap_err();
    let expected = "the users query gives too much: there are more than 1000000 users";
    assert_eq!(error, format!("go-auth.db: {expected}"));
}

#[test]
fn a_query_that_never_ends_is_ended() {
    let mut fixture = Fixture::new(USERS);
    let start = Instant::now();
    fixture.queries.time_limit = Duration::from_millis(50);
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let error = fixture.refused(endless);
    let expected = "go-auth.db/users/alice: the acl query takes longer than 50ms";
    assert_eq!(error, expected);
    assert!(start.elapsed() < Duration::from_secs(100));
}

#[test]
fn what_is_not_a_database_is_refused() {
    let fixture = Fixture::new("");
    fs::write(fixture.path(), "alice:$7$101$secret\n".repeat(100)).unwrap();
    let error = fixture.read().unwrap_err();
    let expected = "go-auth.db: the users query failed: file is not a database";
    assert!(error.starts_with(expected), "{error}");
    fs::remove_file(fixture.path()).unwrap();
    let error = fixture.read().unwrap_err();
    assert!(
        error.starts_with("go-auth.db: the file can't be read: "),
        "{error}"
    );
    assert!(!fixture.path().exists());
}
