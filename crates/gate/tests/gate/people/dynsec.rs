//! The commands of Mosquitto's dynamic-security.

use countersign::core::rule::{Action, Pattern, Rule};
use countersign::core::user::GrantedRight;
use countersign::{DYNSEC_RESPONSE_TOPIC, DYNSEC_TOPIC, Directive, Handle, TopicUse};
use countersign_admin::operator::{CreateOperator, NewOperator};
use countersign_admin::secret::NewSecret;
use serde_json::{Value, json};

use crate::fixture::{Fixture, JANE, TRY, Try, client, is_admitted, name};

const LIST: &str = r#"{"commands":[{"command":"listRoles"}]}"#;

fn publish(topic: &str) -> TopicUse<'_> {
    TopicUse::Publish {
        topic: topic.as_bytes(),
        qos: 1,
        retain: false,
    }
}

/// Has a client publish a message; returns the answers that come.
fn answers(fixture: &mut Fixture, it: Try<'_>, username: &str, payload: &str) -> Vec<Value> {
    fixture
        .gate
        .control(&client(it, username), payload.as_bytes());
    let replies = fixture
        .settle()
        .into_iter()
        .filter_map(|directive| match directive {
            Directive::Reply {
                handle,
                client_id,
                topic,
                payload,
            } => {
                assert_eq!((handle, &*client_id), (Handle(it.handle), it.client_id));
                assert_eq!(topic, DYNSEC_RESPONSE_TOPIC);
                Some(serde_json::from_slice(payload.expose()).unwrap())
            }
            _ => None,
        });
    replies.collect()
}

fn start() -> Fixture {
    Fixture::with_options(&[("dynsec_tenant", "acme")])
}

/// An operator with this rule, connected.
fn operator<'a>(fixture: &mut Fixture, secret: &'a mut String, topic: &str) -> Try<'a> {
    let new = NewOperator {
        name: name("root"),
        secret: NewSecret::Generated,
        rules: vec![Rule::allow(Action::Both, Pattern::parse(topic).unwrap())],
    };
    let made = fixture.run(&CreateOperator(new)).unwrap();
    *secret = String::from_utf8(made.secret.unwrap().expose().to_vec()).unwrap();
    fixture.settle();
    let root = Try {
        handle: 7,
        client_id: "root",
        name: "root",
        password: secret,
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(root)));
    root
}

#[test]
fn without_the_option_nobody_is_heard() {
    let mut fixture = Fixture::new();
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    fixture.settle();
    assert!(is_admitted(&fixture.connect(TRY)));
    assert!(!fixture.check(TRY, JANE, publish(DYNSEC_TOPIC)).is_allowed());
    assert!(answers(&mut fixture, TRY, JANE, LIST).is_empty());
    let mut secret = String::new();
    let root = operator(&mut fixture, &mut secret, "$CONTROL/#");
    assert!(answers(&mut fixture, root, "root", LIST).is_empty());
}

#[test]
fn an_operator_whose_rules_name_the_topic_is_answered_and_no_other() {
    let mut fixture = start();
    let mut secret = String::new();
    let root = operator(&mut fixture, &mut secret, "$CONTROL/dynamic-security/#");
    let roles = json!({"responses": [{"command": "listRoles",
        "data": {"totalCount": 1, "roles": ["all"]}}]});
    assert_eq!(answers(&mut fixture, root, "root", LIST), [roles]);
    // Nobody passes for who answers, whatever the rules say.
    let answer = publish(DYNSEC_RESPONSE_TOPIC);
    assert!(!fixture.check(root, "root", answer).is_allowed());
    let create = r#"{"commands":[{"command":"createRole","rolename":"r"}]}"#;
    answers(&mut fixture, root, "root", create);
    let acts = fixture.acts();
    let row = ("session:root", "role.create", "r@acme");
    let is_it = |(actor, act, subject): &(String, String, String)| {
        (actor.as_str(), act.as_str(), subject.as_str()) == row
    };
    assert!(acts.iter().any(is_it), "{acts:?}");

    let mut fixture = start();
    let root = operator(&mut fixture, &mut secret, "acme/#");
    assert!(
        !fixture
            .check(root, "root", publish(DYNSEC_TOPIC))
            .is_allowed()
    );
    assert!(answers(&mut fixture, root, "root", LIST).is_empty());
}

#[test]
fn a_user_is_answered_as_far_as_it_may() {
    let mut fixture = start();
    assert!(is_admitted(&fixture.connect(TRY)));
    let refused = answers(&mut fixture, TRY, JANE, LIST);
    assert_eq!(
        refused[0]["responses"][0]["error"],
        format!("`{JANE}` does not administer tenant `acme`")
    );
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    fixture.settle();
    assert!(fixture.check(TRY, JANE, publish(DYNSEC_TOPIC)).is_allowed());
    let listed = answers(&mut fixture, TRY, JANE, LIST);
    assert_eq!(listed[0]["responses"][0]["data"]["totalCount"], 1);
    // What a session sent that is over is not carried out.
    fixture.gate.disconnected(Handle(TRY.handle));
    assert!(answers(&mut fixture, TRY, JANE, LIST).is_empty());
}

#[test]
fn a_flood_of_messages_of_dynamic_security_is_refused() {
    let mut fixture = start();
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    fixture.settle();
    assert!(is_admitted(&fixture.connect(TRY)));
    for _ in 0..200 {
        fixture.gate.control(&client(TRY, JANE), LIST.as_bytes());
    }
    let mut counts = [0, 0];
    for directive in fixture.settle() {
        if let Directive::Reply { payload, .. } = directive {
            let answer: Value = serde_json::from_slice(payload.expose()).unwrap();
            let error = answer["responses"][0].get("error");
            counts[usize::from(error.is_some())] += 1;
        }
    }
    let [done, refused] = counts;
    assert!(
        done == 16 && refused > 0 && done + refused <= 64,
        "{counts:?}"
    );
    let long = "x".repeat(300_000);
    let answer = answers(&mut fixture, TRY, JANE, &long);
    let why = answer[0]["responses"][0]["error"].as_str().unwrap();
    assert!(
        why.contains("too many commands") || why.contains("longer than 262144"),
        "{why}"
    );
}
