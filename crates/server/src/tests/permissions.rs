//! Every route as every kind of caller, against one table.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_admin::Authority;
use countersign_core::name::TenantId;
use serde_json::{Value, json};

use crate::door::{Door, Doors};
use crate::fixture::{Reply, Server, admits};
use crate::route::{Access, Route};
use crate::tests::certificates_and_issuers::{JWKS, certificate, issuer};

/// The users who call: a platform administrator, an administrator of the tenant, one of
/// a group in it, a viewer of it, an administrator of another, and one without grants.
const USERS: [&str; 6] = ["root", "adam", "gus", "vera", "otto", "paul"];

/// What a caller may not: the marks of 401, 403 and 404.
const REFUSED: [(u16, char); 3] = [(401, '1'), (403, '3'), (404, '4')];

/// A row: method, path, what nobody and the users are answered, and a body. `+` is
/// whatever is no refusal. Requests name a version that there is not, or something that
/// is there already, so that nothing is changed by those who may; what is deleted at a
/// door is made anew for each.
const TABLE: &str = include_str!("permissions.txt");

#[test]
fn every_route_answers_every_kind_of_caller_as_the_table_says() {
    let server = furnished();
    server.become_somebody(Some(Authority::Platform));
    let scheme = server.get("/api/v1/schemes/vwire").with(200).text;
    let number = |name: &str| {
        let shown = server.get(&format!("/api/v1/credentials/{name}")).with(200);
        shown.body["id"].to_string()
    };
    let [dev1, dev2, dev3] = ["dev1@acme", "dev2@acme", "dev3@acme"].map(number);
    server.become_somebody(None);
    let table = TABLE.replace("SCHEME", &scheme);
    let (pem, fingerprint) = certificate("p256");
    let pem = json!(pem).to_string();
    let meant = [
        ("DEV1", dev1),
        ("DEV2", dev2),
        ("DEV3", dev3),
        ("PEM", pem.trim_matches('"').to_owned()),
        ("FINGERPRINT", fingerprint),
        ("NOSUCH", "0".repeat(64)),
        ("ISSUER", issuer("acme", "sso").to_string()),
        ("JWKS", JWKS.to_owned()),
    ];
    let table = meant
        .iter()
        .fold(table, |table, (said, meant)| table.replace(said, meant));
    let doors = Doors::of(&doors()).unwrap();
    let at_doors: Vec<_> = doors.routes().collect();
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
            let path = fresh(&server, &path);
            let reply = if doors.at(path.split('?').next().unwrap()).is_some() {
                server.ask_at_door(method, &path, body.clone(), &headers)
            } else {
                server.ask(method, &path, body.clone(), &headers)
            };
            found.push(mark_of(&reply));
        }
        if found != expected {
            wrong.push(format!("{method} {path}: {found}, not {expected}"));
        }
        let template = door_template(&at_doors, method, &path);
        let template = template.or_else(|| server.template(method, &path));
        reached.insert(template.unwrap().to_owned() + " " + method);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let routes = crate::rest::routes().into_iter().chain(at_doors);
    let routes = routes.filter(|route| route.access != Access::Open);
    let routes: BTreeSet<_> = routes
        .map(|route| format!("{} {}", route.path, route.method))
        .collect();
    let missing: Vec<_> = routes.difference(&reached).collect();
    assert!(missing.is_empty(), "no row has {missing:?}");
}

/// All doors, which lead to one tenant.
fn doors() -> Vec<Door> {
    Door::all(&TenantId::parse("acme").unwrap())
}

/// The path, for a credential that was made just now where one is to be deleted.
fn fresh(server: &Server, path: &str) -> String {
    let scheme = [("FRESH-BASIC", "basic"), ("FRESH-GENERATED", "generated")]
        .into_iter()
        .find(|(said, _)| path.contains(said));
    let Some((said, scheme)) = scheme else {
        return path.to_owned();
    };
    server.become_somebody(Some(Authority::Platform));
    let name = (scheme == "basic").then_some("fresh");
    let _ = server.delete("/api/v1/credentials/fresh@acme");
    let new = json!({ "name": name, "tenant": "acme", "scheme": scheme });
    let made = server.post("/api/v1/credentials", new).with(201);
    server.become_somebody(None);
    path.replace(said, &made.body["id"].to_string())
}

/// The path of the door's route that a request takes.
fn door_template<'a>(doors: &'a [Route], method: &str, path: &str) -> Option<&'a str> {
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let mut routes = doors.iter();
    let found = routes.find(|route| route.method == method && admits(route.path, path));
    found.map(|route| route.path)
}

/// What an answer is in the table.
fn mark_of(reply: &Reply) -> char {
    // One door tells its refusals by numbers, with the status 200.
    let told = ["/1/errorCodes/0", "/errorCodes/0"].map(|place| reply.body.pointer(place));
    let told = told.into_iter().flatten().find_map(Value::as_i64);
    let status = match told {
        Some(-91_010) => 401,
        Some(-91_005) => 403,
        Some(-91_006) => 404,
        Some(_) | None => reply.status,
    };
    let mark = REFUSED.iter().find(|(it, _)| *it == status);
    mark.map_or('+', |(_, mark)| *mark)
}

/// A service with one of everything, and the users.
pub(super) fn furnished() -> Server {
    let server = Server::start_with(|options| options.doors = doors());
    server.become_somebody(Some(Authority::Platform));
    let post = |path: &str, body: Value| {
        server.post(&format!("/api/v1/{path}"), body).with(201);
    };
    post("tenants", json!({ "id": "acme", "default_rights": "none" }));
    post("tenants", json!({ "id": "other" }));
    post("tenants/acme/roles", json!({ "name": "ops" }));
    let token = json!({ "name": "taken", "tenant": "acme", "scheme": "impact" });
    let rule = json!({ "effect": "allow", "action": "both", "pattern": "acme/y" });
    post("tenants/acme/roles/ops/rules", rule.clone());
    post("tenants/acme/applications", json!({ "name": "fleet" }));
    post(
        "tenants/acme/things",
        json!({ "key": "pump", "application": "fleet" }),
    );
    for (name, groups) in [
        ("dev1", json!(["DM.X"])),
        ("dev2", json!([])),
        ("dev3", json!(["DM.X"])),
    ] {
        let new = json!({ "name": name, "tenant": "acme", "groups": groups });
        post("credentials", new);
    }
    post("credentials/dev1@acme/rules", rule);
    let (pem, _) = certificate("p256");
    post("credentials/dev1@acme/certificates", json!({ "pem": pem }));
    let authority = json!({ "tenant": "acme", "pem": pem, "identity": "cn" });
    post("authorities", authority);
    post("issuers", issuer("acme", "sso"));
    server
        .post("/api/v1/issuers/sso/revoke", json!({ "jti": "t-1" }))
        .with(200);
    server
        .post("/api/v1/credentials/dev3@acme/revoke", json!({}))
        .with(200);
    post("credentials", token);
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
