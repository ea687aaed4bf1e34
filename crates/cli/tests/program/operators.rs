//! Operators, who stand outside of all tenants.

use serde_json::{Value, json};

use crate::support::{Fixture, keys};

const SHOWN: [&str; 9] = [
    "name",
    "state",
    "description",
    "created_at",
    "updated_at",
    "last_used_at",
    "generation",
    "revoked_reason",
    "rules",
];

#[test]
fn operators_have_their_keys() {
    let fixture = Fixture::with_credential();
    let line = "operator create monitor --subscribe $SYS/# --subscribe acme/# --publish cmd/#";
    let made = fixture.json(line);
    assert_eq!(keys(&made), ["name", "secret"]);
    assert_eq!(made["name"], "monitor");
    assert!(made["secret"].as_str().unwrap().starts_with("cs_"));
    let shown = fixture.json("operator show monitor");
    assert_eq!(keys(&shown), SHOWN);
    assert_eq!(shown["state"], "Inactive");
    let patterns: Vec<_> = shown["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            (
                rule["action"].as_str().unwrap(),
                rule["pattern"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        patterns,
        [
            ("publish", "cmd/#"),
            ("subscribe", "$SYS/#"),
            ("subscribe", "acme/#")
        ]
    );
    assert_eq!(fixture.json("operator list"), json!([shown]));
    assert_eq!(fixture.json("credential list").as_array().unwrap().len(), 1);
    let deleted = fixture.json("operator delete monitor");
    assert_eq!(deleted, json!({ "deleted": "monitor" }));
    assert_eq!(fixture.json("operator list"), json!([]));
}

#[test]
fn an_operator_is_stopped_and_given_secrets_like_a_credential() {
    let fixture = Fixture::new();
    let line = "operator create bridge --password-stdin --json";
    let made = fixture.run_with(line, b"hunter2").done().json();
    assert_eq!(made, json!({ "name": "bridge", "secret": Value::Null }));
    let check = "check connect --username bridge --client-id any --password-stdin --json";
    fixture.run_with(check, b"hunter2").done();
    for (act, state) in [
        ("suspend", "Suspended"),
        ("reactivate", "Inactive"),
        ("revoke", "Revoked"),
    ] {
        if act == "revoke" {
            let renewed = fixture.json("credential rotate bridge");
            assert_eq!(renewed["username"], "bridge");
            let reset = "credential reset-password bridge --password-stdin";
            fixture.run_with(reset, b"hunter3").done();
            fixture.run_with(check, b"hunter3").done();
        }
        let shown = fixture.json(&format!("credential {act} bridge"));
        assert_eq!(keys(&shown), SHOWN, "{act}");
        assert_eq!(shown["state"], state, "{act}");
    }
    let denied = fixture.run_with(check, b"hunter3");
    assert_eq!(denied.json()["reason"], "revoked");
    assert!(!fixture.content().contains("hunter"));
}

#[test]
fn an_operators_rules_can_be_changed_and_reach_the_brokers_topics() {
    let fixture = Fixture::new();
    fixture.run("operator create bridge").done();
    let ask = "check publish --username bridge $CONTROL/x --json";
    assert_eq!(fixture.run(ask).json()["reason"], "no-rule");
    let shown = fixture.json("credential allow bridge publish $CONTROL/#");
    assert_eq!(shown["rules"][0]["pattern"], "$CONTROL/#");
    let allowed = fixture.run(ask).done().json();
    assert_eq!(allowed["rule"]["source"], "operator");
    assert_eq!(
        allowed["wall"],
        json!({ "tenant": null, "owner": null, "in_way": false })
    );
}

#[test]
fn what_is_said_of_an_operator_is_shown_beside_its_rules() {
    let fixture = Fixture::new();
    fixture
        .run("operator create bridge --subscribe site/#")
        .done();
    let words = [
        "operator",
        "set",
        "bridge",
        "--description",
        "to Lyon",
        "--json",
    ];
    let set = fixture.run_words(&words).done().json();
    assert_eq!(set["description"], "to Lyon");
    for line in [
        "operator deny bridge both site/secret/#",
        "operator allow bridge publish site/# --max-qos 1 --no-retain",
        "operator allow bridge subscribe # --literal",
    ] {
        fixture.run(line).done();
    }
    let shown = fixture.json("operator show bridge");
    let rules: Vec<_> = shown["rules"].as_array().unwrap().iter().collect();
    assert_eq!(rules.len(), 4);
    let effects: Vec<_> = rules.iter().map(|rule| rule["effect"].as_str()).collect();
    assert_eq!(effects.iter().filter(|it| **it == Some("deny")).count(), 1);
    let limited = rules.iter().find(|rule| rule["max_qos"] == 1).unwrap();
    assert_eq!(limited["no_retain"], true);
    assert!(rules.iter().any(|rule| rule["literal"] == true));
    fixture
        .run("operator remove bridge both site/secret/#")
        .done();
    let shown = fixture.json("operator show bridge");
    assert_eq!(shown["description"], "to Lyon");
    assert_eq!(shown["rules"].as_array().unwrap().len(), 3);
}
