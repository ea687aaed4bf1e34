//! Tenants.

use serde_json::{Value, json};

use crate::fixture::Server;

#[test]
fn a_tenant_is_made_shown_listed_changed_and_deleted() {
    let server = Server::shared();
    let made = server
        .post("/api/v1/tenants", json!({ "id": "t-life" }))
        .with(201);
    assert_eq!(made.header("location"), Some("/api/v1/tenants/t-life"));
    assert_eq!(made.body["namespaces"], json!(["t-life/#"]));
    server
        .post("/api/v1/tenants", json!({ "id": "t-life" }))
        .with(409)
        .is("exists");
    let shown = server.get("/api/v1/tenants/t-life").with(200);
    assert_eq!(shown.body, made.body);
    let listed = server.get("/api/v1/tenants?limit=1000").with(200);
    assert!(listed.items("id").contains(&"t-life".into()));

    let path = "/api/v1/tenants/t-life";
    let change = json!({
        "authentication": "optional", "subscribe": "filtered", "client_id_prefix": "t-life-",
        "namespaces": ["t-life/#", "t-life-more/#"], "sys_read": true, "name_prefix": "t-",
        "lockout": "failures=3,step=10m,longest=1h", "anonymous_rights": "none",
    });
    let changed = server.patch(path, change.clone()).with(200);
    for (key, value) in change.as_object().unwrap() {
        assert_eq!(changed.body[key], *value, "{key}");
    }
    // What is not said stays; what is null goes.
    let nothing = json!({ "client_id_prefix": null, "lockout": null, "name_prefix": null });
    let changed = server.patch(path, nothing).with(200);
    assert_eq!(changed.body["client_id_prefix"], Value::Null);
    assert_eq!(changed.body["authentication"], "optional");
    let changed = server
        .patch(path, json!({ "namespaces": ["t-life/#"] }))
        .with(200);
    assert_eq!(changed.body["namespaces"], json!(["t-life/#"]));
    assert_eq!(server.patch(path, json!({})).with(200).body, changed.body);
    server
        .patch(path, json!({ "namespaces": [] }))
        .with(409)
        .is("conflict");
    server
        .patch(path, json!({ "authentication": null }))
        .with(422)
        .is("invalid");
    server
        .patch(path, json!({ "default_roles": ["nobody"] }))
        .with(404)
        .is("not-found");

    server
        .post(
            "/api/v1/credentials",
            json!({ "name": "dev1", "tenant": "t-life" }),
        )
        .with(201);
    server.delete(path).with(409).is("in-use");
    let gone = server
        .delete("/api/v1/tenants/t-life?cascade=true")
        .with(204);
    assert!(gone.text.is_empty());
    server.get(path).with(404).is("not-found");
    server.delete(path).with(404).is("not-found");
    server.get("/api/v1/credentials/dev1@t-life").with(404);
}

#[test]
fn a_tenant_with_many_credentials_is_deleted_step_by_step() {
    let server = Server::shared();
    server
        .post("/api/v1/tenants", json!({ "id": "t-many" }))
        .with(201);
    for _ in 0..120 {
        let new = json!({ "tenant": "t-many", "scheme": "generated" });
        server.post("/api/v1/credentials", new).with(201);
    }
    server
        .delete("/api/v1/tenants/t-many?cascade=true")
        .with(204);
    server.get("/api/v1/tenants/t-many").with(404);
}

#[test]
fn taking_topics_has_to_be_wanted_and_a_dry_run_says_who_would_lose_them() {
    let server = Server::start();
    let all = json!({ "id": "home", "namespaces": ["#"] });
    server.post("/api/v1/tenants", all).with(201);
    let new = json!({ "name": "dev1", "tenant": "home" });
    server.post("/api/v1/credentials", new).with(201);
    let other = json!({ "id": "other" });
    server.post("/api/v1/tenants", other.clone()).with(409);
    let losers = server
        .post("/api/v1/tenants?dry_run=true", other.clone())
        .with(200);
    assert_eq!(losers.items("tenant"), ["home"]);
    server.get("/api/v1/tenants/other").with(404);
    server
        .post("/api/v1/tenants?take=true&keep_strict=true", other)
        .with(201);
    let home = server.get("/api/v1/tenants/home").with(200);
    assert_eq!(home.body["subscribe"], "strict");
    let more = json!({ "namespaces": ["other/#", "more/#"] });
    let losers = server
        .patch("/api/v1/tenants/other?dry_run=true", more.clone())
        .with(200);
    assert_eq!(losers.items("tenant"), ["home"]);
    server
        .patch("/api/v1/tenants/other", more.clone())
        .with(409);
    server
        .patch("/api/v1/tenants/other?take=true", more)
        .with(200);
    let home = server.get("/api/v1/tenants/home").with(200);
    assert_eq!(home.body["subscribe"], "filtered");
}

#[test]
fn an_act_is_done_to_the_version_alone_that_was_seen() {
    let server = Server::shared();
    server
        .post("/api/v1/tenants", json!({ "id": "t-tags" }))
        .with(201);
    let path = "/api/v1/tenants/t-tags";
    let first = server.get(path).header("etag").unwrap().to_owned();
    let change = |tag: &str, mode: &str| {
        let body = json!({ "subscribe": mode });
        server.ask("PATCH", path, Some(body), &[("If-Match", tag)])
    };
    let second = change(&first, "filtered").with(200);
    let second = second.header("etag").unwrap();
    assert_ne!(second, first);
    assert_eq!(server.get(path).header("etag"), Some(second));
    change(&first, "strict").with(412).is("precondition-failed");
    change("*", "filtered").with(200);
    let delete = |tag: &str| server.ask("DELETE", path, None, &[("If-Match", tag)]);
    delete(&first).with(412);
    delete(second).with(204);
}

#[test]
fn a_listing_goes_on_where_the_part_before_ended() {
    let server = Server::start();
    for id in ["a", "b", "c", "d", "e"] {
        server
            .post("/api/v1/tenants", json!({ "id": id }))
            .with(201);
    }
    let mut found = Vec::new();
    let mut path = "/api/v1/tenants?limit=2".to_owned();
    loop {
        let part = server.get(&path).with(200);
        assert!(part.items("id").len() <= 2);
        found.extend(part.items("id"));
        let Some(next) = part.body["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/tenants?limit=2&after={next}");
    }
    assert_eq!(found, ["a", "b", "c", "d", "e"]);
    for wrong in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "after=A",
        "page=2",
        "limit=1&limit=2",
    ] {
        server
            .get(&format!("/api/v1/tenants?{wrong}"))
            .with(422)
            .is("invalid");
    }
}
