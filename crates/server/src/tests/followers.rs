//! What followers are told, and who is not.

use std::time::{Duration, Instant};

use countersign_admin::Authority;
use countersign_sqlite::newest_schema;
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
        ("GET", "/replication/v1/hand-back"),
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

/// Hands back whatever somebody made up.
fn hand_back(server: &Server, secret: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {secret}");
    let path = "/replication/v1/hand-back";
    let headers = [("Authorization", &*bearer)];
    server.ask_at_door("POST", path, Some(body.clone()), &headers)
}

fn batch(items: &[Value]) -> Value {
    let items = items.iter().zip(1..);
    let items: Vec<_> = items
        .map(|(what, seq)| json!({ "seq": seq, "at": 5, "what": what }))
        .collect();
    json!({ "schema": newest_schema(), "stamp": 1, "items": items })
}

/// Everything that the protocol has words for, of every number, and what it has no words
/// for; and as often as it goes.
#[test]
fn a_stolen_secret_of_a_follower_says_what_its_broker_may_say_and_no_more() {
    let server = centre();
    let secret = follower(&server, "edge", Some(&["acme"]));
    let user = json!({ "email": "jane@mail.test", "password": "correct horse battery" });
    server.post("/api/v1/users", user).with(201);
    let grant = json!({ "viewer": true });
    let grants = "/api/v1/users/jane@mail.test/grants";
    server
        .ask("PUT", &format!("{grants}/other"), Some(grant), &[])
        .with(200);
    let tie = "01".repeat(32);
    let mut forged = vec![
        json!({ "failed": { "name": "jane@mail.test", "count": 5 } }),
        json!({ "cleared": { "name": "jane@mail.test" } }),
    ];
    for id in 0..20 {
        forged.extend([
            json!({ "activated": { "credential": id } }),
            json!({ "tied": { "credential": id, "generation": 1, "client_id": tie } }),
            json!({ "retired": { "credential": id, "secret": id } }),
            json!({ "used": { "credential": id } }),
        ]);
    }
    let taken = hand_back(&server, &secret, &batch(&forged)).with(200);
    assert_eq!(taken.body["seq"], json!(forged.len()));
    let shown = |name: &str| {
        let path = format!("/api/v1/credentials/{name}");
        server.get(&path).with(200).body
    };
    let (ours, theirs) = (shown("dev1@acme"), shown("dev1@other"));
    assert_eq!(ours["state"], json!("Active"), "that may be so");
    assert_eq!(theirs["state"], json!("Inactive"));
    assert!(ours["last_used_at"].is_string() && theirs["last_used_at"].is_null());
    // Each refusal is written down: of dev1@acme alone two things were taken.
    let written = || {
        let path = "/api/v1/audit?act=follower.hand-back&limit=1000";
        let rows = server.get(path).with(200).body;
        rows["items"].as_array().unwrap().len()
    };
    let refused = written();
    assert_eq!(refused, forged.len() - 2);

    // What there are no words for, and what is no batch.
    let good = batch(&[json!({ "used": { "credential": 1 } })]);
    let bent = |pointer: &str, value: Value| {
        let mut bent = good.clone();
        *bent.pointer_mut(pointer).unwrap() = value;
        bent
    };
    let item = good["items"][0].clone();
    let what = "/items/0/what";
    for (body, status) in [
        (json!({}), 422),
        (bent("/items", json!({})), 422),
        (bent("/items", json!([item, item])), 422),
        (bent("/items", json!(vec![item.clone(); 201])), 422),
        (bent(what, json!({ "password": { "credential": 1 } })), 422),
        (
            bent(
                what,
                json!({ "used": { "credential": 1, "state": "Active" } }),
            ),
            422,
        ),
        (bent(what, json!({ "used": { "credential": "1" } })), 422),
        (bent(what, json!("x".repeat(300_000))), 413),
        (bent("/schema", json!(1)), 409),
    ] {
        hand_back(&server, &secret, &body).with(status);
    }
    hand_back(&server, "x", &good).with(401);

    // As often as it goes: at some time it is not taken, and the audit stays short.
    let mut stamp = 2;
    let mut flood = |items: usize| {
        stamp += 1;
        let mut flood = batch(&vec![json!({ "used": { "credential": 0 } }); items]);
        flood["stamp"] = json!(stamp);
        hand_back(&server, &secret, &flood).status
    };
    for _ in 0..10 {
        assert!([200, 429].contains(&flood(200)));
    }
    // Few of them a time, so that also a busy machine gets to more than may be.
    assert!((0..1_000).any(|_| flood(1) == 429));
    assert!(written() < 130, "{}", written());
}

/// Who is connected behind a replica is listed, and ended when that is asked for; a stolen
/// secret lists what it likes under its own name, and ends nothing elsewhere.
#[test]
fn sessions_behind_a_follower_are_listed_and_it_is_asked_to_end_them() {
    let server = centre();
    let secret = follower(&server, "edge", Some(&["acme"]));
    let other = follower(&server, "other", Some(&["other"]));
    let place = snapshot(&server, &secret).with(200).body["place"].clone();
    changes(&server, &secret, &place, 0).with(200);
    let session = |session: i64, tenant: &str| {
        json!({
            "broker": "gw-7", "session": session, "client_id": "pump", "tie": "0a".repeat(32),
            "credential": null, "tenant": tenant, "address": "192.0.2.9", "protocol": 5,
            "connected_at": 1, "listener": 1883, "stored": false
        })
    };
    let part = |telling: i64, part: u64, here: &[Value]| {
        json!({
            "schema": newest_schema(), "telling": telling, "part": part, "is_only": true,
            "here": here, "gone": []
        })
    };
    let tell = |secret: &str, body: &Value| {
        let bearer = format!("Bearer {secret}");
        let path = "/replication/v1/sessions";
        let headers = [("Authorization", &*bearer)];
        server.ask_at_door("POST", path, Some(body.clone()), &headers)
    };
    // A part whose beginning is not known is not taken.
    tell(&secret, &part(1, 1, &[])).with(410);
    let first = [session(3, "acme"), session(4, "other")];
    let taken = tell(&secret, &part(1, 0, &first)).with(200);
    assert_eq!(taken.body, json!({ "left_out": 0 }));
    let listed = || {
        let listed = server.get("/api/v1/clients").with(200).body;
        let items = listed["items"].as_array().unwrap().clone();
        let sessions = items
            .iter()
            .map(|it| it["session"].as_str().unwrap().to_owned());
        sessions.collect::<Vec<_>>()
    };
    assert_eq!(listed(), ["edge:3"]);
    let count = server.get("/api/v1/clients/count").with(200).body;
    assert_eq!(count, json!({ "connected": 1 }));
    for (telling, number) in [(1, 0), (2, 1), (1, 2), (1, 9)] {
        let status = tell(&secret, &part(telling, number, &first[..1])).status;
        assert_eq!(
            status,
            if number == 0 { 200 } else { 410 },
            "{telling} {number}"
        );
    }
    tell(&secret, &part(1, 1, &[])).with(200);
    for (body, status) in [
        (json!({}), 422),
        (part(1, 2, &vec![session(1, "acme"); 201]), 422),
        (part(1, 2, &[json!({ "session": 1 })]), 422),
        (json!("x".repeat(300_000)), 413),
        (
            {
                let mut old = part(1, 2, &[]);
                old["schema"] = json!(1);
                old
            },
            409,
        ),
    ] {
        tell(&secret, &body).with(status);
    }
    tell("x", &part(1, 0, &[])).with(401);

    // It is asked to end one, and the one who asked hears that it did.
    let asked = |secret: &str| {
        let told = changes(&server, secret, &place, 0);
        told.body["kicks"].as_array().cloned().unwrap_or_default()
    };
    let ended = std::thread::scope(|scope| {
        let ending = scope.spawn(|| server.delete("/api/v1/clients/edge:3"));
        let begun = Instant::now();
        let kicks = loop {
            let kicks = asked(&secret);
            if !kicks.is_empty() || begun.elapsed() > Duration::from_secs(5) {
                break kicks;
            }
        };
        assert!(asked(&other).is_empty(), "it is none of its sessions");
        let what = json!({ "session": { "broker": null, "session": 3 } });
        assert_eq!(kicks[0]["what"], what);
        let done = batch(&[json!({ "kicked": { "request": kicks[0]["id"] } })]);
        // Another one can't say so.
        hand_back(&server, &other, &done).with(200);
        hand_back(&server, &secret, &done).with(200);
        ending.join().unwrap()
    });
    ended.with(204);
    let audit = "/api/v1/audit?limit=1000&act=";
    let acts = |act: &str| server.get(&format!("{audit}{act}")).with(200).body["items"].clone();
    assert_eq!(acts("client.kick")[0]["outcome"], json!("done"));
    let refused = acts("follower.hand-back");
    let refused: Vec<_> = refused
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["actor"].clone())
        .collect();
    assert_eq!(refused, ["broker:edge", "broker:other"]);
}
