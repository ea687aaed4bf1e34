//! Brokers, as they tell of themselves.

use countersign_core::broker::{BrokerRecord, ListenerOptions};
use countersign_core::ledger::Ledger as _;
use countersign_core::store::GateStore as _;
use serde_json::{Value, json};

use crate::call::now;
use crate::fixture::Server;

/// A broker that wrote down who it is.
pub(crate) fn introduce(server: &Server, name: &str, options: Option<ListenerOptions>) {
    let record = BrokerRecord {
        name: name.into(),
        host: Some("gw-7".into()),
        version: None,
        plugin_version: None,
        since: Some(now()),
        last_seen: now(),
        options,
    };
    server.store().introduce_broker(&record).unwrap();
}

#[test]
fn brokers_are_listed_by_name_and_forgotten_once_they_are_gone() {
    let server = Server::start();
    introduce(&server, "edge 1", None);
    let options = ListenerOptions {
        tls_listeners: vec![8883],
        ..ListenerOptions::default()
    };
    introduce(&server, "edge/2", Some(options));
    let first = server.get("/api/v1/brokers?limit=1").with(200);
    assert_eq!(first.items("name"), ["edge 1"]);
    assert_eq!(first.body["next"], "edge 1");
    assert_eq!(first.body["items"][0]["options"], Value::Null);
    let rest = server.get("/api/v1/brokers?after=edge+1").with(200);
    assert_eq!(rest.items("name"), ["edge/2"]);
    assert_eq!(rest.body["next"], Value::Null);
    let told = &rest.body["items"][0];
    assert_eq!(told["options"]["tls_listeners"], json!([8883]));
    assert_eq!(
        (&told["alive"], &told["host"]),
        (&json!(false), &json!("gw-7"))
    );

    let alive = server.store().lock_broker("edge/2").unwrap();
    let path = "/api/v1/brokers/edge%2F2";
    assert_eq!(
        server.get("/api/v1/brokers").body["items"][1]["alive"],
        true
    );
    server.delete(path).with(409).is("conflict");
    drop(alive);
    server.delete(path).with(204);
    server.delete(path).with(404).is("not-found");
    assert_eq!(server.get("/api/v1/brokers").items("name"), ["edge 1"]);
}
