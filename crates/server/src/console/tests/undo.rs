//! What was done is undone.

use serde_json::{Value, json};

use super::browser::{Browser, PASSWORD};
use crate::fixture::{Reply, Server};

/// A tenant with `dev1`, the role `ops` and the user `jane@mail.test`.
fn with_things() -> Server {
    let server = Server::start();
    for (path, new) in [
        ("tenants", json!({ "id": "acme" })),
        ("credentials", json!({ "name": "dev1", "tenant": "acme" })),
        ("tenants/acme/roles", json!({ "name": "ops" })),
        (
            "users",
            json!({ "email": "jane@mail.test", "password": PASSWORD }),
        ),
    ] {
        server.post(&format!("/api/v1/{path}"), new).with(201);
    }
    server
}

/// The form that undoes what was done, as the page shows it that an act leads to: where it
/// goes, and its fields.
fn offered(ada: &Browser<'_>, did: &Reply) -> Option<(String, Vec<(String, String)>)> {
    assert_eq!(did.status, 303, "{did:?}");
    let page = ada.get(did.header("location").unwrap()).with(200);
    let (_, notice) = page.text.split_once("notice good")?;
    let (notice, _) = notice.split_once("</div>")?;
    let (_, form) = notice.split_once("action=\"")?;
    let (action, fields) = form.split_once('"')?;
    let plain = |text: &str| {
        let text = text.replace("&quot;", "\"").replace("&lt;", "<");
        text.replace("&gt;", ">").replace("&amp;", "&")
    };
    let fields = fields.split(" name=\"").skip(1).map(|field| {
        let (name, rest) = field.split_once('"').unwrap();
        let value = rest.strip_prefix(" value=\"").unwrap();
        (name.to_owned(), plain(value.split('"').next().unwrap()))
    });
    Some((plain(action), fields.collect()))
}

/// What all of them are, but for when they were changed.
fn state(ada: &Browser<'_>) -> Vec<Value> {
    let paths = [
        "credentials/dev1@acme",
        "credentials/dev1@acme/rules",
        "credentials/dev1@acme/limits",
        "tenants/acme",
        "tenants/acme/limits",
        "tenants/acme/roles/ops",
        "tenants/acme/roles/ops/limits",
        "users/jane@mail.test",
    ];
    let shown = paths.map(|path| {
        let mut shown = ada.get(&format!("/api/v1/{path}")).with(200).body;
        for key in ["updated_at", "generation"] {
            shown.as_object_mut().unwrap().remove(key);
        }
        shown
    });
    shown.to_vec()
}

pub(super) fn undo(ada: &mut Browser<'_>, did: &Reply) -> Reply {
    let (action, fields) = offered(ada, did).unwrap_or_else(|| panic!("{did:?}"));
    let fields: Vec<_> = fields.iter().map(|(name, it)| (&**name, &**it)).collect();
    ada.post(&action, &fields)
}

#[test]
fn what_was_so_before_is_so_again() {
    let server = with_things();
    let mut ada = Browser::of_administrator(&server);
    let device = "/credentials/dev1@acme";
    let change = [("description", "the <pump>"), ("groups", "HALL, YARD")];
    ada.post(&format!("{device}/change"), &change).with(303);
    let rule = [
        ("effect", "deny"),
        ("action", "publish"),
        ("pattern", "acme/x"),
    ];
    let rule_of_role = [&rule[..], &[("max_qos", "1"), ("effect", "allow")]].concat();
    let rule_of_role: Vec<_> = rule_of_role.into_iter().skip(1).collect();
    let role = "/roles/acme/ops";
    ada.post(&format!("{role}/rule"), &rule_of_role).with(303);
    let settings = [
        ("authentication", "off"),
        ("subscribe", "strict"),
        ("default_rights", "none"),
        ("anonymous_rights", "namespaces"),
        ("namespaces", "acme/#, plant/#"),
        ("lockout", ""),
    ];
    let grant = [("tenant", "acme"), ("right", "viewer"), ("group", "HALL")];
    ada.post("/people/jane@mail.test/grant", &grant).with(303);
    let limits = [("payload", "9")];
    let of_tenant = "/tenants/acme";
    for (page, word, fields) in [
        (
            device,
            "change",
            &[("description", ""), ("roles", "ops")][..],
        ),
        (device, "rule", &rule),
        (device, "limits", &limits),
        (device, "suspend", &[]),
        (role, "assign", &[("group", "HALL")]),
        (
            role,
            "unrule",
            &[
                ("action", "publish"),
                ("pattern", "acme/x"),
                ("max_qos", "1"),
            ],
        ),
        (role, "limits", &limits),
        (of_tenant, "change", &settings),
        (of_tenant, "limits", &limits),
        (
            "/people/jane@mail.test",
            "grant",
            &[("tenant", "acme"), ("right", "org_admin")],
        ),
        ("/people/jane@mail.test", "ungrant", &[("tenant", "acme")]),
        ("/people/jane@mail.test", "admin", &[]),
    ] {
        let before = state(&ada);
        let did = ada
            .post(&format!("{page}/{word}"), fields)
            .with(303)
            .clone();
        assert_ne!(state(&ada), before, "{page}: {word}");
        undo(&mut ada, &did).with(303);
        assert_eq!(state(&ada), before, "{page}: {word}");
    }
}

#[test]
fn a_ban_is_undone_and_what_was_lifted_is_banned_again() {
    let server = with_things();
    let mut ada = Browser::of_administrator(&server);
    let ban = [("address", "198.51.100.0/24"), ("reason", "noisy")];
    let did = ada.post("/bans", &ban);
    undo(&mut ada, &did).with(303);
    assert!(!ada.get("/bans").text.contains("198.51.100.0/24"));
    ada.post("/bans", &ban).with(303);
    let page = ada.get("/bans").with(200);
    let id = super::browser::hidden(&page, "/bans/remove", "id");
    let lift = [("id", &*id), ban[0], ban[1]];
    let did = ada.post("/bans/remove", &lift);
    undo(&mut ada, &did).with(303);
    let page = ada.get("/bans").with(200).text;
    assert!(page.contains("198.51.100.0/24") && page.contains("noisy"));
    assert!(page.contains("name=\"reason\" value=\"noisy\""));
}

#[test]
fn what_is_too_long_is_not_kept_to_be_undone() {
    let server = with_things();
    let mut ada = Browser::of_administrator(&server);
    ada.post("/bans", &[("client_id", "pump-7")]).with(303);
    let page = ada.get("/bans").with(200);
    let id = super::browser::hidden(&page, "/bans/remove", "id");
    let long = "x".repeat(crate::visitors::Undo::MOST_BYTES);
    let did = ada.post("/bans/remove", &[("id", &id), ("reason", &long)]);
    assert_eq!(did.header("location"), Some("/bans?done=remove"));
}

#[test]
fn nothing_is_undone_twice_or_over_the_work_of_others_or_by_an_address_that_was_made_up() {
    let server = with_things();
    let mut ada = Browser::of_administrator(&server);
    let device = "/credentials/dev1@acme";
    let change = format!("{device}/change");
    let did = ada.post(&change, &[("description", "one")]).with(303);
    assert!(offered(&ada, &did).is_some());
    assert!(offered(&ada, &did).is_none(), "it was shown before");
    let did = ada.post(&change, &[("description", "two")]);
    let (action, fields) = offered(&ada, &did).unwrap();
    ada.post(&change, &[("description", "by somebody else")])
        .with(303);
    let fields: Vec<_> = fields.iter().map(|(name, it)| (&**name, &**it)).collect();
    ada.post(&action, &fields).with(412);
    let made_up = format!("{device}?done=change&undo=00000000000000000000000000000000");
    assert!(!ada.get(&made_up).with(200).text.contains("Undo"));
    // A rule that was there goes with the one that is given, so nothing is offered.
    let rule = |effect| {
        [
            ("effect", effect),
            ("action", "publish"),
            ("pattern", "acme/x"),
        ]
    };
    let give = format!("{device}/rule");
    let did = ada.post(&give, &rule("allow"));
    assert!(offered(&ada, &did).is_some());
    let did = ada.post(&give, &rule("deny"));
    assert!(offered(&ada, &did).is_none());
}
