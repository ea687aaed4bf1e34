//! Pages of administration: tenants, operators, people, tokens, brokers, one's own.

use serde_json::json;

use super::acts::copied;
use super::browser::{ADA, Browser, PASSWORD, hidden};
use crate::fixture::Server;

pub(super) fn with_tenant() -> Server {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    server
}

/// Sends a form that may be sent once, as the page shows it.
pub(super) fn send_once(
    ada: &mut Browser<'_>,
    page: &str,
    action: &str,
    fields: &[(&str, &str)],
) -> crate::fixture::Reply {
    let key = hidden(&ada.get(page).with(200), action, "form_key");
    let fields = [fields, &[("form_key", &*key)]].concat();
    let shown = ada.post(action, &fields);
    if shown.status == 200 {
        ada.post(action, &fields).with(409);
    }
    shown
}

#[test]
fn a_tenant_is_made_changed_and_deleted() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let made = ada.post(
        "/tenants",
        &[
            ("id", "farm"),
            ("namespaces", "kp1/#"),
            ("authentication", "off"),
        ],
    );
    assert_eq!(made.with(303).header("location"), Some("/tenants/farm"));
    let again = ada.post("/tenants", &[("id", "farm")]).with(409);
    assert!(again.text.contains("role=\"alert\""));
    let version = hidden(&ada.get("/tenants/farm"), "/tenants/farm/change", "version");
    let settings = [
        ("version", &*version),
        ("authentication", "required"),
        ("subscribe", "strict"),
        ("default_rights", "namespaces"),
        ("anonymous_rights", "namespaces"),
        ("namespaces", "kp1/#, kp2/#"),
    ];
    let tried = [&settings[..], &[("try", "yes")]].concat();
    let tried = ada.post("/tenants/farm/change", &tried).with(200);
    assert!(tried.text.contains("nothing is changed yet"));
    ada.post("/tenants/farm/change", &settings).with(303);
    let shown = ada.get("/tenants/farm").with(200);
    assert!(shown.text.contains("value=\"kp1/#, kp2/#\""));
    assert!(shown.text.contains("<option value=\"required\" selected>"));
    ada.post("/tenants/farm/change", &settings).with(412);
    ada.post("/tenants/farm/delete", &[("confirm", "farn")])
        .with(422);
    ada.get("/tenants/farm").with(200);
    ada.post(
        "/tenants/farm/delete",
        &[("confirm", "farm"), ("cascade", "yes")],
    )
    .with(303);
    ada.get("/tenants/farm").with(404);
}

#[test]
fn an_operator_is_made_with_its_rules_and_acts() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let fields = [
        ("name", "bridge"),
        ("publish", "acme/#"),
        ("subscribe", "acme/in a/b"),
    ];
    let made = send_once(&mut ada, "/operators", "/operators", &fields).with(200);
    let secret = copied(&made, "secret");
    let page = ada.get("/operators/bridge").with(200);
    assert!(page.text.contains("acme/in") && !page.text.contains(&secret));
    let rule = [
        ("effect", "deny"),
        ("action", "publish"),
        ("pattern", "acme/x"),
    ];
    ada.post("/operators/bridge/rule", &rule).with(303);
    assert!(ada.get("/operators/bridge").text.contains("acme/x"));
    ada.post("/operators/bridge/unrule", &rule[1..]).with(303);
    assert!(!ada.get("/operators/bridge").text.contains("acme/x"));
    ada.post("/operators/bridge/suspend", &[]).with(303);
    assert!(ada.get("/operators/bridge").text.contains("Suspended"));
    ada.post("/operators/bridge/reactivate", &[]).with(303);
    let renewed = send_once(
        &mut ada,
        "/operators/bridge",
        "/operators/bridge/rotate",
        &[],
    )
    .with(200);
    assert_ne!(copied(&renewed, "secret"), secret);
    let gone = ada.post("/operators/bridge/delete", &[]).with(303);
    assert_eq!(gone.header("location"), Some("/operators?done=delete"));
    ada.get("/operators/bridge").with(404);
}

#[test]
fn a_user_is_made_granted_something_and_deleted() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let made = ada.post(
        "/people",
        &[("email", "jane@mail.test"), ("password", PASSWORD)],
    );
    let page = made.with(303).header("location").unwrap().to_owned();
    assert_eq!(page, "/people/jane@mail.test");
    let mut act = |word: &str, fields: &[(&str, &str)], status: u16| {
        ada.post(&format!("{page}/{word}"), fields).with(status);
        ada.get(&page).with(200).text
    };
    assert!(
        act("grant", &[("tenant", "acme"), ("right", "org_admin")], 303).contains("administers")
    );
    act("grant", &[("tenant", "acme"), ("right", "role")], 422);
    assert!(act("ungrant", &[("tenant", "acme")], 303).contains("Nothing is granted"));
    assert!(act("admin", &[], 303).contains("platform administrator"));
    act("member", &[], 303);
    act(
        "reset-password",
        &[("password", "another horse battery")],
        303,
    );
    act("confirm", &[("code", "000000")], 404);
    act("nonsense", &[], 404);
    ada.post(&format!("{page}/delete"), &[]).with(303);
    ada.get(&page).with(404);
}

#[test]
fn settings_are_changed_and_put_back() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let page = ada.get("/settings").with(200);
    let version = hidden(&page, "/settings", "version");
    let fields = [
        ("version", &*version),
        ("client_id_hold", "7d"),
        ("client_id_limit", "12"),
        ("keep_refusals", "30d"),
        ("lockout", "failures=3,step=5m,longest=30m"),
        ("auto_ban", "20/10m:1h"),
        ("argon2", "m=19456,t=2,p=1"),
    ];
    let mut wrong = fields;
    wrong[2].1 = "many";
    let told = ada.post("/settings", &wrong).with(422);
    assert!(told.text.contains("value=\"7d\"") && !told.text.contains("checked"));
    let before = ada.get("/api/v1/settings").with(200).body;
    let did = ada.post("/settings", &fields).with(303);
    let is_now = ada.get("/api/v1/settings").with(200).body;
    assert_eq!(is_now["client_id_limit"], 12);
    assert_eq!(
        (&before["rehash"], &is_now["rehash"]),
        (&true.into(), &false.into())
    );
    // Somebody who saw what was so before changes nothing.
    ada.post("/settings", &fields).with(412);
    super::undo::undo(&mut ada, &did).with(303);
    assert_eq!(ada.get("/api/v1/settings").with(200).body, before);
}

#[test]
fn tokens_are_shown_once_and_revoked() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let fields = [
        ("scope", "tenant:acme"),
        ("expires", "1h"),
        ("description", "ci"),
    ];
    let made = send_once(&mut ada, "/tokens", "/tokens", &fields).with(200);
    let secret = copied(&made, "secret");
    let bearer = format!("Bearer {secret}");
    let known = [("Authorization", &*bearer)];
    server
        .ask("GET", "/api/v1/tenants/acme", None, &known)
        .with(200);
    let page = ada.get("/tokens").with(200);
    assert!(page.text.contains("ci") && !page.text.contains(&secret));
    let id = hidden(&page, "/tokens/revoke", "id");
    ada.post("/tokens/revoke", &[("id", &id)]).with(303);
    server
        .ask("GET", "/api/v1/tenants/acme", None, &known)
        .with(401);
    let wrong = send_once(
        &mut ada,
        "/tokens",
        "/tokens",
        &[("scope", "everything"), ("expires", "1h")],
    );
    assert!(wrong.with(422).text.contains("value=\"everything\""));
    ada.post("/brokers/forget", &[("broker", "nobody")])
        .with(404);
}

#[test]
fn what_is_ones_own_is_changed_by_who_proves_it() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let mut elsewhere = Browser::of(&server);
    elsewhere.sign_in(ADA).with(303);
    let page = ada.get("/me").with(200);
    assert_eq!(page.text.matches(">this one<").count(), 1);
    let new = "another horse battery";
    let wrong = [("password", "wrong"), ("new_password", new)];
    ada.post("/me/password", &wrong).with(401);
    elsewhere.get("/me").with(200);
    let fields = [("scope", "platform"), ("expires", "1h")];
    send_once(&mut ada, "/me", "/me/token", &fields).with(200);
    ada.post(
        "/me/password",
        &[("password", PASSWORD), ("new_password", new)],
    )
    .with(303);
    elsewhere.get("/me").with(303);
}

#[test]
fn a_tenants_page_of_connectivity_makes_what_clients_log_in_with() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let fields = [("tenant", "acme"), ("description", "line 1")];
    let made = send_once(&mut ada, "/connectivity", "/connectivity", &fields).with(200);
    for what in ["username", "client_id", "secret", "command"] {
        assert!(!copied(&made, what).is_empty(), "{what}");
    }
    let page = ada.get("/connectivity?tenant=acme").with(200);
    assert!(page.text.contains("line 1") && page.text.contains("current online connections"));
    let named = hidden(&page, "/connectivity/delete", "name");
    ada.post(
        "/connectivity/delete",
        &[("name", &named), ("tenant", "acme")],
    )
    .with(303);
    assert!(!ada.get("/connectivity?tenant=acme").text.contains("line 1"));
}

#[test]
fn the_last_hour_is_drawn_and_told_to_who_may_know_it() {
    let server = with_tenant();
    let told = server.get("/api/v1/stats").with(200);
    let minutes = told.body["minutes"].as_array().unwrap();
    assert!(!minutes.is_empty() && minutes[0]["sessions"] == 0);
    let told = server.get("/api/v1/stats?tenant=acme").with(200);
    assert!(told.body["minutes"][0]["sessions"].is_null());
    let ada = Browser::of_administrator(&server);
    let page = ada.get("/connected").with(200);
    assert!(page.text.contains("The last hour") && page.text.contains("Nobody logged in"));
}
