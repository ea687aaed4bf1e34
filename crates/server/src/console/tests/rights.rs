//! Pages of what lets clients in and how far: limits, certificates, applications, schemes,
//! tokens.

use serde_json::json;

use super::acts::copied;
use super::administration::{send_once, with_tenant};
use super::browser::{Browser, hidden};
use crate::tests::certificates_and_issuers::certificate;

#[test]
fn what_is_limited_is_shown_and_set_on_the_page_of_each() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    ada.post("/create", &[]).with(409);
    let new = [("tenant", "acme"), ("name", "dev1")];
    send_once(&mut ada, "/create", "/create", &new).with(200);
    ada.post("/roles", &[("tenant", "acme"), ("name", "ops")])
        .with(303);
    for page in ["/tenants/acme", "/roles/acme/ops", "/credentials/dev1@acme"] {
        let form = format!("{page}/limits");
        let shown = ada.get(page).with(200);
        let version = hidden(&shown, &form, "version");
        let fields = [("version", &*version), ("messages_per_second", "10")];
        ada.post(&form, &fields).with(303);
        let shown = ada.get(page).with(200);
        let value = "name=\"messages_per_second\" type=\"number\" value=\"10\"";
        assert!(shown.text.contains(value), "{page}");
        // What was seen is not so any more.
        let told = ada.post(&form, &fields).with(412);
        assert!(told.text.contains("role=\"alert\""), "{page}");
        let told = ada.post(&form, &[("payload", "many")]).with(422);
        assert!(told.text.contains("`payload` is not a whole number"));
        ada.post(&form, &[("payload", "")]).with(303);
        assert!(!ada.get(page).text.contains(value), "{page}");
        let has_share = shown.text.contains("name=\"share\"");
        assert_eq!(has_share, page == "/tenants/acme");
    }
}

#[test]
fn a_certificate_stands_for_a_credential_until_it_is_taken_away() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let new = [("tenant", "acme"), ("name", "dev1")];
    send_once(&mut ada, "/create", "/create", &new).with(200);
    let page = "/credentials/dev1@acme";
    assert!(ada.get(page).text.contains("No certificate stands for it"));
    let (pem, fingerprint) = certificate("p256");
    let certify = format!("{page}/certify");
    let told = ada.post(&certify, &[("pem", "hello")]).with(422);
    assert!(told.text.contains("role=\"alert\""));
    ada.post(&certify, &[]).with(422);
    ada.post(&certify, &[("pem", &pem)]).with(303);
    ada.post(&certify, &[("pem", &pem)]).with(409);
    let shown = ada.get(page).with(200);
    let uncertify = format!("{page}/uncertify");
    let named = hidden(&shown, &uncertify, "fingerprint");
    assert_eq!(named, fingerprint);
    let named = [("fingerprint", &*named)];
    ada.post(&uncertify, &named).with(303);
    ada.post(&uncertify, &named).with(404);
}

#[test]
fn an_application_its_things_and_tokens_are_made_and_end() {
    let server = with_tenant();
    // What seals the key that signs tokens.
    server.make_key_file();
    let mut ada = Browser::of_administrator(&server);
    let fields = [("tenant", "acme"), ("name", "fleet"), ("pattern", "pump-*")];
    let told = send_once(&mut ada, "/applications", "/applications", &fields).with(422);
    assert!(told.text.contains("value=\"pump-*\"") && told.text.contains("<details open>"));
    let whole = [
        &fields[..],
        &[("auto_register", "yes"), ("max", "5"), ("org_admin", "yes")],
    ]
    .concat();
    let made = send_once(&mut ada, "/applications", "/applications", &whole).with(200);
    let secret = copied(&made, "secret");
    let its = "/applications/acme/fleet";
    let shown = ada.get(its).with(200).text;
    assert!(shown.contains("are made: 0 of 5 so far") && !shown.contains(&secret));
    let thing = [
        ("tenant", "acme"),
        ("key", "pump-1"),
        ("application", "fleet"),
    ];
    let made = ada.post("/things", &thing).with(303);
    let place = made.header("location").unwrap();
    assert!(place.starts_with("/things?tenant=acme&done=new"), "{place}");
    ada.post("/things", &thing).with(409);
    let listed = ada.get("/things?tenant=acme").with(200);
    assert!(listed.text.contains("pump-1") && !listed.text.contains("Forget its id"));
    ada.post("/roles", &[("tenant", "acme"), ("name", "ops")])
        .with(303);
    let token = [
        ("of", "acme"),
        ("role", "ops"),
        ("whoami", "jane"),
        ("as", "pump-1"),
    ];
    let made = send_once(&mut ada, "/jwts", "/jwts", &token).with(200);
    assert_eq!(copied(&made, "secret").matches('.').count(), 2);
    let listed = ada.get("/jwts?tenant=acme").with(200);
    assert!(listed.text.contains("jane") && listed.text.contains("valid"));
    let jti = hidden(&listed, "/jwts/revoke", "jti");
    ada.post("/jwts/revoke", &[("jti", &jti)]).with(303);
    let listed = ada.get("/jwts").with(200);
    assert!(listed.text.contains("revoked") && !listed.text.contains("action=\"/jwts/revoke\""));
    let rotated = send_once(
        &mut ada,
        its,
        &format!("{its}/rotate"),
        &[("overlap", "1h")],
    );
    assert_ne!(copied(&rotated.with(200), "secret"), secret);
    let key = [("tenant", "acme"), ("key", "pump-1")];
    let gone = ada.post("/things/delete", &key).with(303);
    assert_eq!(
        gone.header("location"),
        Some("/things?tenant=acme&done=delete")
    );
    let gone = ada.post(&format!("{its}/delete"), &[]).with(303);
    let back = "/applications?tenant=acme&done=delete";
    assert_eq!(gone.header("location"), Some(back));
}

#[test]
fn a_scheme_is_added_by_the_fields_of_another_one() {
    let server = with_tenant();
    let mut fields = server.get("/api/v1/schemes/basic").with(200).body;
    let mut ada = Browser::of_administrator(&server);
    let shown = ada.get("/schemes/basic").with(200).text;
    assert!(shown.contains("cs_[0-9a-f]{32}") && shown.contains("&quot;suffixed&quot;"));
    fields["name"] = json!("ours");
    let told = ada.post("/schemes", &[("fields", "{")]).with(422);
    assert!(told.text.contains("{</textarea>"));
    let fields = fields.to_string();
    let made = ada.post("/schemes", &[("fields", &fields)]).with(303);
    let place = made.header("location").unwrap();
    assert!(place.starts_with("/schemes/ours?done=new"), "{place}");
    ada.post("/schemes/basic/remove", &[]).with(422);
    let gone = ada.post("/schemes/ours/remove", &[]).with(303);
    assert_eq!(gone.header("location"), Some("/schemes?done=remove"));
}

#[test]
fn an_address_that_is_banned_is_a_reason_why() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let new = [("tenant", "acme"), ("name", "dev1")];
    send_once(&mut ada, "/create", "/create", &new).with(200);
    ada.post("/bans", &[("address", "198.51.100.0/24")])
        .with(303);
    let why = |address: &str| {
        let page = format!("/why?name=dev1%40acme&check=connect&address={address}");
        ada.get(&page).with(200).text.contains(">banned</bdi>")
    };
    assert!(why("198.51.100.7") && !why("192.0.2.7"));
}
