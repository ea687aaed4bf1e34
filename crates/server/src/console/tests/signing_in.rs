//! Who gets in.

use countersign_core::secret::Secret;

use super::browser::{ADA, Browser, PASSWORD};
use crate::fixture::Server;

#[test]
fn who_is_not_signed_in_is_led_to_where_one_signs_in_and_back() {
    let server = Server::start_with(|_| {});
    let mut ada = Browser::of_administrator(&server);
    let mut browser = Browser::of(&server);
    let led = browser.get("/find?q=a%26b").with(303);
    let place = led.header("location").unwrap();
    assert_eq!(place, "/sign-in?then=%2Ffind%3Fq%3Da%2526b");
    assert!(
        browser
            .get(place)
            .with(200)
            .text
            .contains("value=\"/find?q=a%26b\"")
    );
    let wrong = browser
        .post("/sign-in", &[("email", ADA), ("password", "wrong")])
        .with(401);
    assert!(wrong.text.contains("role=\"alert\"") && wrong.header("set-cookie").is_none());
    for (then, place) in [
        ("/find?q=a", "/find?q=a"),
        ("//evil.example/", "/find"),
        ("/\\evil.example", "/find"),
        ("https://evil.example/", "/find"),
        ("", "/find"),
    ] {
        let fields = [("email", ADA), ("password", PASSWORD), ("then", then)];
        let led = browser.post("/sign-in", &fields).with(303);
        assert_eq!(led.header("location"), Some(place), "{then}");
    }
    let elsewhere = browser.same();
    elsewhere.get("/find").with(200);
    browser.post("/sign-out", &[]).with(303);
    // The session is over, and not only forgotten here.
    for page in ["/find", "/create"] {
        elsewhere.get(page).with(303);
    }
    assert_eq!(
        ada.post("/sign-out", &[]).header("location"),
        Some("/sign-in?out=yes")
    );
}

#[test]
fn forms_are_taken_from_pages_of_ours_alone() {
    let server = Server::start_with(|_| {});
    let mut browser = Browser::of_administrator(&server);
    for (more, status) in [
        ("", 403),
        ("Origin: http://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: same-origin\r\n", 303),
    ] {
        let fields = [("email", ADA), ("password", PASSWORD)];
        browser.post_with("/sign-in", &fields, more).with(status);
        let signed_in = browser.get("/find");
        assert_eq!(signed_in.status, 200, "it was not even signed out");
    }
}

#[test]
fn who_has_the_code_makes_the_first_administrator_and_nobody_a_second_one() {
    let server = Server::start_with(|_| {});
    let mut browser = Browser::of(&server);
    assert_eq!(browser.get("/").header("location"), Some("/first"));
    let code = server
        .app
        .visitors
        .first
        .look_for_users(&mut server.store());
    let code: Secret = code.unwrap().unwrap();
    let code = String::from_utf8(code.expose().to_vec()).unwrap();
    browser.get("/first").with(200);
    let said = |code, password| [("code", code), ("email", ADA), ("password", password)];
    browser.post("/first", &said("cs_0", PASSWORD)).with(403);
    browser.post("/first", &said("", PASSWORD)).with(403);
    browser.post("/first", &said(&code, "")).with(422);
    browser.post("/first", &said(&code, PASSWORD)).with(303);
    browser.post("/first", &said(&code, PASSWORD)).with(403);
    assert_eq!(browser.get("/first").header("location"), Some("/sign-in"));
    assert_eq!(browser.get("/").header("location"), Some("/find"));
    browser.sign_in(ADA).with(303);
    browser.get("/find").with(200);
    let found = server
        .app
        .visitors
        .first
        .look_for_users(&mut server.store());
    assert!(found.unwrap().is_none());
}

#[test]
fn a_code_is_worth_nothing_once_somebody_made_a_user_in_another_way() {
    for is_looked_at in [false, true] {
        let server = Server::start_with(|_| {});
        let code = server
            .app
            .visitors
            .first
            .look_for_users(&mut server.store());
        let code = String::from_utf8(code.unwrap().unwrap().expose().to_vec()).unwrap();
        let nobody = "Nobody can sign in yet";
        let stranger = Browser::of(&server);
        assert!(stranger.get("/sign-in").text.contains(nobody));
        let mut browser = Browser::of_administrator(&server);
        if is_looked_at {
            assert!(!stranger.get("/sign-in").text.contains(nobody));
            assert_eq!(stranger.get("/").header("location"), Some("/find"));
        }
        let eve = [
            ("code", &*code),
            ("email", "eve@mail.test"),
            ("password", PASSWORD),
        ];
        let refused = if is_looked_at { 403 } else { 409 };
        browser.post("/first", &eve).with(refused);
        browser.sign_in("eve@mail.test").with(401);
        browser.post("/first", &eve).with(403);
    }
}
