//! Acts on many credentials.

use serde_json::{Value, json};

use crate::fixture::{Reply, Server};

const BULK: &str = "/api/v1/credentials/bulk";

/// A service of its own with so many devices in a tenant, and one in another.
fn with_devices(count: usize) -> Server {
    let server = Server::start();
    for tenant in ["acme", "other"] {
        let new = json!({ "id": tenant, "default_rights": "none" });
        server.post("/api/v1/tenants", new).with(201);
    }
    let acme = (0..count).map(|number| (format!("d{number:03}"), "acme"));
    for (name, tenant) in acme.chain([("x".to_owned(), "other")]) {
        let new = json!({ "name": name, "tenant": tenant });
        server.post("/api/v1/credentials", new).with(201);
    }
    server
}

fn state(server: &Server, name: &str) -> Value {
    let shown = server.get(&format!("/api/v1/credentials/{name}"));
    shown.with(200).body["state"].clone()
}

/// How many matched, were done, skipped and failed.
fn sums(reply: &Reply) -> [u64; 4] {
    let failed = reply.body["failed"].as_array().unwrap().len();
    let of = |key: &str| reply.body[key].as_u64().unwrap();
    [of("matched"), of("done"), of("skipped"), failed as u64]
}

#[test]
fn what_is_selected_is_tried_and_then_done_step_by_step() {
    // More than one transaction takes.
    let server = with_devices(120);
    let of_acme = json!({ "act": "suspend", "selection": { "tenant": "acme" }, "dry_run": true });
    let tried = server.post(BULK, of_acme).with(200);
    assert_eq!(sums(&tried), [120, 120, 0, 0]);
    assert_eq!(tried.body["names"].as_array().unwrap().len(), 120);
    assert_eq!(state(&server, "d000@acme"), "Inactive");
    let of_acme = json!({ "act": "suspend", "selection": { "tenant": "acme" } });
    let done = server.post(BULK, of_acme.clone()).with(200);
    assert_eq!(sums(&done), [120, 120, 0, 0]);
    assert_eq!(done.body["sessions_ended"], 0);
    for name in ["d000@acme", "d119@acme"] {
        assert_eq!(state(&server, name), "Suspended");
    }
    assert_eq!(state(&server, "x@other"), "Inactive");
    assert_eq!(sums(&server.post(BULK, of_acme)), [120, 0, 120, 0]);
    let first = json!({ "act": "delete", "selection": { "tenant": "acme", "prefix": "d00" } });
    assert_eq!(sums(&server.post(BULK, first)), [10, 10, 0, 0]);
    let left = json!({ "act": "reactivate", "selection": { "all": true } });
    assert_eq!(sums(&server.post(BULK, left)), [111, 110, 1, 0]);
}

#[test]
fn of_what_is_named_each_is_done_by_itself() {
    let server = with_devices(3);
    let names = json!(["d000@acme", "d001@acme", "d001@acme", "nobody@acme"]);
    let reset = json!({ "act": "reset-password", "names": names });
    let done = server.post(BULK, reset).with(200);
    assert_eq!(sums(&done), [3, 2, 0, 1]);
    let failed = &done.body["failed"][0];
    assert_eq!(failed["name"], "nobody@acme");
    assert!(failed["error"].as_str().unwrap().contains("nobody@acme"));
    let secrets = done.body["secrets"].as_array().unwrap();
    let of: Vec<_> = secrets.iter().map(|it| it["name"].clone()).collect();
    assert_eq!(of, ["d000@acme", "d001@acme"]);
    assert!(secrets[0]["secret"].as_str().unwrap().len() >= 16);
    let revoke = json!({ "act": "revoke", "names": ["d000@acme"], "reason": "stolen" });
    assert_eq!(sums(&server.post(BULK, revoke)), [1, 1, 0, 0]);
    let shown = server.get("/api/v1/credentials/d000@acme").body;
    assert_eq!(shown["revoked_reason"], "stolen");
    let rotate = json!({ "act": "rotate", "names": ["d001@acme"], "overlap": "1h" });
    assert_eq!(sums(&server.post(BULK, rotate)), [1, 1, 0, 0]);
    for wrong in [
        json!({ "act": "suspend" }),
        json!({ "act": "suspend", "names": [], "selection": { "all": true } }),
        json!({ "act": "suspend", "selection": {} }),
        json!({ "act": "suspend", "selection": { "nonsense": 1 } }),
        json!({ "act": "suspend", "names": ["d001@acme"], "reason": "x" }),
        json!({ "act": "revoke", "names": ["d001@acme"], "until_used": true }),
        json!({ "act": "explode", "names": ["d001@acme"] }),
        json!({ "act": "suspend", "names": ["a#b"] }),
    ] {
        server.post(BULK, wrong).with(422).is("invalid");
    }
    assert_eq!(state(&server, "d002@acme"), "Inactive");
}

#[test]
fn many_are_changed_and_a_dry_run_says_what_that_gives_and_takes() {
    let server = with_devices(60);
    let roles = "/api/v1/tenants/acme/roles";
    server.post(roles, json!({ "name": "ops" })).with(201);
    let rule = json!({ "effect": "allow", "action": "publish", "pattern": "acme/y" });
    server.post(&format!("{roles}/ops/rules"), rule).with(201);
    let changes = json!({ "add_roles": ["ops"], "attributes": { "line": "4" } });
    let mut set = json!({ "act": "set", "selection": { "tenant": "acme" }, "changes": changes });
    let path = format!("{BULK}?dry_run=true");
    let tried = server.post(&path, set.clone()).with(200);
    assert_eq!(sums(&tried), [60, 60, 0, 0]);
    let effects = tried.body["effects"].as_array().unwrap();
    let of: Vec<_> = effects.iter().map(|it| &it["name"]).collect();
    assert_eq!(
        (of.len(), of[0], of[59]),
        (60, &json!("d000@acme"), &json!("d059@acme"))
    );
    let gains = json!([{ "action": "publish", "pattern": "acme/y" }]);
    assert_eq!(
        (&effects[0]["gains"], &effects[0]["loses"]),
        (&gains, &json!([]))
    );
    let shown = |name: &str| server.get(&format!("/api/v1/credentials/{name}")).body;
    assert_eq!(shown("d000@acme")["roles"], json!([]));
    let done = server.post(BULK, set.clone()).with(200);
    assert_eq!(sums(&done), [60, 60, 0, 0]);
    assert_eq!(done.body.get("effects"), None);
    assert_eq!(sums(&server.post(BULK, set.clone())), [60, 0, 60, 0]);
    let changed = shown("d059@acme");
    assert_eq!(changed["roles"], json!(["ops"]));
    assert_eq!(changed["attributes"], json!({ "line": "4" }));
    set["changes"] = json!({ "remove_roles": ["ops"], "attributes": { "line": null } });
    set["selection"] = json!({ "tenant": "acme", "prefix": "d00" });
    assert_eq!(sums(&server.post(BULK, set)), [10, 10, 0, 0]);
    let changed = shown("d000@acme");
    assert_eq!(changed["roles"], json!([]));
    assert_eq!(changed["attributes"], json!({}));
    for wrong in [
        json!({ "act": "set" }),
        json!({ "act": "set", "changes": {} }),
        json!({ "act": "set", "changes": { "roles": ["ops"] } }),
        json!({ "act": "set", "changes": { "expires_at": "2001-01-01T00:00:00Z" } }),
        json!({ "act": "suspend", "changes": { "description": "x" } }),
    ] {
        let mut wrong = wrong;
        wrong["names"] = json!(["d000@acme"]);
        server.post(BULK, wrong).with(422).is("invalid");
    }
}

#[test]
fn nobody_reaches_by_many_what_they_may_not_reach_by_one() {
    let server = with_devices(2);
    let token = |scope: &str| {
        let made = server.post("/api/v1/tokens", json!({ "scope": scope }));
        format!("Bearer {}", made.with(201).body["secret"].as_str().unwrap())
    };
    let (admin, viewer) = (token("tenant:acme"), token("viewer:acme"));
    server.become_somebody(None);
    let ask = |token: &str, act: &str, which: Value| {
        let mut body = json!({ "act": act });
        let which = which.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(which);
        server.ask("POST", BULK, Some(body), &[("Authorization", token)])
    };
    let both = json!({ "names": ["d000@acme", "x@other", "nobody@other"] });
    let by_viewer = ask(&viewer, "suspend", both.clone()).with(200);
    assert_eq!(sums(&by_viewer), [3, 0, 0, 3]);
    let by_admin = ask(&admin, "suspend", both).with(200);
    assert_eq!(sums(&by_admin), [3, 1, 0, 2]);
    let failed = &by_admin.body["failed"];
    let told = |at: usize| {
        let failed = &failed[at];
        let name = failed["name"].as_str().unwrap();
        failed["error"].as_str().unwrap().replace(name, "NAME")
    };
    assert_eq!(told(0), told(1));
    ask(&admin, "delete", json!({ "selection": { "all": true } })).with(403);
    ask(
        &admin,
        "delete",
        json!({ "selection": { "tenant": "other" } }),
    )
    .with(404);
    let seen = ask(
        &viewer,
        "delete",
        json!({ "selection": { "tenant": "acme" } }),
    )
    .with(200);
    assert_eq!(sums(&seen), [2, 0, 0, 2]);
    server.become_somebody(Some(countersign_admin::Authority::Platform));
    assert_eq!(state(&server, "x@other"), "Inactive");
    assert_eq!(state(&server, "d000@acme"), "Suspended");
    assert_eq!(state(&server, "d001@acme"), "Inactive");
}
