//! Who is known, by what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fixture::{Reply, Server};

const JANE: &str = "jane@mail.test";

/// A service with a tenant and a user who administers it, to which nobody else is known.
fn with_jane() -> Server {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let jane = json!({ "email": JANE, "password": "correct horse" });
    server.post("/api/v1/users", jane).with(201);
    let grant = format!("/api/v1/users/{JANE}/grants/acme");
    let admin = Some(json!({ "org_admin": true }));
    server.ask("PUT", &grant, admin, &[]).with(200);
    server.become_somebody(None);
    server
}

pub(super) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn get(server: &Server, path: &str, header: (&str, &str)) -> Reply {
    server.ask("GET", path, None, &[header])
}

/// The cookies that an answer has a browser keep, as the browser sends them.
fn cookies(reply: &Reply) -> String {
    let kept = reply.headers["set-cookie"].split('\n');
    let pairs = kept.map(|cookie| cookie.split(';').next().unwrap().to_owned());
    pairs.collect::<Vec<_>>().join("; ")
}

#[test]
fn an_api_token_is_known_until_it_is_revoked_and_reaches_its_tenant_alone() {
    let server = with_jane();
    let platform = format!("Bearer {}", server.platform_token());
    let all = ("Authorization", &*platform);
    get(&server, "/api/v1/tenants", all).with(200);
    let new = Some(json!({ "scope": "tenant:acme", "expires": "1h", "description": "ci" }));
    let made = server.ask("POST", "/api/v1/tokens", new, &[all]).with(201);
    assert_eq!(made.body["scope"], "tenant:acme");
    let token = format!("Bearer {}", made.body["secret"].as_str().unwrap());
    let ours = ("Authorization", &*token);
    get(&server, "/api/v1/tenants/acme", ours).with(200);
    let listed = get(&server, "/api/v1/tenants", ours).with(200);
    assert_eq!(listed.items("id"), ["acme"]);
    let me = get(&server, "/api/v1/me", ours).with(200);
    assert_eq!(
        (&me.body["id"], &me.body["scope"]),
        (&made.body["id"], &json!("tenant:acme"))
    );
    assert_eq!(me.body.get("secret"), None);
    get(&server, "/api/v1/me/tokens", ours).with(403);
    get(&server, "/api/v1/settings", ours)
        .with(403)
        .is("forbidden");
    get(&server, "/api/v1/tenants/other", ours)
        .with(404)
        .is("not-found");
    let new = Some(json!({ "name": "dev1", "tenant": "acme" }));
    server
        .ask("POST", "/api/v1/credentials", new, &[ours])
        .with(201);
    let listed = get(&server, "/api/v1/tokens?tenant=acme", ours).with(200);
    assert_eq!(listed.body["items"][0]["description"], "ci");
    assert_eq!(listed.body["items"][0].get("secret"), None);
    let actor = format!("http:token:{}", made.body["id"]);
    let audit = get(&server, "/api/v1/audit?act=credential.create", all).with(200);
    assert_eq!(audit.items("actor"), [actor]);
    let place = made.header("location").unwrap();
    server.ask("DELETE", place, None, &[all]).with(204);
    get(&server, "/api/v1/tenants/acme", ours)
        .with(401)
        .is("unauthenticated");
    get(
        &server,
        "/api/v1/tenants",
        ("Authorization", "Bearer nonsense"),
    )
    .with(401);
    let wrong = Some(json!({ "scope": "everything" }));
    server
        .ask("POST", "/api/v1/tokens", wrong, &[all])
        .with(422);
}

#[test]
fn a_user_signs_in_and_out_and_the_cookie_is_one_that_scripts_never_see() {
    let server = with_jane();
    let sign_in = |password: &str, headers: &[(&str, &str)]| {
        let body = json!({ "email": "Jane@mail.test", "password": password });
        server.ask("POST", "/api/v1/session", Some(body), headers)
    };
    sign_in("wrong", &[]).with(401).is("unauthenticated");
    let begun = sign_in("correct horse", &[]).with(201);
    assert_eq!(begun.body["name"], JANE);
    for cookie in begun.headers["set-cookie"].split('\n') {
        assert!(cookie.starts_with("__Host-countersign"), "{cookie}");
        for word in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(cookie.contains(word), "{cookie}");
        }
    }
    let kept = cookies(&begun);
    let session = ("Cookie", &*kept);
    get(&server, "/api/v1/tenants/acme", session).with(200);
    let me = get(&server, "/api/v1/me", session).with(200);
    assert_eq!(me.body["email"], JANE);
    let own = get(&server, "/api/v1/me/sessions", session).with(200);
    assert_eq!(own.body["items"][0]["current"], true);
    // What the browser is known by does not sign it in, and it keeps what it has.
    let known = kept
        .split("; ")
        .find(|it| it.contains("-browser="))
        .unwrap();
    get(&server, "/api/v1/me", ("Cookie", known)).with(401);
    let again = sign_in("correct horse", &[("Cookie", known)]).with(201);
    assert!(!again.headers["set-cookie"].contains("-browser="));

    let ended = server
        .ask("DELETE", "/api/v1/session", None, &[session])
        .with(204);
    assert!(ended.headers["set-cookie"].contains("Max-Age=0"));
    get(&server, "/api/v1/me", session).with(401);
    let other = cookies(&again);
    let other = ("Cookie", &*other);
    let own = get(&server, "/api/v1/me/sessions", other).with(200);
    let id = &own.body["items"][0]["id"];
    server
        .ask("DELETE", "/api/v1/me/sessions/0", None, &[other])
        .with(404);
    server
        .ask("DELETE", "/api/v1/me/sessions/x", None, &[other])
        .with(404);
    let path = format!("/api/v1/me/sessions/{id}");
    server.ask("DELETE", &path, None, &[other]).with(204);
    get(&server, "/api/v1/me", other).with(401);
}

#[test]
fn a_password_in_each_request_is_taken_but_not_of_a_browser() {
    let server = with_jane();
    let right = basic(JANE, "correct horse");
    get(&server, "/api/v1/me", ("Authorization", &right)).with(200);
    get(
        &server,
        "/api/v1/me",
        ("Authorization", &basic(JANE, "wrong")),
    )
    .with(401);
    get(
        &server,
        "/api/v1/me",
        ("Authorization", &basic("nobody@mail.test", "x")),
    )
    .with(401);
    let browser = [
        ("Authorization", &*right),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    server.ask("GET", "/api/v1/me", None, &browser).with(401);
    // No session is there to end.
    let sign_out = server.ask("DELETE", "/api/v1/session", None, &browser[..1]);
    sign_out.with(404);
}

#[test]
fn a_user_changes_their_own_password_by_the_old_one_and_makes_tokens() {
    let server = with_jane();
    let right = basic(JANE, "correct horse");
    let jane = [("Authorization", &*right)];
    let post = |path: &str, body: Value| server.ask("POST", path, Some(body), &jane);
    let token = post("/api/v1/me/tokens", json!({ "scope": "viewer:acme" })).with(201);
    let token = format!("Bearer {}", token.body["secret"].as_str().unwrap());
    let viewer = [("Authorization", &*token)];
    server
        .ask("GET", "/api/v1/tenants/acme", None, &viewer)
        .with(200);
    let new = Some(json!({ "name": "ops" }));
    let made = server.ask("POST", "/api/v1/tenants/acme/roles", new, &viewer);
    made.with(403).is("forbidden");
    post("/api/v1/me/tokens", json!({ "scope": "platform" })).with(403);
    let own = server
        .ask("GET", "/api/v1/me/tokens", None, &jane)
        .with(200);
    assert_eq!(own.body["items"][0]["owner"], JANE);

    // There is no key file to seal a seed with, which is told once the password is right.
    let enrol = |password: &str| post("/api/v1/me/mfa/enrol", json!({ "password": password }));
    enrol("wrong").with(401);
    enrol("correct horse").with(503);
    post("/api/v1/me/mfa/confirm", json!({ "code": "123456" })).with(404);
    post(
        "/api/v1/me/mfa/disable",
        json!({ "password": "correct horse" }),
    )
    .with(404);

    let change = |old: &str| {
        let body = json!({ "password": old, "new_password": "battery staple" });
        post("/api/v1/me/password", body)
    };
    change("wrong").with(401);
    change("correct horse").with(200);
    change("correct horse").with(401);
    let new = basic(JANE, "battery staple");
    get(&server, "/api/v1/me", ("Authorization", &new)).with(200);
    // A token is somebody, and has nothing of its own.
    let me = server.ask("GET", "/api/v1/me", None, &viewer).with(200);
    assert_eq!(me.body["owner"], JANE);
    let own = server.ask("GET", "/api/v1/me/sessions", None, &viewer);
    own.with(403).is("forbidden");
}
