//! What pages show, and what their forms do.

use serde_json::json;

use super::browser::Browser;
use crate::fixture::Server;

fn with_devices() -> Server {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    for name in ["dev1", "dev2"] {
        let new = json!({ "name": name, "tenant": "acme", "groups": ["HALL"] });
        server.post("/api/v1/credentials", new).with(201);
    }
    server
}

#[test]
fn what_is_sought_is_found_by_name_group_and_state_and_lists_go_on() {
    let server = with_devices();
    let mut ada = Browser::of_administrator(&server);
    ada.post("/credentials/dev2@acme/suspend", &[]).with(303);
    for (words, has_one, has_two) in [
        ("", true, true),
        ("?q=dev1", true, false),
        ("?q=dev", true, true),
        ("?q=HALL", true, true),
        ("?q=YARD", false, false),
        ("?state=Suspended", false, true),
        ("?group=HALL", true, true),
        ("?group=YARD", false, false),
        ("?tenant=acme", true, true),
    ] {
        let page = ada.get(&format!("/find{words}")).with(200);
        let has = |name: &str| page.text.contains(&format!("/credentials/{name}@acme"));
        assert_eq!((has("dev1"), has("dev2")), (has_one, has_two), "{words}");
    }
    ada.get("/find?tenant=nowhere").with(404);
    let page = ada.get("/find?q=192.0.2.1").with(200);
    assert!(page.text.contains("Nobody is connected from this address."));
}

#[test]
fn a_use_is_checked_with_all_that_was_considered() {
    let server = with_devices();
    let ada = Browser::of_administrator(&server);
    let page = ada
        .get("/why?name=dev1%40acme&check=publish&topic=acme%2Fx")
        .with(200);
    assert!(page.text.contains("allow") && page.text.contains("All that was considered"));
    let page = ada
        .get("/why?name=dev1%40acme&check=publish&topic=other%2Fx")
        .with(200);
    assert!(page.text.contains("deny"));
    let page = ada.get("/why?name=dev1%40acme&check=connect").with(200);
    assert!(page.text.contains("What is known of"));
    // What can't be asked is said, beside the form.
    let page = ada.get("/why?name=dev1%40acme&check=publish").with(422);
    assert!(page.text.contains("role=\"alert\"") && page.text.contains("dev1@acme"));
}

#[test]
fn what_a_rule_would_change_is_told_before_it_does() {
    let server = with_devices();
    let mut ada = Browser::of_administrator(&server);
    let made = ada
        .post("/roles", &[("tenant", "acme"), ("name", "readers")])
        .with(303);
    assert_eq!(made.header("location"), Some("/roles/acme/readers"));
    ada.post("/roles/acme/readers/assign", &[("group", "HALL")])
        .with(303);
    let rule = [
        ("effect", "deny"),
        ("action", "publish"),
        ("pattern", "acme/secret"),
    ];
    let tried = [&rule[..], &[("try", "yes")]].concat();
    let page = ada.post("/roles/acme/readers/rule", &tried).with(200);
    assert!(page.text.contains("What would change") && page.text.contains("dev1@acme"));
    assert!(
        ada.get("/roles/acme/readers")
            .text
            .contains("It has no rules")
    );
    ada.post("/roles/acme/readers/rule", &rule).with(303);
    assert!(ada.get("/roles/acme/readers").text.contains("acme/secret"));
    let nonsense = [
        ("effect", "deny"),
        ("action", "publish"),
        ("pattern", "a/#/b"),
    ];
    let page = ada.post("/roles/acme/readers/rule", &nonsense).with(422);
    assert!(page.text.contains("value=\"a/#/b\""));
    ada.post("/roles/acme/readers/unrule", &rule[1..]).with(303);
    ada.post("/roles/acme/readers/unassign", &[("group", "HALL")])
        .with(303);
    ada.post("/roles/acme/readers/delete", &[]).with(303);
    ada.get("/roles/acme/readers").with(404);
}

#[test]
fn the_audit_is_shown_and_verified() {
    let server = with_devices();
    let ada = Browser::of_administrator(&server);
    let page = ada.get("/audit?act=credential.create").with(200);
    assert_eq!(page.text.matches("data-head=\"Act\"").count(), 2);
    let page = ada.get("/audit?verify=yes").with(200);
    assert!(page.text.contains("Intact."));
    ada.get("/audit?outcome=nonsense").with(422);
}

#[test]
fn an_administrator_of_a_tenant_sees_that_tenant_alone() {
    let server = with_devices();
    server
        .post("/api/v1/tenants", json!({ "id": "other" }))
        .with(201);
    let new = json!({ "name": "dev9", "tenant": "other" });
    server.post("/api/v1/credentials", new).with(201);
    let jane = json!({ "email": "jane@mail.test", "password": super::browser::PASSWORD });
    server.post("/api/v1/users", jane).with(201);
    let grant = Some(json!({ "org_admin": true }));
    let path = "/api/v1/users/jane@mail.test/grants/acme";
    server.ask("PUT", path, grant, &[]).with(200);
    server.become_somebody(None);
    let mut jane = Browser::of(&server);
    jane.sign_in("jane@mail.test").with(303);
    let page = jane.get("/find").with(200);
    assert!(page.text.contains("dev1@acme") && !page.text.contains("dev9@other"));
    for page in [
        "/connected",
        "/refused",
        "/roles",
        "/audit",
        "/why",
        "/create",
        "/credentials/dev1@acme",
    ] {
        assert_eq!(jane.get(page).status, 200, "{page}");
    }
    jane.get("/credentials/dev9@other").with(404);
    assert!([403, 404].contains(&jane.get("/find?tenant=other").status));
    assert!(!jane.get("/audit").text.contains("Verify"));
}

#[test]
fn sessions_that_are_gone_are_counted_as_gone() {
    let server = with_devices();
    let mut ada = Browser::of_administrator(&server);
    let fields = [("session", "9007"), ("back", "/connected?tenant=acme")];
    let kicked = ada.post("/connected/kick", &fields).with(303);
    let place = kicked.header("location").unwrap();
    assert_eq!(place, "/connected?tenant=acme&kicked=0&gone=1");
    assert!(
        ada.get(place)
            .with(200)
            .text
            .contains("That were gone already: 1.")
    );
    let fields = [("session", "9007"), ("back", "https://evil.example")];
    let kicked = ada.post("/connected/kick", &fields).with(303);
    assert_eq!(
        kicked.header("location"),
        Some("/connected?kicked=0&gone=1")
    );
    ada.post("/connected/kick", &[]).with(422);
}
