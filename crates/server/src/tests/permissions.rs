//! Every route as every kind of caller, against one table.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_admin::Authority;
use serde_json::{Value, json};

use crate::fixture::Server;
use crate::route::Access;

/// The users who call: a platform administrator, an administrator of the tenant, one of
/// a group in it, a viewer of it, an administrator of another, and one without grants.
const USERS: [&str; 6] = ["root", "adam", "gus", "vera", "otto", "paul"];

/// What a caller may not: the marks of 401, 403 and 404.
const REFUSED: [(u16, char); 3] = [(401, '1'), (403, '3'), (404, '4')];

/// A row: method, path, what nobody and the users are answered, and a body. `+` is
/// whatever is no refusal. Requests name a version that there is not, or something that
/// is there already, so that nothing is changed by those who may.
const TABLE: &str = include_str!("permissions.txt");

#[test]
fn every_route_answers_every_kind_of_caller_as_the_table_says() {
    let server = furnished();
    server.become_somebody(Some(Authority::Platform));
    let scheme = server.get("/api/v1/schemes/vwire").with(200).text;
    server.become_somebody(None);
    let table = TABLE.replace("SCHEME", &scheme);
    let mut reached = BTreeSet::new();
    let mut wrong = Vec::new();
    let rows = table
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'));
    for row in rows {
        let mut words = row.splitn(4, ' ').map(str::trim);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (expected, body) = (words.next().unwrap(), words.next());
        let body: Option<Value> = body.map(|body| serde_json::from_str(body).expect(row));
        let path = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("/api/v1/{path}"),
        };
        let mut found = String::new();
        for caller in [None].into_iter().chain(USERS.map(Some)) {
            let shown = caller.map(|name| STANDARD.encode(format!("{name}:correct horse")));
            let shown = shown.map(|shown| format!("Basic {shown}"));
            let mut headers = vec![("If-Match", "\"no such version\"")];
            headers.extend(
                shown
                    .as_ref()
                    .map(|shown| ("Authorization", shown.as_str())),
            );
            let reply = server.ask(method, &path, body.clone(), &headers);
            let mark = REFUSED.iter().find(|(status, _)| *status == reply.status);
            found.push(mark.map_or('+', |(_, mark)| *mark));
        }
        if found != expected {
            wrong.push(format!("{method} {path}: {found}, not {expected}"));
        }
        reached.insert(server.template(method, &path).unwrap().to_owned() + " " + method);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let routes = crate::rest::routes().into_iter();
    let routes = routes.filter(|route| route.access != Access::Open);
    let routes: BTreeSet<_> = routes
        .map(|route| format!("{} {}", route.path, route.method))
        .collect();
    let missing: Vec<_> = routes.difference(&reached).collect();
    assert!(missing.is_empty(), "no row has {missing:?}");
}

/// A service with one of everything, and the users.
fn furnished() -> Server {
    let server = Server::start();
    let post = |path: &str, body: Value| {
        server.post(&format!("/api/v1/{path}"), body).with(201);
    };
    post("tenants", json!({ "id": "acme", "default_rights": "none" }));
    post("tenants", json!({ "id": "other" }));
    post("tenants/acme/roles", json!({ "name": "ops" }));
    let rule = json!({ "effect": "allow", "action": "both", "pattern": "acme/y" });
    post("tenants/acme/roles/ops/rules", rule.clone());
    post("tenants/acme/applications", json!({ "name": "fleet" }));
    post(
        "tenants/acme/things",
        json!({ "key": "pump", "application": "fleet" }),
    );
    for (name, groups) in [("dev1", json!(["DM.X"])), ("dev2", json!([]))] {
        let new = json!({ "name": name, "tenant": "acme", "groups": groups });
        post("credentials", new);
    }
    post("credentials/dev1@acme/rules", rule);
    post("operators", json!({ "name": "bridge", "publish": ["a"] }));
    for name in USERS.into_iter().chain(["joe"]) {
        let is_root = name == "root";
        let user = json!({ "email": name, "password": "correct horse", "platform_admin": is_root });
        post("users", user);
    }
    for (name, tenant, grant) in [
        ("adam", "acme", json!({ "org_admin": true })),
        ("gus", "acme", json!({ "org_admin": true, "group": "DM" })),
        ("vera", "acme", json!({ "viewer": true })),
        ("otto", "other", json!({ "org_admin": true })),
        ("joe", "acme", json!({ "role": "ops" })),
    ] {
        let path = format!("/api/v1/users/{name}/grants/{tenant}");
        server.ask("PUT", &path, Some(grant), &[]).with(200);
    }
    server.become_somebody(None);
    server
}
