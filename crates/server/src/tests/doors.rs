//! Doors: which are open, and that they keep to what every route keeps to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_admin::Authority;
use serde_json::{Value, json};

use crate::door::Door;
use crate::fixture::{Reply, Server};

/// A service with such doors, to which nobody is known.
fn server(doors: &[&str]) -> Server {
    let doors: Vec<Door> = doors.iter().map(|door| door.parse().unwrap()).collect();
    Server::start_with(|options| options.doors = doors)
}

/// Makes something by REST as the platform, after which nobody is known again.
fn furnish(server: &Server, made: &[(&str, Value)]) {
    server.become_somebody(Some(Authority::Platform));
    for (path, body) in made {
        server
            .post(&format!("/api/v1/{path}"), body.clone())
            .with(201);
    }
    server.become_somebody(None);
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn is_impact_problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.body["code"], status, "{reply:?}");
    let text = reply.body["msg"].as_str().unwrap();
    assert!(!text.is_empty());
    assert_eq!(reply.body.as_object().unwrap().len(), 2, "{reply:?}");
}

#[test]
fn a_door_is_said_by_its_name_and_perhaps_a_tenant() {
    for (text, refused) in [
        ("impact", None),
        ("impact=acme", None),
        (
            "Impact",
            Some("`Impact` is no door; the doors are devicewise, impact, kaa, tier0"),
        ),
        ("", Some("`` is no door")),
        ("impact=", Some("tenant")),
        ("impact=Acme", Some("tenant")),
        ("impact=a=b", Some("tenant")),
    ] {
        let read: Result<Door, _> = text.parse();
        let told = read.map_err(|error| error.to_string()).err();
        match (&told, refused) {
            (None, None) => {}
            (Some(told), Some(refused)) => assert!(told.contains(refused), "{text}: {told}"),
            _ => panic!("{text}: {told:?}"),
        }
    }
    let twice = ["impact", "impact=acme"].map(|door| door.parse::<Door>().unwrap());
    let refused = crate::door::Doors::of(&twice).unwrap_err().to_string();
    assert_eq!(refused, "the door `impact` is said twice");
}

/// What deviceWISE's door answers to a message.
fn api(server: &Server, message: Value, headers: &[(&str, &str)]) -> Value {
    let reply = server.ask_at_door("POST", "/api", Some(message), headers);
    reply.with(200).body
}

#[test]
fn a_message_s_commands_are_given_in_their_order_and_one_that_fails_spoils_no_other() {
    let server = server(&["devicewise"]);
    furnish(
        &server,
        &[
            ("tenants", json!({ "id": "acme" })),
            (
                "users",
                json!({ "email": "jane@mail.test", "password": "correct horse" }),
            ),
        ],
    );
    server.become_somebody(Some(Authority::Platform));
    for tenant in ["acme", "beta"] {
        if tenant != "acme" {
            let new = json!({ "id": tenant });
            server.post("/api/v1/tenants", new).with(201);
        }
        let path = format!("/api/v1/users/jane@mail.test/grants/{tenant}");
        let grant = json!({ "org_admin": tenant == "acme", "viewer": tenant != "acme" });
        server.ask("PUT", &path, Some(grant), &[]).with(200);
    }
    server.become_somebody(None);
    let login = |password: &str| {
        let params = json!({ "username": "jane@mail.test", "password": password });
        json!({ "command": "api.authenticate", "params": params })
    };
    let switch = |key: &str| json!({ "command": "session.org.switch", "params": { "key": key } });
    let info = json!({ "command": "session.info" });
    let told = api(
        &server,
        json!({
            "auth": login("correct horse"),
            "1": info, "2": switch("acme"), "3": info, "9": switch("nope"), "10": info,
            "11": { "command": "nonsense" }, "12": 7, "x": { "command": "thing.bind" },
            "13": { "command": "session.org.switch", "params": { "key": "a/b", "x": 1 } },
        }),
        &[],
    );
    let session = told["auth"]["params"]["sessionId"].as_str().unwrap();
    assert_eq!(told["1"]["params"]["orgKey"], Value::Null, "{told}");
    assert_eq!(told["2"]["params"], json!({ "orgKey": "acme" }));
    assert_eq!(told["3"]["params"]["orgKey"], "acme");
    assert_eq!(told["3"]["params"]["orgAdmin"], true);
    assert_eq!(told["10"]["params"]["orgKey"], "acme");
    for (key, code) in [
        ("9", -91_006),
        ("11", -91_002),
        ("12", -91_001),
        ("x", -91_004),
        ("13", -91_003),
    ] {
        assert_eq!(told[key]["success"], false);
        assert_eq!(told[key]["errorCodes"], json!([code]), "{key}: {told}");
    }
    // The session goes on in the body and in a header; the body wins.
    let in_body = json!({ "auth": { "sessionId": session }, "cmd": info });
    let told = api(&server, in_body, &[("sessionId", "nonsense")]);
    assert_eq!(
        told["cmd"]["params"]["username"], "jane@mail.test",
        "{told}"
    );
    let told = api(&server, json!({ "1": info }), &[("sessionId", session)]);
    assert_eq!(told["1"]["params"]["orgKey"], "acme", "{told}");
    // Another session of the same user works elsewhere.
    let told = api(
        &server,
        json!({ "auth": login("correct horse"), "1": info }),
        &[],
    );
    assert_eq!(told["1"]["params"]["orgKey"], Value::Null, "{told}");
    // A wrong password is not told from a session that there is not, nor is a twice said one.
    for (message, headers) in [
        (json!({ "auth": login("wrong"), "1": info }), &[][..]),
        (
            json!({ "auth": { "sessionId": "nonsense" }, "1": info }),
            &[],
        ),
        (
            json!({ "1": info }),
            &[("sessionId", session), ("sessionId", session)],
        ),
        (
            json!({ "1": info }),
            &[("Cookie", &*format!("__Host-countersign={session}"))],
        ),
        (json!({}), &[]),
    ] {
        let told = api(&server, message, headers);
        assert_eq!(
            (&told["success"], &told["1"]),
            (&json!(false), &Value::Null),
            "{told}"
        );
        assert_eq!(told["errorCodes"], json!([-91_010]), "{told}");
        assert_eq!(told["auth"]["errorCodes"], told["errorCodes"]);
    }
    for auth in [
        json!({ "sessionId": 1 }),
        json!({ "sessionId": session, "x": 1 }),
        json!({ "command": "api.authenticate", "params": { "username": "jane@mail.test" } }),
        json!({ "command": "api.authenticate", "sessionId": session }),
        json!({ "command": "session.info", "params": {} }),
        json!({ "command": "api.authenticate", "params": { "appToken": "a" } }),
    ] {
        let told = api(&server, json!({ "auth": auth, "1": info }), &[]);
        assert_eq!(
            (&told["success"], &told["1"]),
            (&json!(false), &Value::Null),
            "{told}"
        );
    }
    let odd = json!(["session.info"]);
    let told = api(&server, json!({ "1": odd }), &[("sessionId", session)]);
    assert_eq!(told["1"]["errorCodes"], json!([-91_001]), "{told}");
    let shown = basic("jane@mail.test", "correct horse");
    let told = api(
        &server,
        json!({ "1": info, "2": switch("acme") }),
        &[("Authorization", &shown)],
    );
    assert_eq!(told["1"]["params"]["kind"], "user", "{told}");
    // What is one request has no session that could switch.
    assert_eq!(told["2"]["errorCodes"], json!([-91_004]), "{told}");
    let many: serde_json::Map<_, _> = (0..33).map(|key| (key.to_string(), info.clone())).collect();
    let told = api(&server, Value::Object(many), &[("sessionId", session)]);
    assert_eq!(told["errorCodes"], json!([-91_001]), "{told}");
}

#[test]
fn a_door_to_one_tenant_leads_to_no_other() {
    let server = server(&["devicewise=acme", "impact=acme"]);
    furnish(
        &server,
        &[
            ("tenants", json!({ "id": "acme" })),
            ("tenants", json!({ "id": "beta" })),
            (
                "users",
                json!({ "email": "root", "password": "correct horse", "platform_admin": true }),
            ),
        ],
    );
    let shown = basic("root", "correct horse");
    let headers = [("Authorization", shown.as_str())];
    let put = |group: Option<&str>| {
        let new = json!({ "groupName": group, "username": group.unwrap_or("none") });
        let path = "/m2m/token/mqtt";
        server.ask_at_door("PUT", path, Some(new), &headers).status
    };
    assert_eq!(put(Some("ACME.X")), 202);
    // Without a group it is the door's tenant.
    assert_eq!(put(None), 202);
    assert_eq!(put(Some("BETA")), 403);
    assert_eq!(put(Some("NOPE")), 404);
    let listed = server.ask_at_door("GET", "/m2m/token", None, &headers).body;
    assert_eq!(
        listed["tokenResponses"].as_array().unwrap().len(),
        2,
        "{listed}"
    );
    let params = json!({ "username": "root", "password": "correct horse" });
    let switch = |key: &str| json!({ "command": "session.org.switch", "params": { "key": key } });
    let told = api(
        &server,
        json!({
            "auth": { "command": "api.authenticate", "params": params },
            "1": switch("beta"), "2": { "command": "session.info" },
        }),
        &[],
    );
    assert_eq!(told["1"]["errorCodes"], json!([-91_007]), "{told}");
    assert_eq!(told["2"]["params"]["orgKey"], "acme");
}

#[test]
fn a_door_that_was_not_opened_is_no_path() {
    let server = server(&[]);
    let reply = server.ask_at_door("GET", "/m2m/token/mqtt", None, &[]);
    assert_eq!(reply.with(404).kind(), "not-found");
}

#[test]
fn whatever_goes_wrong_at_a_door_is_told_as_its_vendor_does() {
    let server = server(&["impact"]);
    let path = "/m2m/token/mqtt";
    let ask = |method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]| {
        server.ask_at_door(method, path, body, headers)
    };
    let reply = ask("GET", path, None, &[]);
    is_impact_problem(&reply, 401);
    let challenge = reply.header("www-authenticate");
    assert_eq!(challenge, Some("Basic realm=\"countersign\""));
    is_impact_problem(&ask("GET", "/m2m/token/other", None, &[]), 404);
    let reply = ask("POST", path, Some(json!({})), &[]);
    is_impact_problem(&reply, 405);
    let allowed: Vec<_> = reply.header("allow").unwrap().split(',').collect();
    for method in ["DELETE", "GET", "PUT"] {
        assert!(allowed.contains(&method), "{reply:?}");
    }
    server.become_somebody(Some(Authority::Platform));
    for body in [json!({ "nonsense": 1 }), json!({ "username": 1 })] {
        is_impact_problem(&ask("PUT", path, Some(body), &[]), 400);
    }
    let foreign = [("Origin", "https://evil.example")];
    is_impact_problem(&ask("PUT", path, Some(json!({})), &foreign), 403);
    let text = b"PUT /m2m/token/mqtt HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
        Content-Length: 2\r\nConnection: close\r\n\r\n{}";
    is_impact_problem(&server.send(text).unwrap(), 415);
    let elsewhere = b"GET /m2m/token HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    is_impact_problem(&server.send(elsewhere).unwrap(), 403);
    // What lies beside a door is not told as it tells things.
    assert_eq!(ask("GET", "/m2m/tokens", None, &[]).kind(), "not-found");
    // Each is counted with its route.
    let counted = server.app.counts.lock();
    for (route, status) in [
        (path, 401),
        (path, 400),
        (path, 415),
        ("-", 403),
        ("-", 404),
    ] {
        assert!(
            counted.requests.contains_key(&(route, status)),
            "{route} {status}: {:?}",
            counted.requests
        );
    }
}

#[test]
fn a_page_of_the_vendor_may_send_basic_from_a_browser_and_that_of_others_changes_nothing() {
    let server = server(&["impact"]);
    furnish(
        &server,
        &[
            ("tenants", json!({ "id": "dm" })),
            (
                "users",
                json!({ "email": "root", "password": "correct horse", "platform_admin": true }),
            ),
        ],
    );
    let shown = basic("root", "correct horse");
    let at = |site: &str, method: &str, path: &str, body: Option<Value>| {
        let headers = [("Authorization", &*shown), ("Sec-Fetch-Site", site)];
        server.ask_at_door(method, path, body, &headers).status
    };
    let (list, make) = ("/m2m/token?groupName=DM", "/m2m/token/mqtt?groupName=DM");
    let new = || Some(json!({ "username": "dev1" }));
    assert_eq!(at("same-origin", "GET", list, None), 200);
    assert_eq!(at("cross-site", "PUT", make, new()), 403);
    assert_eq!(at("same-origin", "PUT", make, new()), 202);
    // Elsewhere it counts from no browser.
    assert_eq!(at("same-origin", "GET", "/api/v1/tenants", None), 401);
}
