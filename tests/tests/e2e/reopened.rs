//! What a broker writes into a store that takes the place of another one.

use std::fs;

use countersign_tests::{Site, on_every_broker, wait_until};

on_every_broker! {
    fn a_broker_that_opens_another_store_lists_who_is_connected_and_nobody_else(version) {
        let site = Site::start_with_tenant(version);
        let login = site.credential("dev", "t1");
        let _stays = login.connect_v5("stays").accepted(site.port());
        let mut goes = login.connect("goes").accepted(site.port());
        site.wait_for_clients(&["goes", "stays"]);
        let before = site.cli.json(&["clients", "list"]);
        let stays = |list: &serde_json::Value| {
            let mut list = list.as_array().unwrap().iter();
            list.find(|client| client["client_id"] == "stays").cloned()
        };
        let copy = site.cli.store().with_file_name("copy.db");
        site.cli.json(&["backup", copy.to_str().unwrap()]);
        goes.disconnect().unwrap();
        let _comes = login.connect("comes").accepted(site.port());
        site.wait_for_clients(&["comes", "stays"]);
        fs::rename(&copy, site.cli.store()).unwrap();
        wait_until("the broker says so", || site.our_lines().contains("moved or replaced"));
        site.wait_for_clients(&["comes", "stays"]);
        assert_eq!(stays(&site.cli.json(&["clients", "list"])), stays(&before));
    }

    fn what_was_lost_with_the_log_is_listed_again(version) {
        let site = Site::start_with_tenant(version);
        let login = site.credential("dev", "t1");
        let _stays = login.connect("stays").accepted(site.port());
        let goes = login.connect("goes").accepted(site.port());
        site.wait_for_clients(&["goes", "stays"]);
        let store = rusqlite::Connection::open(site.cli.store()).unwrap();
        store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(goes);
        let _comes = login.connect("comes").accepted(site.port());
        site.wait_for_clients(&["comes", "stays"]);
        drop(store);
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(format!("{}{suffix}", site.cli.store().display())).unwrap();
        }
        wait_until("the broker says so", || site.our_lines().contains("lost its `-"));
        site.wait_for_clients(&["comes", "stays"]);
    }
}
