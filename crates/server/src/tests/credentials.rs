//! Credentials.

use serde_json::{Value, json};

use crate::fixture::Server;

fn tenant(id: &str) -> &'static Server {
    let server = Server::shared();
    server
        .post("/api/v1/tenants", json!({ "id": id }))
        .with(201);
    server
}

#[test]
fn a_credential_lives_and_dies() {
    let server = tenant("c-life");
    let new = json!({
        "name": "dev1", "tenant": "c-life", "groups": ["DM.X", "Y"], "description": "a pump",
        "client_id": "exact:pump", "attributes": { "line": "4" },
        "expires_at": "2130-01-01T00:00:00Z",
    });
    let made = server.post("/api/v1/credentials", new).with(201);
    assert_eq!(
        made.header("location"),
        Some("/api/v1/credentials/dev1@c-life")
    );
    assert_eq!(made.body["state"], "Inactive");
    assert!(made.body["secret"].as_str().unwrap().len() >= 16);
    let path = "/api/v1/credentials/dev1@c-life";
    let shown = server.get(path).with(200);
    assert_eq!(shown.body.get("secret"), None);
    assert_eq!(shown.body["groups"], json!(["DM.X", "Y"]));
    assert_eq!(shown.body["client_id"], "pump");
    assert_eq!(shown.body["expires_at"], "2130-01-01T00:00:00.000Z");

    let change = json!({
        "description": null, "groups": ["Y", "Z"], "attributes": { "line": null, "row": "1" },
        "expires_at": null, "client_id": "any",
    });
    let tried = server
        .patch(&format!("{path}?dry_run=true"), change.clone())
        .with(200);
    assert_eq!(server.get(path).body, shown.body);
    let changed = server.patch(path, change).with(200);
    assert_eq!(changed.body["attributes"], json!({ "row": "1" }));
    assert_eq!(changed.body["groups"], json!(["Y", "Z"]));
    for key in ["description", "expires_at", "client_id"] {
        assert_eq!(changed.body[key], Value::Null, "{key}");
        assert_eq!(tried.body[key], Value::Null, "{key}");
    }
    let past = json!({ "expires_at": "2001-01-01T00:00:00Z" });
    server.patch(path, past).with(422).is("invalid");

    for (act, body, state) in [
        ("suspend", None, "Suspended"),
        ("reactivate", None, "Inactive"),
        ("revoke", Some(json!({ "reason": "stolen" })), "Revoked"),
    ] {
        let act = format!("{path}/{act}");
        let before = server.get(path).body["state"].clone();
        let tried = server.ask("POST", &format!("{act}?dry_run=true"), body.clone(), &[]);
        assert_eq!(tried.with(200).body["state"], state);
        assert_eq!(server.get(path).body["state"], before);
        let done = server.ask("POST", &act, body, &[]).with(200);
        assert_eq!(done.body["state"], state);
        assert_eq!(server.get(path).header("etag"), done.header("etag"));
    }
    assert_eq!(server.get(path).body["revoked_reason"], "stolen");
    let act = format!("{path}/reactivate");
    server.ask("POST", &act, None, &[]).with(409).is("conflict");
    server.delete(&format!("{path}?dry_run=true")).with(204);
    server.get(path).with(200);
    server.delete(path).with(204);
    server.get(path).with(404);
}

#[test]
fn secrets_are_made_chosen_taken_over_and_renewed() {
    let server = tenant("c-secrets");
    let make = |more: Value| {
        let mut new = json!({ "tenant": "c-secrets" });
        new.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        server.post("/api/v1/credentials", new)
    };
    let chosen = make(json!({ "name": "dev1", "password": "correct horse" })).with(201);
    assert_eq!(chosen.body["secret"], Value::Null);
    let taken =
        json!({ "name": "VW-ABC123", "scheme": "vwire", "secret": "at_7f3a1c9e2b844d6fa913" });
    assert_eq!(make(taken).with(201).body["secret"], Value::Null);
    let token = make(json!({ "name": "dev9", "scheme": "vwire-token" })).with(201);
    assert!(token.body["secret"].as_str().unwrap().starts_with("dt_"));
    let shown = server.get("/api/v1/credentials/dev9@c-secrets").with(200);
    assert_ne!(shown.body["username"], token.body["username"]);
    for wrong in [
        json!({ "name": "x", "password": "a", "secret": "b" }),
        json!({ "name": "x", "weak": true }),
        json!({ "name": "x", "expires_at": "2001-01-01T00:00:00Z" }),
        json!({ "name": "x", "expires_at": "tomorrow" }),
        json!({ "name": "x", "scheme": null }),
        json!({ "name": "x", "nonsense": 1 }),
        json!({}),
    ] {
        make(wrong).with(422).is("invalid");
    }
    make(json!({ "name": "x", "scheme": "nonsense" })).with(404);
    make(json!({ "name": "x", "roles": ["nonsense"] })).with(404);

    let path = "/api/v1/credentials/dev1@c-secrets";
    let before = server.get(path).with(200);
    for act in ["reset-password", "rotate"] {
        let act = format!("{path}/{act}?dry_run=true");
        let tried = server.ask("POST", &act, None, &[]).with(200);
        // It is nobody's secret.
        assert_eq!(tried.body["secret"], Value::Null);
        let generation = before.body["generation"].as_i64().unwrap();
        let after = tried.body["generation"].as_i64();
        assert_eq!(after, generation.checked_add(1));
        assert_eq!(server.get(path).header("etag"), before.header("etag"));
    }
    let reset = server
        .ask("POST", &format!("{path}/reset-password"), None, &[])
        .with(200);
    assert!(reset.body["secret"].is_string());
    let chosen = server.post(
        &format!("{path}/reset-password"),
        json!({ "password": "x y z" }),
    );
    assert_eq!(chosen.with(200).body["secret"], Value::Null);
    let overlap = json!({ "overlap": "24h" });
    let rotated = server.post(&format!("{path}/rotate"), overlap).with(200);
    assert!(rotated.body["old_secret_until"].is_string());
    server
        .post(&format!("{path}/rotate"), json!({ "overlap": "soon" }))
        .with(422);
    server
        .ask("POST", &format!("{path}/untie"), None, &[])
        .with(409);
}

#[test]
fn credentials_are_selected_by_what_they_are() {
    let server = tenant("c-list");
    for (name, group) in [("a1", "A"), ("a2", "A.X"), ("b1", "B")] {
        let new = json!({ "name": name, "tenant": "c-list", "groups": [group] });
        server.post("/api/v1/credentials", new).with(201);
    }
    server
        .ask("POST", "/api/v1/credentials/b1@c-list/suspend", None, &[])
        .with(200);
    for (words, names) in [
        ("", vec!["a1", "a2", "b1"]),
        ("&group=A", vec!["a1", "a2"]),
        ("&state=Suspended", vec!["b1"]),
        ("&prefix=a", vec!["a1", "a2"]),
        ("&scheme=impact", vec![]),
        ("&after=a1@c-list", vec!["a2", "b1"]),
        ("&limit=1", vec!["a1"]),
        ("&unused_since=2001-01-01T00:00:00Z", vec![]),
    ] {
        let path = format!("/api/v1/credentials?tenant=c-list{words}");
        let names: Vec<_> = names.iter().map(|name| format!("{name}@c-list")).collect();
        assert_eq!(server.get(&path).with(200).items("name"), names, "{words}");
    }
    server.get("/api/v1/credentials?tenant=nonsense").with(404);
    server.get("/api/v1/credentials?state=Lost").with(422);
    server.get("/api/v1/credentials?offset=10").with(422);
}

#[test]
fn a_credential_is_given_rules_and_they_are_taken_away() {
    let server = tenant("c-rules");
    server
        .post(
            "/api/v1/credentials",
            json!({ "name": "dev1", "tenant": "c-rules" }),
        )
        .with(201);
    let path = "/api/v1/credentials/dev1@c-rules/rules";
    let rule = json!({
        "effect": "deny", "action": "publish", "pattern": "c-rules/${username}/#",
    });
    let given = server.post(path, rule.clone()).with(201);
    assert_eq!(given.header("location"), Some(path));
    assert_eq!(given.items("pattern"), ["c-rules/${username}/#"]);
    server.post(path, rule).with(409).is("exists");
    let outside =
        json!({ "effect": "allow", "action": "both", "pattern": "other/#", "max_qos": 1 });
    server.post(path, outside).with(422);
    let useless = json!({ "effect": "allow", "action": "publish", "pattern": "elsewhere/x" });
    let warned = server.post(path, useless).with(201);
    assert!(!warned.body["warnings"].as_array().unwrap().is_empty());
    for wrong in [
        json!({ "effect": "perhaps", "action": "both", "pattern": "c-rules/x" }),
        json!({ "effect": "allow", "action": "publish", "pattern": "c-rules/x", "max_qos": 3 }),
        json!({ "effect": "allow", "action": "publish", "pattern": "$SYS/#" }),
        json!({ "effect": "allow", "action": "publish", "pattern": "a/${b" }),
    ] {
        server.post(path, wrong).with(422);
    }
    let which = "action=publish&pattern=c-rules/%24%7Busername%7D/%23";
    server
        .delete(&format!("{path}?{which}&dry_run=maybe"))
        .with(422);
    server.delete(&format!("{path}?{which}")).with(204);
    server.delete(&format!("{path}?{which}")).with(404);
    assert_eq!(server.get(path).with(200).items("pattern"), ["elsewhere/x"]);
}

#[test]
fn names_with_any_characters_have_a_place() {
    let server = tenant("c-names");
    let new = json!({ "name": "a/b ü?%", "tenant": "c-names" });
    let made = server.post("/api/v1/credentials", new).with(201);
    let place = made.header("location").unwrap().to_owned();
    assert_eq!(server.get(&place).with(200).body["name"], made.body["name"]);
    server.delete(&place).with(204);
}
