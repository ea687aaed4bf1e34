//! A store that an older version made, with and without that version's broker.

use countersign_core::store::GateStore as _;
use countersign_sqlite::{BrokerClaim, SqliteStore};
use rusqlite::Connection;

use crate::support::Shop;

#[test]
fn no_command_brings_a_store_up_to_date_under_an_older_broker() {
    let (shop, broker) = under_an_older_broker();
    let backup = shop.directory.path().join("copy.db");
    let backup = ["backup", backup.to_str().unwrap()];
    for words in [
        &["tenant", "create", "acme"][..],
        &["credential", "list", "--json"],
        &backup,
    ] {
        let before = shop.files();
        let said = shop.run_words(words).refused(1);
        assert!(
            said.contains("a broker of an older version uses it"),
            "{said}"
        );
        let way_out = "restart broker `edge` with this version's plugin first; it brings the store \
                       up to date when it starts";
        assert!(said.contains(way_out), "{said}");
        assert_eq!(schema_of(&shop), 3);
        assert_eq!(shop.files(), before);
    }
    let doctor = shop.run("doctor");
    assert_eq!(doctor.code, Some(1));
    assert!(
        doctor.stdout.contains("restart broker `edge`"),
        "{doctor:?}"
    );
    assert_eq!(schema_of(&shop), 3);

    drop(broker);
    let (_, said) = shop.run("tenant create acme").warned();
    let copy = shop.directory.path().join("store.db.v3.bak");
    assert!(
        said.contains(&format!("`{}` is a copy", copy.display())),
        "{said}"
    );
    assert!(said.contains("The way back: stop the brokers"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(schema_of(&shop), 4);
    assert_eq!(shop.run("tenant list").done().stderr, "");
}

/// A store of schema 3, and the lock of the broker `edge` that has a session.
fn under_an_older_broker() -> (Shop, BrokerClaim) {
    let shop = Shop::new();
    let store = SqliteStore::open(shop.store()).unwrap();
    let broker = store.claim_broker("edge").unwrap();
    drop(store);
    std::fs::remove_file(shop.store()).unwrap();
    countersign_sqlite::create_private(&shop.store()).unwrap();
    let connection = Connection::open(shop.store()).unwrap();
    for step in [
        "PRAGMA journal_mode = WAL;",
        include_str!("../../../store-sqlite/migrations/0001.sql"),
        include_str!("../../../store-sqlite/migrations/0002.sql"),
        include_str!("../../../store-sqlite/migrations/0003.sql"),
        "PRAGMA application_id = 0x4353676e; PRAGMA user_version = 3;
         INSERT INTO setting VALUES ('argon2', 'm=8,t=1,p=1'), ('client_id_hold', '1500');
         INSERT INTO presence
             (broker, session, client_id, protocol, connected_at, authenticated, stored)
         VALUES ('edge', 1, 'c', 4, 1, 0, 0);",
    ] {
        connection.execute_batch(step).unwrap();
    }
    (shop, broker)
}

fn schema_of(shop: &Shop) -> i64 {
    let connection = Connection::open(shop.store()).unwrap();
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}
