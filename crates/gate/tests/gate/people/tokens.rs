//! Tokens (JWT).

use std::time::Duration;

use countersign::core::reason::Reason;
use countersign::core::user::GrantedRight;
use countersign::{ClientRef, Handle, TopicUse};
use countersign_admin::jwt::{RevokeToken, RotateKey};
use countersign_admin::user::DeleteUser;
use serde_json::json;

use crate::fixture::{
    Fixture, JANE, TRY, Try, admitted, is_admitted, name, refused, role_right, tenant_id,
};

const SCRIPT: &str = "jwt:script@acme";

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.grant(JANE, "acme", GrantedRight::OrgAdmin);
    fixture.settle();
    fixture
}

fn with(token: &str) -> Try<'_> {
    Try {
        client_id: "s",
        name: "jwt",
        password: token,
        ..TRY
    }
}

fn delivers(fixture: &mut Fixture, handle: usize) -> bool {
    let client = ClientRef {
        handle: Handle(handle),
        client_id: Some(b"s"),
        username: Some(SCRIPT.as_bytes()),
        ..ClientRef::default()
    };
    let usage = TopicUse::Deliver { topic: b"acme/x" };
    fixture.gate.check(&client, usage).is_allowed()
}

#[test]
fn a_token_is_let_in_as_its_bearer_and_ends_at_its_second() {
    let mut fixture = fixture();
    let (token, _) = fixture.token(JANE, &[], 3);
    assert_eq!(admitted(&fixture.connect(with(&token))), SCRIPT);
    assert!(fixture.publishes(with(&token), SCRIPT, "acme/x"));
    // The host asks again with the name that it has now.
    fixture.gate.reload();
    let again = Try {
        name: SCRIPT,
        ..with(&token)
    };
    assert_eq!(admitted(&fixture.connect(again)), SCRIPT);
    fixture.pass(Duration::from_millis(2_999));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(Duration::from_millis(1));
    assert_eq!(fixture.kicked(), ["s"]);
    assert_eq!(refused(&fixture.connect(with(&token))), Reason::Expired);
}

#[test]
fn what_ends_a_token_ends_its_sessions_and_no_others() {
    type Act = fn(&mut Fixture, &countersign::core::jwt::TokenId);
    let acts: [Act; 5] = [
        |fixture, id| {
            fixture.run(&RevokeToken(id.clone())).unwrap();
        },
        |fixture, _| fixture.grant(JANE, "acme", role_right("all")),
        |fixture, _| fixture.ungrant(JANE, "acme"),
        |fixture, _| {
            fixture.run(&DeleteUser(name(JANE))).unwrap();
        },
        |fixture, _| {
            let (tenant, overlap) = (tenant_id("acme"), Duration::ZERO);
            fixture.run(&RotateKey { tenant, overlap }).unwrap();
        },
    ];
    for (number, act) in acts.into_iter().enumerate() {
        let mut fixture = fixture();
        fixture.user("other@mail.test", "right");
        fixture.grant("other@mail.test", "acme", GrantedRight::OrgAdmin);
        let (token, id) = fixture.token(JANE, &[], 3_600);
        let (others, _) = fixture.token("other@mail.test", &[], 3_600);
        assert!(is_admitted(&fixture.connect(with(&token))));
        let other = Try {
            handle: 2,
            client_id: "o",
            ..with(&others)
        };
        assert!(is_admitted(&fixture.connect(other)));
        act(&mut fixture, &id);
        let is_key = number == 4;
        let expected: &[&str] = if is_key { &["o", "s"] } else { &["s"] };
        assert_eq!(fixture.kicked(), expected, "{number}");
        assert!(!is_admitted(&fixture.connect(with(&token))), "{number}");
    }
}

#[test]
fn a_key_that_is_to_end_ends_sessions_at_its_instant() {
    let mut fixture = fixture();
    let (token, _) = fixture.token(JANE, &[], 3_600);
    let (tenant, overlap) = (tenant_id("acme"), Duration::from_secs(60));
    fixture.run(&RotateKey { tenant, overlap }).unwrap();
    fixture.settle();
    // It logs in after that, with the old key.
    assert!(is_admitted(&fixture.connect(with(&token))));
    fixture.pass(Duration::from_secs(59));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.kicked(), ["s"]);
}

#[test]
fn a_token_may_do_what_its_role_says_for_its_things_alone() {
    let mut fixture = fixture();
    fixture.application("fleet", countersign::core::kind::Application::default());
    for key in ["t1", "t2"] {
        fixture.thing(key, "fleet");
    }
    fixture.allow("all", "acme", "thing/#");
    let (token, _) = fixture.token(JANE, &["t1"], 3_600);
    fixture.settle();
    assert!(is_admitted(&fixture.connect(with(&token))));
    assert!(fixture.publishes(with(&token), SCRIPT, "thing/t1/x"));
    assert!(!fixture.publishes(with(&token), SCRIPT, "thing/t2/x"));
    assert!(fixture.publishes(with(&token), SCRIPT, "acme/x"));
    // A changed role counts at once.
    fixture.role("none", "acme", "acme/none");
    fixture.allow("all", "acme", "acme/more");
    fixture.settle();
    let info = fixture
        .command(with(&token), SCRIPT, "session.info", json!({}))
        .unwrap();
    assert_eq!(
        info,
        json!({
            "username": SCRIPT, "kind": "jwt", "orgKey": "acme", "role": "all",
            "roles": ["all"], "orgAdmin": false, "clientId": "s", "things": ["t1"],
        })
    );
    for command in ["session.jwt.create", "thing.bind", "thing.appid.reset"] {
        let params = json!({"key": "t1", "role": "all", "whoami": "x"});
        let refused = fixture.command(with(&token), SCRIPT, command, params);
        assert_eq!(refused, Err(-91_004), "{command}");
    }
}

#[test]
fn a_client_id_is_a_bearer_s_from_one_token_to_the_next() {
    let mut fixture = fixture();
    let (first, _) = fixture.token(JANE, &[], 3_600);
    let (second, _) = fixture.token(JANE, &[], 3_600);
    assert!(is_admitted(&fixture.connect(with(&first))));
    let next = Try {
        handle: 2,
        ..with(&second)
    };
    assert!(is_admitted(&fixture.connect(next)));
    let janes = Try {
        handle: 3,
        client_id: "s",
        ..TRY
    };
    assert_eq!(refused(&fixture.connect(janes)), Reason::ClientIdOwned);
}

#[test]
fn nothing_is_kept_for_a_token_that_has_ended_and_nothing_after_a_restart() {
    let mut fixture = fixture();
    let (token, _) = fixture.token(JANE, &[], 60);
    let stored = Try {
        clean_start: false,
        ..with(&token)
    };
    assert!(is_admitted(&fixture.connect(stored)));
    fixture.gate.disconnected(Handle(1));
    fixture.settle();
    assert!(delivers(&mut fixture, 1));
    fixture.pass(Duration::from_secs(60));
    fixture.settle();
    assert!(!delivers(&mut fixture, 1));
    // Ended while it was live: what comes for it afterwards is not kept.
    let (token, _) = fixture.token(JANE, &[], 60);
    let stored = Try {
        handle: 2,
        clean_start: false,
        ..with(&token)
    };
    assert!(is_admitted(&fixture.connect(stored)));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.kicked(), ["s"]);
    fixture.gate.disconnected(Handle(2));
    assert!(!delivers(&mut fixture, 2));
    // Of a restored session nobody knows which token it was.
    let (token, _) = fixture.token(JANE, &[], 3_600);
    let stored = Try {
        handle: 3,
        clean_start: false,
        ..with(&token)
    };
    assert!(is_admitted(&fixture.connect(stored)));
    fixture = fixture.restart();
    assert!(!delivers(&mut fixture, 9));
}
