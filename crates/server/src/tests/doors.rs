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
            Some("`Impact` is no door; the doors are impact, kaa, tier0"),
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
