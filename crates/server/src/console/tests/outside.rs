//! Pages of what comes from outside: who is banned, authorities, other brokers.

use super::acts::copied;
use super::administration::{send_once, with_tenant};
use super::browser::{Browser, hidden};
use crate::tests::certificates_and_issuers::{certificate, issuer};

#[test]
fn addresses_and_client_ids_are_banned_and_let_in_again() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let network = [("address", "198.51.100.0/24"), ("reason", "noisy")];
    ada.post("/bans", &network).with(303);
    let client_id = [("client_id", "pump-7"), ("of", "acme")];
    ada.post("/bans", &client_id).with(303);
    let page = ada.get("/bans").with(200).text;
    for shown in ["198.51.100.0/24", "noisy", "pump-7"] {
        assert!(page.contains(shown), "{shown}");
    }
    let page = ada.get("/bans?tenant=acme").with(200);
    assert!(page.text.contains("pump-7") && !page.text.contains("198.51.100.0/24"));
    let wrong = ada.post("/bans", &[("address", "nowhere")]).with(422);
    assert!(wrong.text.contains("role=\"alert\"") && wrong.text.contains("value=\"nowhere\""));
    // It is where the asker comes from.
    ada.post("/bans", &[("address", "127.0.0.1")]).with(409);
    let id = hidden(&page, "/bans/remove", "id");
    ada.post("/bans/remove", &[("id", &id)]).with(303);
    assert!(!ada.get("/bans").text.contains("pump-7"));
    ada.post("/bans/remove", &[("id", &id)]).with(404);
}

#[test]
fn an_authority_is_added_and_removed_on_its_page() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let (pem, fingerprint) = certificate("p256");
    let wrong = [
        ("tenant", "acme"),
        ("pem", "hello"),
        ("identity", "cn"),
        ("pattern", "${name}"),
    ];
    let told = ada.post("/authorities", &wrong).with(422).text;
    assert!(told.contains("role=\"alert\"") && told.contains("hello</textarea>"));
    let right = [&wrong[..1], &[("pem", &*pem)], &wrong[2..]].concat();
    ada.post("/authorities", &right).with(303);
    ada.post("/authorities", &right).with(409);
    let page = ada.get("/authorities").with(200);
    assert!(page.text.contains("p256 authority"));
    let its = format!("/authorities/{fingerprint}");
    assert!(page.text.contains(&its));
    let page = ada.get(&its).with(200);
    assert!(page.text.contains("are not made") && page.text.contains("${name}"));
    let nobody = [("name", "nobody")];
    ada.post(&format!("{its}/forget"), &nobody).with(404);
    let remove = format!("{its}/remove");
    let stale = [("version", "\"another\"")];
    let told = ada.post(&remove, &stale).with(412);
    assert!(told.text.contains("role=\"alert\"") && told.text.contains("What it is"));
    let version = hidden(&page, &remove, "version");
    let gone = ada.post(&remove, &[("version", &version)]).with(303);
    assert_eq!(gone.header("location"), Some("/authorities?done=remove"));
    assert!(!ada.get("/authorities").text.contains("p256 authority"));
    ada.get(&its).with(404);
}

#[test]
fn another_broker_gets_a_secret_and_a_new_one() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let page = "/other-brokers";
    let fields = [
        ("name", "edge"),
        ("kind", "rabbitmq"),
        ("from", "192.0.2.7 192.0.2.8"),
    ];
    let made = send_once(&mut ada, page, page, &fields).with(200);
    let secret = copied(&made, "secret");
    assert!(secret.starts_with("cs_"), "{secret}");
    let shown = ada.get(page).with(200).text;
    assert!(shown.contains("192.0.2.8") && !shown.contains(&secret));
    let again = send_once(&mut ada, page, page, &fields).with(409);
    assert!(again.text.contains("value=\"edge\""));
    let rotated = send_once(&mut ada, page, "/other-brokers/rotate", &[("name", "edge")]);
    assert_ne!(copied(&rotated.with(200), "secret"), secret);
    let named = [("name", "edge")];
    ada.post("/other-brokers/delete", &named).with(303);
    ada.post("/other-brokers/delete", &named).with(404);
}

#[test]
fn an_issuer_is_added_given_other_keys_and_removed_on_its_pages() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let new = issuer("acme", "sso");
    let keys = new["jwks"].to_string();
    let fields = [
        ("name", "sso"),
        ("tenant", "acme"),
        ("iss", "https://sso.example"),
        ("audience", "mqtt"),
        ("alg", "EdDSA"),
        ("role_map", "operator"),
    ];
    let told = ada.post("/issuers", &fields).with(422);
    assert!(told.text.contains("`role_map` has a line without `=`"));
    assert!(told.text.contains("operator</textarea>"));
    let told = ada.post("/issuers", &fields[..5]).with(422);
    assert!(told.text.contains("value=\"https://sso.example\""));
    let whole = [&fields[..5], &[("jwks", &*keys)]].concat();
    let made = ada.post("/issuers", &whole).with(303);
    let place = made.header("location").unwrap();
    assert!(place.starts_with("/issuers/sso?done=new"), "{place}");
    let page = ada.get(place).with(200).text;
    assert!(page.contains("speaks for its tenant from now on") && page.contains("key-1"));
    // Nothing is fetched, so nothing can be fetched now.
    assert!(!page.contains("action=\"/issuers/sso/refresh\""));
    let fetched = [("jwks_url", "https://sso.example/keys")];
    ada.post("/issuers/sso/keys", &fetched).with(303);
    let page = ada.get("/issuers/sso").with(200).text;
    assert!(page.contains("action=\"/issuers/sso/refresh\"") && page.contains("sso.example/keys"));
    ada.post("/issuers/sso/refresh", &[]).with(303);
    ada.post("/issuers/sso/revoke", &[("jti", "7")]).with(303);
    let nobody = [("identity", "nobody")];
    ada.post("/issuers/sso/forget", &nobody).with(404);
    assert!(ada.get("/issuers").text.contains("href=\"/issuers/sso\""));
    ada.post("/issuers/sso/remove", &[]).with(303);
    ada.get("/issuers/sso").with(404);
    assert!(ada.get("/issuers").text.contains("There are no issuers."));
}

#[test]
fn a_follower_gets_a_secret_and_is_told_of_other_tenants() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let page = "/followers";
    let fields = [("name", "edge"), ("tenants", "acme")];
    let made = send_once(&mut ada, page, page, &fields).with(200);
    let secret = copied(&made, "secret");
    let its = "/followers/edge";
    for shown in [page, its] {
        let shown = ada.get(shown).with(200).text;
        assert!(shown.contains("never heard of") && !shown.contains(&secret));
    }
    ada.post("/followers/edge/tenants", &[("tenants", "nowhere")])
        .with(404);
    ada.post("/followers/edge/tenants", &[("tenants", "")])
        .with(422);
    ada.post("/tenants", &[("id", "farm")]).with(303);
    ada.post("/followers/edge/tenants", &[("tenants", "acme farm")])
        .with(303);
    assert!(ada.get(its).text.contains("value=\"acme, farm\""));
    let rotated = send_once(&mut ada, its, "/followers/edge/rotate", &[]);
    assert_ne!(copied(&rotated.with(200), "secret"), secret);
    let gone = ada.post("/followers/edge/delete", &[]).with(303);
    assert_eq!(gone.header("location"), Some("/followers?done=delete"));
    ada.get(its).with(404);
}
