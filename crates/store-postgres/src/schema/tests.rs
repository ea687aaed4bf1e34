//! Schemas of two steps, as a later version has one.

use std::sync::LazyLock;
use std::thread;

use countersign_core::store::{GateStore as _, Settings, StoreErrorKind};
use countersign_testkit::postgres::Postgres;

use crate::address::Address;
use crate::store::PostgresStore;

const FIRST: &str = include_str!("../../migrations/0001.sql");
/// Twice, it fails.
const LATER: &[&str] = &[
    FIRST,
    "CREATE TABLE later (id bigint PRIMARY KEY); INSERT INTO later SELECT 1 FROM pg_sleep(0.1)",
];
const BROKEN: &[&str] = &[
    FIRST,
    "CREATE TABLE later (id bigint PRIMARY KEY); SELECT 1 / 0",
];

/// Ended with the program.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());

/// A database with a store of the first schema.
struct Database {
    name: String,
}

impl Database {
    fn new() -> Self {
        let name = SERVER.database().unwrap();
        let database = Self { name };
        drop(PostgresStore::create(database.address(), &Settings::default()).unwrap());
        database
    }

    fn address(&self) -> Address {
        Address::parse(&SERVER.url(&self.name)).unwrap()
    }

    /// The number of the schema, and whether the table of the second step is there.
    fn schema(&self) -> String {
        let sql = "SELECT version, to_regclass('countersign.later') FROM countersign.store";
        SERVER.sql(&self.name, sql).unwrap()
    }
}

#[test]
fn many_that_begin_at_once_bring_a_schema_up_to_date_once_and_older_programs_stay_out() {
    let database = Database::new();
    let stores = thread::scope(|scope| {
        let begin = || scope.spawn(|| PostgresStore::open_by(database.address(), LATER).unwrap());
        let begun: Vec<_> = (0..4).map(|_| begin()).collect();
        let stores = begun.into_iter().map(|it| it.join().unwrap());
        stores.collect::<Vec<_>>()
    });
    let upgraded = stores.iter().filter_map(|store| store.upgraded_from);
    assert_eq!(upgraded.collect::<Vec<_>>(), [1]);
    assert_eq!(database.schema(), "2|later");
    let newer = PostgresStore::open(database.address()).unwrap_err();
    assert_eq!(newer.kind(), StoreErrorKind::Newer);
    let again = PostgresStore::open_by(database.address(), LATER).unwrap();
    assert_eq!(again.upgraded_from, None);
}

#[test]
fn a_schema_stays_as_it_is_while_an_older_program_is_connected() {
    let database = Database::new();
    let mut older = PostgresStore::open(database.address()).unwrap();
    let second = older.reopen().unwrap();
    let refused = PostgresStore::open_by(database.address(), LATER).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Older);
    assert!(refused.to_string().contains("stop them"), "{refused}");
    assert_eq!(database.schema(), "1|");
    older.settings().unwrap();
    drop((older, second));
    PostgresStore::open_by(database.address(), LATER).unwrap();
    assert_eq!(database.schema(), "2|later");
}

#[test]
fn a_step_that_fails_leaves_all_as_it_was() {
    let database = Database::new();
    PostgresStore::open_by(database.address(), BROKEN).unwrap_err();
    assert_eq!(database.schema(), "1|");
    PostgresStore::open(database.address()).unwrap();
}
