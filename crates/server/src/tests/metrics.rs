//! What is counted, as Prometheus asks for it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use countersign_core::metrics::{BrokerMetrics, Label, UseCounts};
use countersign_core::name::TenantId;
use countersign_core::store::GateStore as _;
use serde_json::json;

use super::brokers::introduce;
use crate::fixture::{Reply, Server};

fn counted() -> BrokerMetrics {
    let of = |count| UseCounts {
        logins: [((Label::of("admitted"), Label::of("ok")), count)].into(),
        ..UseCounts::default()
    };
    BrokerMetrics {
        uses: of(5),
        by_tenant: [(TenantId::parse("acme").ok(), of(3))].into(),
        sessions: 2,
        ..BrokerMetrics::default()
    }
}

/// What an address answers, where nobody logs in.
fn fetch(address: SocketAddr, path: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Reply::parse(&bytes).unwrap()
}

#[test]
fn what_is_counted_is_told_to_who_logs_in_and_of_brokers_that_live() {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let new = json!({ "name": "dev1", "tenant": "acme" });
    server.post("/api/v1/credentials", new).with(201);
    for _ in 0..2 {
        let suspend = json!({ "act": "suspend", "selection": { "tenant": "acme" } });
        server.post("/api/v1/credentials/bulk", suspend).with(200);
    }
    introduce(&server, "edge", None);
    let store = server.store();
    let alive = store.lock_broker("edge").unwrap();
    store.put_metrics("edge", &counted()).unwrap();
    let told = server.get("/metrics").with(200);
    let kind = told.header("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    for row in [
        r#"countersign_logins_total{broker="edge",outcome="admitted",cause="ok"} 5"#,
        r#"countersign_sessions{broker="edge"} 2"#,
        r#"countersign_acts_total{act="tenant.create",outcome="done"} 1"#,
        r#"countersign_acts_total{act="credential.create",outcome="done"} 1"#,
        r#"countersign_acts_total{act="credential.suspend",outcome="done"} 1"#,
        r#"countersign_http_requests_total{route="/api/v1/credentials",status="201"} 1"#,
    ] {
        let mut lines = told.text.lines();
        assert!(lines.any(|line| line == row), "{row} in {}", told.text);
    }
    assert!(!told.text.contains("tenant=\""), "{}", told.text);
    // What one that is gone left behind is nobody's.
    drop(alive);
    let told = server.get("/metrics").with(200);
    assert!(!told.text.contains("edge"), "{}", told.text);
    server.become_somebody(None);
    server.get("/metrics").with(401).is("unauthenticated");
}

#[test]
fn an_address_of_its_own_tells_what_is_counted_and_nothing_else() {
    let server = Server::start_with(|options| {
        options.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
        options.metrics_tenants = true;
    });
    introduce(&server, "edge", None);
    let store = server.store();
    let _alive = store.lock_broker("edge").unwrap();
    store.put_metrics("edge", &counted()).unwrap();
    let address = server.metrics.unwrap();
    let told = fetch(address, "/metrics").with(200);
    let all = r#"broker="edge",outcome="admitted",cause="ok""#;
    for row in [
        format!("countersign_logins_total{{{all},tenant=\"acme\"}} 3"),
        format!("countersign_logins_total{{{all}}} 2"),
    ] {
        let mut lines = told.text.lines();
        assert!(lines.any(|line| line == row), "{row} in {}", told.text);
    }
    for path in ["/api/v1/tenants", "/api/v1/me", "/api/v1/session", "/"] {
        fetch(address, path).with(404);
    }
    server.get("/metrics").with(401);
    let counted = fetch(address, "/metrics").text;
    let row = r#"countersign_http_requests_total{route="/metrics",status="401"} 1"#;
    assert!(counted.lines().any(|line| line == row), "{counted}");
}
