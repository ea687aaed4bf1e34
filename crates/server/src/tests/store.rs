//! A store that is gone, or another.

use std::fs;
use std::time::{Duration, Instant};

use countersign_core::store::Settings;
use countersign_sqlite::SqliteStore;
use serde_json::json;

use crate::fixture::{Reply, Server};

pub(super) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ask(server: &Server, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    server.send(request.as_bytes()).unwrap()
}

#[test]
fn without_its_store_the_service_says_so_and_does_nothing() {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    ask(&server, "/readyz").with(200);
    let away = server.store_file().with_extension("away");
    fs::rename(server.store_file(), &away).unwrap();
    wait_until("it is not ready", || ask(&server, "/readyz").status == 503);
    ask(&server, "/readyz").is("unavailable");
    // Each of its threads says the same, for as long as the file is away.
    for _ in 0..8 {
        server.get("/api/v1/tenants").with(503).is("unavailable");
        let made = server.post("/api/v1/tenants", json!({ "id": "late" }));
        made.with(503).is("unavailable");
    }
    assert_eq!(ask(&server, "/healthz").with(200).text, "ok\n");
    fs::rename(&away, server.store_file()).unwrap();
    wait_until("it is ready again", || {
        ask(&server, "/readyz").status == 200
    });
    wait_until("it lists again", || {
        server.get("/api/v1/tenants").status == 200
    });
    assert_eq!(server.get("/api/v1/tenants").items("id"), ["acme"]);
}

#[test]
fn nothing_of_a_store_that_was_replaced_is_told_any_more() {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let other = server.store_file().with_file_name("other.db");
    drop(SqliteStore::create(&other, &Settings::default()).unwrap());
    for end in ["-wal", "-shm"] {
        let beside = server.store_file().with_file_name(format!("store.db{end}"));
        let _ = fs::remove_file(beside);
    }
    fs::rename(&other, server.store_file()).unwrap();
    wait_until("the old store is let go of", || {
        let reply = server.get("/api/v1/tenants/acme");
        assert!([200, 404, 503].contains(&reply.status), "{reply:?}");
        reply.status != 200
    });
    // None of its threads goes back to it.
    for _ in 0..40 {
        let reply = server.get("/api/v1/tenants/acme");
        assert!([404, 503].contains(&reply.status), "{reply:?}");
    }
}
