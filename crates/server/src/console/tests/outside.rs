//! Pages of what comes from outside: who is banned, authorities, other brokers.

use super::acts::copied;
use super::administration::{send_once, with_tenant};
use super::browser::{Browser, hidden};
use crate::tests::certificates_and_issuers::certificate;

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
    let named = hidden(&page, "/authorities/remove", "fingerprint");
    assert_eq!(named, fingerprint);
    let named = [("fingerprint", &*named)];
    ada.post("/authorities/remove", &named).with(303);
    ada.post("/authorities/remove", &named).with(404);
    assert!(!ada.get("/authorities").text.contains("p256 authority"));
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
