//! What a broker would answer, and why.

use countersign_core::broker::ListenerOptions;
use countersign_core::name::TenantId;
use serde_json::{Value, json};

use super::brokers::introduce;
use crate::fixture::{Reply, Server};

/// A service with two tenants, each with a device, and a viewer of the first.
fn furnished() -> (Server, String) {
    let server = Server::start();
    let post = |path: &str, body: Value| server.post(&format!("/api/v1/{path}"), body).with(201);
    post("tenants", json!({ "id": "acme" }));
    let other = json!({ "id": "other", "client_id_prefix": "oth-", "namespaces": ["shared/#"] });
    post("tenants", other);
    post("credentials", json!({ "name": "dev1", "tenant": "acme" }));
    post("credentials", json!({ "name": "dev1", "tenant": "other" }));
    let rule = json!({ "effect": "allow", "action": "publish", "pattern": "#" });
    post("credentials/dev1@acme/rules", rule);
    let token = post("tokens", json!({ "scope": "viewer:acme" }));
    let token = format!("Bearer {}", token.body["secret"].as_str().unwrap());
    (server, token)
}

fn ask(server: &Server, question: Value) -> Reply {
    server.post("/api/v1/check", question)
}

#[test]
fn a_check_answers_as_the_command_line_does() {
    let (server, _) = furnished();
    let connect = |name: Value, id: &str| {
        let question = json!({ "check": "connect", "username": name, "client_id": id });
        ask(&server, question).with(200).body
    };
    let allowed = json!({ "verdict": "allow", "reason": "ok", "rule": null, "considered": [] });
    assert_eq!(connect(json!("dev1@acme"), "c"), allowed);
    let owned = connect(json!("dev1@acme"), "oth-1");
    assert_eq!(owned["held_by"], "tenant other");
    assert_eq!(owned["reason"], "client-id-owned");
    assert_eq!(connect(json!("dev9@acme"), "c")["reason"], "unknown-name");
    assert_eq!(connect(Value::Null, "c")["verdict"], "deny");
    for (check, topic, verdict, owner) in [
        ("publish", "acme/x", "allow", "acme"),
        ("publish", "shared/x", "deny", "other"),
        ("subscribe", "shared/#", "deny", "other"),
        ("deliver", "shared/x", "deny", "other"),
    ] {
        let question = json!({ "check": check, "username": "dev1@acme", "topic": topic });
        let answer = ask(&server, question).with(200).body;
        assert_eq!(answer["verdict"], verdict, "{check} {topic}: {answer}");
        assert_eq!(answer["wall"]["owner"], owner, "{check} {topic}: {answer}");
    }
    for wrong in [
        json!({}),
        json!({ "check": "publish", "username": "dev1@acme" }),
        json!({ "check": "connect", "username": "dev1@acme" }),
        json!({ "check": "connect", "client_id": "c" }),
        json!({ "check": "kick", "username": "dev1@acme", "client_id": "c" }),
        json!({ "check": "connect", "username": "dev1@acme", "client_id": "c", "x": 1 }),
    ] {
        ask(&server, wrong).with(422).is("invalid");
    }
}

#[test]
fn a_viewer_is_told_nothing_of_others_by_a_check() {
    let (server, token) = furnished();
    server.become_somebody(None);
    let headers = [("Authorization", &*token)];
    let ask = |question: Value| server.ask("POST", "/api/v1/check", Some(question), &headers);
    let question = json!({ "check": "connect", "username": "dev1@acme", "client_id": "oth-1" });
    let answer = ask(question).with(200).body;
    assert_eq!(answer["reason"], "client-id-owned");
    assert_eq!(answer.get("held_by"), None);
    let publish = |topic: &str| {
        ask(json!({ "check": "publish", "username": "dev1@acme", "topic": topic })).with(200)
    };
    let answer = publish("shared/x").body;
    assert_eq!(answer["verdict"], "deny");
    let wall = json!({ "tenant": "acme", "owner": null, "in_way": true });
    assert_eq!(answer["wall"], wall);
    assert_eq!(publish("acme/x").body["wall"]["owner"], "acme");
    // Whether it is there or not.
    for name in ["dev1@other", "dev9@other", "dev9@acme", "dev1", "a#b"] {
        let question = json!({ "check": "connect", "username": name, "client_id": "c" });
        let refused = ask(question);
        assert!([403, 404].contains(&refused.status), "{refused:?}");
        let text = refused.body.to_string().replace(name, "");
        assert!(!text.contains("other"), "{text}");
    }
    let there = json!({ "check": "connect", "username": "dev1@other", "client_id": "c" });
    let not_there = json!({ "check": "connect", "username": "dev2@other", "client_id": "c" });
    let told = |reply: Reply| reply.body.to_string().replace("dev2", "dev1");
    assert_eq!(told(ask(there)), told(ask(not_there)));
}

#[test]
fn a_listener_counts_as_all_brokers_tell() {
    let (server, _) = furnished();
    let reason = || {
        let question = json!({
            "check": "connect", "username": "dev1@acme", "client_id": "c", "listener": 1884,
        });
        ask(&server, question).with(200).body["reason"].clone()
    };
    assert_eq!(reason(), "ok");
    let mut options = ListenerOptions::default();
    options
        .listeners
        .insert(1884, TenantId::parse("other").unwrap());
    introduce(&server, "one", Some(options));
    assert_eq!(reason(), "wrong-listener");
    // Who is not the same as the others is not taken for them.
    introduce(&server, "two", Some(ListenerOptions::default()));
    assert_eq!(reason(), "ok");
}

#[test]
fn why_tells_what_keeps_a_name_out() {
    let (server, token) = furnished();
    let path = "/api/v1/credentials/dev1@acme/why";
    let why = server.get(path).with(200).body;
    assert_eq!(why["reasons"], json!([]));
    assert_eq!(
        (&why["name"], &why["state"]),
        (&json!("dev1@acme"), &json!("Inactive"))
    );
    let with_id = server.get(&format!("{path}?client_id=oth-1")).with(200);
    assert_eq!(with_id.body["reasons"], json!(["client-id-owned"]));
    let ban = json!({ "address": "192.0.2.0/24" });
    server.post("/api/v1/bans", ban).with(201);
    for (address, reasons) in [
        ("192.0.2.7", json!(["banned"])),
        ("198.51.100.7", json!([])),
    ] {
        let why = server.get(&format!("{path}?address={address}")).with(200);
        assert_eq!(why.body["reasons"], reasons, "{address}");
    }
    let suspend = "/api/v1/credentials/dev1@acme/suspend";
    server.ask("POST", suspend, None, &[]).with(200);
    server.become_somebody(None);
    let headers = [("Authorization", &*token)];
    let why = server.ask("GET", path, None, &headers).with(200).body;
    assert_eq!(why["reasons"], json!(["suspended"]));
    let other = path.replace("acme", "other");
    server.ask("GET", &other, None, &headers).with(404);
    server.become_somebody(Some(countersign_admin::Authority::Platform));
    let nobody = server.get(&path.replace("dev1", "nobody")).with(200).body;
    assert_eq!(
        (&nobody["state"], &nobody["reasons"]),
        (&Value::Null, &json!(["unknown-name"]))
    );
}
