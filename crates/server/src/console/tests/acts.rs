//! What forms do.

use serde_json::json;

use super::browser::{Browser, hidden};
use crate::fixture::{Reply, Server};

const DEV1: &str = "/credentials/dev1@acme";

fn with_tenant() -> Server {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    server
}

/// What is marked as this, of all that can be copied.
pub(super) fn copied(page: &Reply, what: &str) -> String {
    let mark = format!("id=\"copied-{what}\"");
    let (_, rest) = page
        .text
        .split_once(&mark)
        .unwrap_or_else(|| panic!("{page:?}"));
    let (_, rest) = rest.split_once("<code>").unwrap();
    rest.split("</code>").next().unwrap().to_owned()
}

/// Makes `dev1`, and says its secret.
fn make(ada: &mut Browser<'_>) -> (Reply, String) {
    let key = hidden(&ada.get("/create"), "/create", "form_key");
    let fields = [
        ("form_key", &*key),
        ("tenant", "acme"),
        ("scheme", "basic"),
        ("name", "dev1"),
        ("groups", "HALL, HALL.LINE1"),
    ];
    let made = ada.post("/create", &fields).with(200);
    let secret = copied(&made, "secret");
    // Sent again, as a browser does that loads the page anew: nothing is made or shown.
    let again = ada.post("/create", &fields).with(409);
    assert!(!again.text.contains(&secret) && !again.text.contains("copied-secret"));
    (made, secret)
}

#[test]
fn a_new_secret_is_shown_once_and_never_again() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let (made, secret) = make(&mut ada);
    assert_eq!(copied(&made, "username"), "dev1@acme");
    let line = format!(
        "mosquitto_pub -h localhost -p 1883 -u dev1@acme -P {secret} -t acme/hello -m hello"
    );
    assert_eq!(copied(&made, "command"), line);
    let json = copied(&made, "json").replace("&quot;", "\"");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["secret"], secret);
    assert_eq!(json["groups"], json!(["HALL", "HALL.LINE1"]));
    for page in ["/find", DEV1, "/create"] {
        assert!(!ada.get(page).with(200).text.contains(&secret), "{page}");
    }
    for act in ["rotate", "reset-password"] {
        let path = format!("{DEV1}/{act}");
        let page = ada.get(DEV1).with(200);
        let key = hidden(&page, &path, "form_key");
        let version = hidden(&page, &path, "version");
        let fields = [("form_key", &*key), ("version", &*version), ("overlap", "")];
        let renewed = ada.post(&path, &fields).with(200);
        let new = copied(&renewed, "secret");
        assert_ne!(new, secret);
        let again = ada.post(&path, &fields).with(409);
        assert!(!again.text.contains("copied-secret"));
    }
}

#[test]
fn a_secret_that_a_person_chose_is_not_shown() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    let key = hidden(&ada.get("/create"), "/create", "form_key");
    let fields = [
        ("form_key", &*key),
        ("tenant", "acme"),
        ("name", "dev1"),
        ("password", "hunter2 hunter2"),
    ];
    let made = ada.post("/create", &fields).with(303);
    assert_eq!(made.header("location"), Some(DEV1));
    let wrong = [("form_key", ""), ("tenant", "acme"), ("name", "dev2")];
    ada.post("/create", &wrong).with(409);
    let key = hidden(&ada.get("/create"), "/create", "form_key");
    let exists = [
        ("form_key", &*key),
        ("tenant", "acme"),
        ("name", "dev1"),
        ("password", "hunter2 hunter2"),
    ];
    let told = ada.post("/create", &exists).with(409);
    assert!(told.text.contains("value=\"dev1\"") && !told.text.contains("hunter2"));
}

#[test]
fn acts_say_what_they_did_and_the_ones_that_can_be_undone_can_be() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    make(&mut ada);
    let mut act = |word: &str, fields: &[(&str, &str)]| {
        let done = ada.post(&format!("{DEV1}/{word}"), fields);
        let place = done.with(303).header("location").unwrap().to_owned();
        ada.get(&place).with(200)
    };
    let page = act("suspend", &[]);
    assert!(page.text.contains("It is suspended.") && page.text.contains("Undo"));
    assert!(page.text.contains(&format!("action=\"{DEV1}/reactivate\"")));
    let page = act("reactivate", &[]);
    assert!(page.text.contains("It is reactivated."));
    let page = act("change", &[("description", "the pump"), ("groups", "HALL")]);
    assert!(page.text.contains("the pump") && page.text.contains("It is changed."));
    let rule = [
        ("effect", "deny"),
        ("action", "publish"),
        ("pattern", "acme/x/${username}"),
    ];
    let page = act("rule", &rule);
    assert!(page.text.contains("acme/x/${username}"));
    assert!(page.text.contains(&format!("action=\"{DEV1}/unrule\"")));
    let page = act("unrule", &rule[1..]);
    assert!(!page.text.contains(&format!("action=\"{DEV1}/unrule\"")));
    let page = act("revoke", &[("reason", "it was stolen")]);
    assert!(page.text.contains("for good") && page.text.contains("it was stolen"));
    // What is said to be done is said only as long as it is so.
    assert!(
        !ada.get(&format!("{DEV1}?done=suspend"))
            .text
            .contains("It is suspended.")
    );
    let refused = ada.post(&format!("{DEV1}/reactivate"), &[]).with(409);
    assert!(refused.text.contains("role=\"alert\""));
    ada.post(&format!("{DEV1}/nonsense"), &[]).with(404);
    let gone = ada.post(&format!("{DEV1}/delete"), &[]).with(303);
    assert_eq!(gone.header("location"), Some("/find?done=delete"));
    ada.get(DEV1).with(404);
}

#[test]
fn what_was_changed_meanwhile_is_not_changed_unseen() {
    let server = with_tenant();
    let mut ada = Browser::of_administrator(&server);
    make(&mut ada);
    let path = format!("{DEV1}/suspend");
    let version = hidden(&ada.get(DEV1), &path, "version");
    let other = [("description", "by somebody else"), ("groups", "HALL")];
    ada.post(&format!("{DEV1}/change"), &other).with(303);
    let refused = ada.post(&path, &[("version", &*version)]).with(412);
    assert!(refused.text.contains("changed since") && refused.text.contains("Inactive"));
}

#[test]
fn what_an_act_on_many_would_do_is_shown_before_and_can_be_undone() {
    let server = with_tenant();
    for name in ["dev1", "dev2", "other"] {
        let new = json!({ "name": name, "tenant": "acme" });
        server.post("/api/v1/credentials", new).with(201);
    }
    let mut ada = Browser::of_administrator(&server);
    let found = ada.get("/find?q=dev").with(200).text;
    assert!(found.contains("name=\"name\" value=\"dev1@acme\" form=\"many\""));
    assert!(found.contains("name=\"q\" value=\"dev\""));
    let is_suspended = |ada: &Browser<'_>, name: &str| {
        let path = format!("/credentials/{name}@acme");
        ada.get(&path).text.contains(">Suspended<")
    };
    for wrong in [
        &[("act", "suspend")][..],
        &[("act", "join"), ("name", "dev1@acme")],
        &[("act", "nonsense"), ("name", "dev1@acme")],
    ] {
        ada.post("/many", wrong).with(422);
    }
    let chosen = [
        ("act", "suspend"),
        ("name", "dev1@acme"),
        ("name", "other@acme"),
    ];
    let would = ada.post("/many", &chosen).with(200);
    assert!(would.text.contains("nothing is changed yet") && would.text.contains("Suspend: 2"));
    assert!(!is_suspended(&ada, "dev1"));
    let key = hidden(&would, "/many", "form_key");
    let sure = [&chosen[..], &[("sure", "yes"), ("form_key", &key)]].concat();
    let did = ada.post("/many", &sure).with(200);
    assert!(did.text.contains("Done to 2.") && did.text.contains("Undo"));
    assert!(is_suspended(&ada, "dev1") && is_suspended(&ada, "other"));
    // The same form again does nothing more.
    ada.post("/many", &sure).with(409);
    let key = hidden(&did, "/many", "form_key");
    let undo = [
        ("act", "reactivate"),
        ("name", "dev1@acme"),
        ("name", "other@acme"),
        ("sure", "yes"),
        ("form_key", &*key),
    ];
    ada.post("/many", &undo).with(200);
    assert!(!is_suspended(&ada, "dev1") && !is_suspended(&ada, "other"));
    // All that were found, and no others.
    let all = [
        ("act", "join"),
        ("of", "HALL"),
        ("all", "yes"),
        ("q", "dev"),
        ("tenant", "acme"),
    ];
    let would = ada.post("/many", &all).with(200);
    assert!(would.text.contains("Put into the group: 2"));
    assert!(would.text.contains("name=\"name\" value=\"dev2@acme\""));
    assert!(!would.text.contains("other@acme"));
    let final_one = [("act", "delete"), ("name", "dev2@acme")];
    let would = ada.post("/many", &final_one).with(200);
    assert!(would.text.contains("can&#39;t be undone") || would.text.contains("can't be undone"));
}
