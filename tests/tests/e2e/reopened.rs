//! What a broker writes into a store that takes the place of another one.

use std::fs;
use std::time::Duration;

use countersign_tests::{Fixture, on_every_broker, wait_until};

on_every_broker! {
    fn a_broker_that_opens_another_store_lists_who_is_connected_and_nobody_else(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let _stays = login.connect_v5("stays").accepted(fixture.port());
        let mut goes = login.connect("goes").accepted(fixture.port());
        fixture.wait_for_clients(&["goes", "stays"]);
        let before = fixture.cli.json(&["clients", "list"]);
        let stays = |list: &serde_json::Value| {
            let mut list = list.as_array().unwrap().iter();
            list.find(|client| client["client_id"] == "stays").cloned()
        };
        let copy = fixture.cli.store().with_file_name("copy.db");
        fixture.cli.json(&["backup", copy.to_str().unwrap()]);
        goes.disconnect().unwrap();
        let _comes = login.connect("comes").accepted(fixture.port());
        fixture.wait_for_clients(&["comes", "stays"]);
        fs::rename(&copy, fixture.cli.store()).unwrap();
        wait_until("the broker says so", || fixture.our_lines().contains("following the store again"));
        fixture.wait_for_clients(&["comes", "stays"]);
        assert_eq!(stays(&fixture.cli.json(&["clients", "list"])), stays(&before));
    }

    fn what_was_lost_with_the_log_is_listed_again(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let _stays = login.connect("stays").accepted(fixture.port());
        let goes = login.connect("goes").accepted(fixture.port());
        fixture.wait_for_clients(&["goes", "stays"]);
        let store = rusqlite::Connection::open(fixture.cli.store()).unwrap();
        store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(goes);
        let _comes = login.connect("comes").accepted(fixture.port());
        fixture.wait_for_clients(&["comes", "stays"]);
        drop(store);
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(format!("{}{suffix}", fixture.cli.store().display())).unwrap();
        }
        wait_until("the broker says so", || fixture.our_lines().contains("lost its `-"));
        fixture.wait_for_clients(&["comes", "stays"]);
    }

    fn who_goes_while_another_store_is_told_of_it_is_not_listed(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        // It is known from here on, so that no later login has to write.
        let _stays = login.connect("stays").accepted(fixture.port());
        fixture.wait_for_clients(&["stays"]);
        let copy = fixture.cli.store().with_file_name("copy.db");
        fixture.cli.json(&["backup", copy.to_str().unwrap()]);
        let lock = rusqlite::Connection::open(fixture.cli.store()).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let going: Vec<_> = (0..20)
            .map(|number| login.connect(&format!("goes{number}")).accepted(fixture.port()))
            .collect();
        // The writer gathers for a quarter of a second, and then waits for the lock.
        std::thread::sleep(Duration::from_millis(500));
        fs::rename(&copy, fixture.cli.store()).unwrap();
        wait_until("the broker says so", || fixture.our_lines().contains("following the store again"));
        drop(going);
        drop(lock);
        let _comes = login.connect("comes").accepted(fixture.port());
        fixture.wait_for_clients(&["comes", "stays"]);
    }
}
