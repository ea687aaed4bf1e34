//! What holds for all requests.

use serde_json::json;

use crate::fixture::Server;
use crate::route::Access;

#[test]
fn nobody_unknown_is_told_or_lets_anything_happen() {
    let server = Server::start_with(|_| {});
    let closed = crate::rest::routes().into_iter();
    for route in closed.filter(|route| route.access != Access::Open) {
        let path = route.path.replace(['{', '}'], "");
        let body = route.body.is_some().then(|| json!({}));
        let asked = server.ask(route.method.as_str(), &path, body, &[]);
        let asked = asked.with(401).is("unauthenticated");
        assert_eq!(asked.header("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn what_is_nowhere_or_takes_another_method_is_told_as_a_problem() {
    let server = Server::shared();
    server.get("/api/v1/nonsense").with(404).is("not-found");
    server.get("/api/v1/nonsense/x").with(404).is("not-found");
    server.get("/nonsense").with(404).is("not-found");
    let other = server.ask("PUT", "/api/v1/tenants", Some(json!({})), &[]);
    let other = other.with(405).is("method-not-allowed");
    let allowed = other.header("allow").unwrap();
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    server
        .get("/api/v1/credentials/%ff")
        .with(404)
        .is("not-found");
}

#[test]
fn every_answer_tells_browsers_to_keep_and_guess_nothing() {
    let server = Server::shared();
    for path in ["/healthz", "/openapi.json", "/api/v1/tenants", "/nonsense"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let reply = server.send(request.as_bytes()).unwrap();
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path} {name}");
        }
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(reply.header("x-request-id").unwrap().len(), 16);
        assert_eq!(reply.header("strict-transport-security"), None);
    }
}

#[test]
fn a_page_of_another_site_can_do_nothing() {
    let server = Server::shared();
    let post = |headers: &[(&str, &str)]| {
        let body = Some(json!({ "id": "http-csrf" }));
        server.ask("POST", "/api/v1/tenants", body, headers)
    };
    for headers in [
        [("Origin", "https://evil.example")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Host", "evil.example")],
    ] {
        post(&headers).with(403).is("forbidden");
    }
    server.get("/api/v1/tenants/http-csrf").with(404);
    let ours = format!("http://{}", server.address);
    post(&[("Origin", &ours), ("Sec-Fetch-Site", "same-origin")]).with(201);
}

#[test]
fn a_body_is_json_and_no_larger_than_a_mebibyte() {
    let server = Server::shared();
    let send = |kind: &str, body: &str| {
        let request = format!(
            "POST /api/v1/tenants HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        server.send(request.as_bytes()).unwrap()
    };
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
    ] {
        let body = r#"{"id":"http-kind"}"#;
        send(kind, body).with(415).is("unsupported-media-type");
    }
    send("application/json", "").with(422).is("invalid");
    let large = format!(r#"{{"id":"{}"}}"#, "x".repeat(1 << 20));
    send("application/json", &large).with(413).is("too-large");
    send("application/json; charset=utf-8", r#"{"id":"http-kind"}"#).with(201);
    let unasked = server.ask("DELETE", "/api/v1/tenants/http-kind", Some(json!({})), &[]);
    unasked.with(422).is("invalid");
}

#[test]
fn the_document_describes_every_route_and_nothing_else() {
    let server = Server::shared();
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let document = server.send(request).unwrap().with(200).body;
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = 0;
    for route in crate::rest::routes() {
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][route.path][&method];
        assert!(operation.is_object(), "{method} {}", route.path);
        assert!(operation["responses"].as_object().unwrap().len() > 3);
        described += 1;
    }
    let paths = document["paths"].as_object().unwrap().values();
    let operations: Vec<_> = paths
        .flat_map(|path| path.as_object().unwrap().values())
        .collect();
    assert_eq!(operations.len(), described);
    let mut ids: Vec<_> = operations
        .iter()
        .map(|it| it["operationId"].to_string())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), described);
    // What is referred to is there.
    let text = document.to_string();
    for referred in text.split("\"#/components/schemas/").skip(1) {
        let name = referred.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name}"
        );
    }
}

#[test]
fn two_hundred_clients_at_once_are_all_answered() {
    const CLIENTS: usize = 200;
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let begin = std::sync::Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, begin) = (&server, &begin);
            scope.spawn(move || {
                begin.wait();
                let new = json!({ "name": format!("dev{number}"), "tenant": "acme" });
                let made = server.post("/api/v1/credentials", new).with(201);
                let shown = server.get(made.header("location").unwrap()).with(200);
                assert_eq!(shown.body["name"], format!("dev{number}@acme"));
            });
        }
    });
    let listed = server.get("/api/v1/credentials?tenant=acme&limit=1000");
    assert_eq!(listed.with(200).items("name").len(), CLIENTS);
}
