//! What holds for all pages.

use axum::http::Method;
use serde_json::json;

use super::browser::Browser;
use crate::console::routes;
use crate::fixture::Server;
use crate::route::Access;
use crate::tests::certificates_and_issuers::{certificate, issuer};

/// A page for each route, about something that there is.
fn pages() -> Vec<String> {
    let routes = routes().into_iter().filter(|it| it.method == Method::GET);
    let known = routes.filter(|it| it.access == Access::Known);
    let filled = known.map(|route| {
        let named = match route.path {
            "/operators/{name}" => "bridge",
            "/issuers/{name}" => "sso",
            "/followers/{name}" => "edge",
            "/people/{name}" => super::browser::ADA,
            _ => "dev1@acme",
        };
        let path = route.path.replace("{name}", named);
        path.replace("{tenant}", "acme")
            .replace("{role}", "readers")
            .replace("{application}", "fleet")
            .replace("{scheme}", "basic")
            .replace("{fingerprint}", &certificate("p256").1)
    });
    filled.collect()
}

fn with_things() -> Server {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let new = json!({ "name": "dev1", "tenant": "acme" });
    server.post("/api/v1/credentials", new).with(201);
    let role = json!({ "name": "readers" });
    server.post("/api/v1/tenants/acme/roles", role).with(201);
    let operator = json!({ "name": "bridge", "publish": ["acme/#"] });
    server.post("/api/v1/operators", operator).with(201);
    let (pem, _) = certificate("p256");
    let authority = json!({ "tenant": "acme", "pem": pem, "identity": "cn" });
    server.post("/api/v1/authorities", authority).with(201);
    server
        .post("/api/v1/issuers", issuer("acme", "sso"))
        .with(201);
    let application = json!({ "name": "fleet" });
    server
        .post("/api/v1/tenants/acme/applications", application)
        .with(201);
    server
        .post("/api/v1/followers", json!({ "name": "edge" }))
        .with(201);
    server
}

#[test]
fn every_page_is_shown_to_who_is_signed_in_and_leads_others_to_sign_in() {
    let server = with_things();
    let ada = Browser::of_administrator(&server);
    let nobody = Browser::of(&server);
    for page in pages() {
        let shown = ada.get(&page).with(200);
        let heads = shown.text.matches("<h1").count();
        assert_eq!(heads, 1, "{page}");
        assert!(shown.text.contains("<main") && shown.text.contains("<title>"));
        let led = nobody.get(&page).with(303);
        assert!(
            led.header("location")
                .unwrap()
                .starts_with("/sign-in?then="),
            "{page}"
        );
    }
}

#[test]
fn no_form_does_anything_that_no_page_of_ours_sent() {
    let server = with_things();
    let mut ada = Browser::of_administrator(&server);
    let forms = routes().into_iter().filter(|it| it.method == Method::POST);
    for form in forms {
        let path = form
            .path
            .replace("{name}", "dev1@acme")
            .replace("{act}", "delete");
        ada.post_with(&path, &[], "").with(403);
        let foreign = "Origin: https://evil.example\r\n";
        ada.post_with(&path, &[], foreign).with(403);
    }
    ada.get("/credentials/dev1@acme").with(200);
}

#[test]
fn what_is_not_there_is_said_by_a_page_to_people_and_by_json_to_programs() {
    let server = with_things();
    let ada = Browser::of_administrator(&server);
    let page = ada.get("/nowhere").with(404);
    assert!(page.text.contains("<h1>Not Found</h1>"));
    let page = ada.get("/credentials/nobody@acme").with(404);
    assert!(page.text.contains("nobody@acme"));
    server
        .ask_at_door("GET", "/nowhere", None, &[])
        .with(404)
        .is("not-found");
    let html = [("Accept", "text/html")];
    let told = server.ask_at_door("GET", "/api/v1/nowhere", None, &html);
    told.with(404).is("not-found");
}

#[test]
fn what_pages_load_is_there_for_good_and_for_everybody() {
    let server = Server::start_with(|_| {});
    let page = Browser::of(&server).get("/sign-in").with(200);
    let addresses = page.text.split('"').filter(|it| it.starts_with("/assets/"));
    let mut addresses: Vec<_> = addresses.collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
    for address in addresses {
        let asset = server.ask_at_door("GET", address, None, &[]).with(200);
        let kept = asset.header("cache-control");
        assert_eq!(kept, Some("public, max-age=31536000, immutable"));
        assert!(!asset.text.is_empty());
    }
    server
        .ask_at_door("GET", "/assets/console.0.css", None, &[])
        .with(404);
}

#[test]
fn what_strangers_chose_is_text() {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    let long = "x".repeat(200);
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "\u{202e}gnp.exe",
        "'; DROP TABLE credentials --",
        "🦀🔥",
        &long,
    ];
    for (number, text) in hostile.iter().enumerate() {
        let attributes = json!({ "a": text });
        let named = |name: &str| json!({ "name": name, "tenant": "acme", "description": text, "attributes": attributes });
        let plain = named(&format!("dev{number}"));
        server.post("/api/v1/credentials", plain).with(201);
        // Names that would turn around what is beside them are refused before.
        let made = server.post("/api/v1/credentials", named(text));
        assert_eq!(made.status == 422, text.contains('\u{202e}'), "{text}");
    }
    let ada = Browser::of_administrator(&server);
    let listed = ada.get("/find").with(200);
    for text in hostile {
        let escaped = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let escaped = escaped.replace('"', "&quot;");
        assert!(listed.text.contains(&escaped), "{text}");
        let named = format!("{text}@acme");
        if text.contains('\u{202e}') {
            continue;
        }
        let part = crate::answer::part_of_address(&named);
        let shown = ada.get(&format!("/credentials/{part}")).with(200);
        let is_text = ["name", "name long", "name short"].iter().any(|class| {
            let whole = format!("<bdi class=\"{class}\">{escaped}</bdi>");
            shown.text.contains(&whole)
        });
        assert!(is_text, "{text}");
        assert!(!shown.text.contains("<script>") && !shown.text.contains("<img src=x"));
    }
}
