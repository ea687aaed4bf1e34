//! What followers are told, and who is not.

use std::time::{Duration, Instant};

use countersign_admin::Authority;
use serde_json::{Value, json};

use crate::fixture::{Reply, Server};

/// A service with two tenants, to which nobody is known but its followers.
fn centre() -> Server {
    let server = Server::start();
    for tenant in ["acme", "other"] {
        server
            .post("/api/v1/tenants", json!({ "id": tenant }))
            .with(201);
    }
    create(&server, "dev1", "acme");
    create(&server, "dev1", "other");
    server
}

fn create(server: &Server, name: &str, tenant: &str) {
    let new = json!({ "name": name, "tenant": tenant });
    server.post("/api/v1/credentials", new).with(201);
}

/// Makes a follower; returns its secret.
fn follower(server: &Server, name: &str, tenants: Option<&[&str]>) -> String {
    let mut new = json!({ "name": name });
    if let Some(tenants) = tenants {
        new["tenants"] = json!(tenants);
    }
    let made = server.post("/api/v1/followers", new).with(201);
    made.body["secret"].as_str().unwrap().to_owned()
}

fn ask(server: &Server, secret: &str, path: &str) -> Reply {
    let bearer = format!("Bearer {secret}");
    server.ask_at_door("GET", path, None, &[("Authorization", &bearer)])
}

fn snapshot(server: &Server, secret: &str) -> Reply {
    ask(server, secret, "/replication/v1/snapshot")
}

fn changes(server: &Server, secret: &str, place: &Value, wait: u32) -> Reply {
    let place = place.as_str().unwrap();
    let path = format!("/replication/v1/changes?after={place}&wait={wait}");
    ask(server, secret, &path)
}

#[test]
fn a_follower_reads_a_snapshot_and_then_what_changed_of_its_tenants() {
    let server = centre();
    let secret = follower(&server, "edge", Some(&["acme"]));
    let page = snapshot(&server, &secret).with(200);
    assert!(page.text.contains("dev1@acme") && !page.text.contains("other"));
    assert_eq!(page.body["next"], Value::Null);
    let place = &page.body["place"];
    let nothing = changes(&server, &secret, place, 0).with(200);
    assert_eq!(
        (&nothing.body["objects"], &nothing.body["place"]),
        (&json!([]), place)
    );
    create(&server, "dev2", "acme");
    create(&server, "dev2", "other");
    let told = changes(&server, &secret, place, 0).with(200);
    assert!(told.text.contains("dev2@acme") && !told.text.contains("other"));
    // A page begins behind any object.
    let last = page.body["objects"].as_array().unwrap().last().unwrap();
    let (kind, name) = (&last["object"]["kind"], &last["object"]["number"]);
    let kind = kind.as_str().unwrap();
    let rest = format!("/replication/v1/snapshot?kind={kind}&number={name}");
    let rest = ask(&server, &secret, &rest).with(200);
    assert!(rest.text.contains("dev2@acme") && !rest.text.contains("dev1"));
    // And the service knows how far it is.
    changes(&server, &secret, &told.body["place"], 0).with(200);
    let shown = server.get("/api/v1/followers/edge").with(200).body;
    assert!(shown["last_seen"].is_string(), "{shown}");
    // Of other tenants, it is told anew.
    let other = json!({ "tenants": ["acme", "other"] });
    server.patch("/api/v1/followers/edge", other).with(200);
    let behind = changes(&server, &secret, &told.body["place"], 0).with(410);
    assert_eq!(behind.body, json!({ "snapshot": true }));
    assert!(
        snapshot(&server, &secret)
            .with(200)
            .text
            .contains("dev2@other")
    );
}

#[test]
fn a_request_waits_until_something_changes() {
    let server = centre();
    let secret = follower(&server, "edge", None);
    let place = snapshot(&server, &secret).with(200).body["place"].clone();
    let begun = Instant::now();
    let told = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| changes(&server, &secret, &place, 20));
        create(&server, "late", "acme");
        waiting.join().unwrap()
    });
    assert!(told.with(200).text.contains("late@acme"));
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// Whoever has taken a machine over can read what it was told, and do nothing else.
#[test]
fn the_secret_of_a_follower_opens_nothing_else_and_no_other_opens_this() {
    let server = centre();
    let token = server
        .post("/api/v1/tokens", json!({ "scope": "platform" }))
        .with(201);
    let token = token.body["secret"].as_str().unwrap().to_owned();
    let secret = follower(&server, "edge", Some(&["acme"]));
    let all = follower(&server, "all", None);
    server.become_somebody(None);
    let bearer = format!("Bearer {secret}");
    for path in [
        "credentials",
        "followers",
        "me",
        "tenants/acme",
        "audit",
        "events",
        "stats",
    ] {
        let headers = [("Authorization", &*bearer)];
        let path = format!("/api/v1/{path}");
        server.ask_at_door("GET", &path, None, &headers).with(401);
    }
    for (method, path) in [
        ("POST", "/replication/v1/snapshot"),
        ("PUT", "/replication/v1/changes?after=1.1.1"),
        ("DELETE", "/replication/v1/snapshot"),
    ] {
        let headers = [("Authorization", &*bearer)];
        server.ask_at_door(method, path, None, &headers).with(405);
    }
    ask(&server, &secret, "/replication/v1/other").with(404);
    for path in [
        "/replication/v1/changes",
        "/replication/v1/changes?after=x",
        "/replication/v1/changes?after=1.1.1&tenants=other",
        "/replication/v1/snapshot?number=x",
        "/replication/v1/snapshot?follower=all",
    ] {
        ask(&server, &secret, path).with(422);
    }
    for nobody in ["", "x", &token] {
        snapshot(&server, nobody).with(401);
    }
    server
        .ask_at_door("GET", "/replication/v1/snapshot", None, &[])
        .with(401);
    // A place of another follower is none.
    let page = snapshot(&server, &all).with(200);
    assert!(page.text.contains("dev1@other"));
    server.become_somebody(Some(Authority::Platform));
    let rotated = server
        .ask("POST", "/api/v1/followers/edge/rotate", None, &[])
        .with(200);
    let renewed = rotated.body["secret"].as_str().unwrap();
    snapshot(&server, &secret).with(401);
    snapshot(&server, renewed).with(200);
    server.delete("/api/v1/followers/edge").with(204);
    snapshot(&server, renewed).with(401);
    snapshot(&server, &all).with(200);
}

#[test]
fn a_follower_that_asks_too_often_waits_and_no_other_does() {
    let server = centre();
    let (one, other) = (
        follower(&server, "one", None),
        follower(&server, "other", None),
    );
    let place = snapshot(&server, &one).with(200).body["place"].clone();
    let refused = std::thread::scope(|scope| {
        let asking = (0..4).map(|_| {
            scope.spawn(|| {
                let mut asked = (0..500).map(|_| changes(&server, &one, &place, 0));
                asked.find(|reply| reply.status != 200)
            })
        });
        let asking: Vec<_> = asking.collect();
        let found = asking.into_iter().map(|it| it.join().unwrap());
        found.flatten().next()
    });
    let refused = refused.expect("a refusal").with(429);
    assert!(refused.header("retry-after").is_some());
    snapshot(&server, &other).with(200);
}
