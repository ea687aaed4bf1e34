//! Tokens (JWT).

use std::time::Duration;

use countersign::core::reason::Reason;
use countersign::core::user::GrantedRight;
use countersign::{Handle, Peer, TopicUse};
use countersign_admin::{jwt, user};
use serde_json::json;

use super::bench::{
    Bench, JANE, TRY, Try, admitted, is_admitted, name, refused, role_right, tenant_id,
};

const SCRIPT: &str = "jwt:script@acme";

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.grant(JANE, "acme", GrantedRight::OrgAdmin);
    bench.settle();
    bench
}

fn with(token: &str) -> Try<'_> {
    Try {
        client_id: "s",
        name: "jwt",
        password: token,
        ..TRY
    }
}

fn delivers(bench: &mut Bench, handle: usize) -> bool {
    let peer = Peer {
        handle: Handle(handle),
        client_id: Some(b"s"),
        username: Some(SCRIPT.as_bytes()),
        ..Peer::default()
    };
    let usage = TopicUse::Deliver { topic: b"acme/x" };
    bench.gate.check(&peer, usage).is_allowed()
}

#[test]
fn a_token_is_let_in_as_its_bearer_and_ends_at_its_second() {
    let mut bench = bench();
    let (token, _) = bench.token(JANE, &[], 3);
    assert_eq!(admitted(&bench.connect(with(&token))), SCRIPT);
    assert!(bench.publishes(with(&token), SCRIPT, "acme/x"));
    // The host asks again with the name that it has now.
    bench.gate.reload();
    let again = Try {
        name: SCRIPT,
        ..with(&token)
    };
    assert_eq!(admitted(&bench.connect(again)), SCRIPT);
    bench.pass(Duration::from_millis(2_999));
    assert_eq!(bench.kicked(), [""; 0]);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.kicked(), ["s"]);
    assert_eq!(refused(&bench.connect(with(&token))), Reason::Expired);
}

#[test]
fn what_ends_a_token_ends_its_sessions_and_no_others() {
    type Act = fn(&mut Bench, &countersign::core::jwt::TokenId);
    let acts: [Act; 5] = [
        |bench, id| {
            bench
                .act(|store, context| jwt::revoke(store, context, id))
                .unwrap();
        },
        |bench, _| bench.grant(JANE, "acme", role_right("all")),
        |bench, _| bench.ungrant(JANE, "acme"),
        |bench, _| {
            bench
                .act(|store, context| user::delete(store, context, &name(JANE)))
                .unwrap();
        },
        |bench, _| {
            let tenant = tenant_id("acme");
            bench
                .act(|store, context| jwt::rotate_key(store, context, &tenant, Duration::ZERO))
                .unwrap();
        },
    ];
    for (number, act) in acts.into_iter().enumerate() {
        let mut bench = bench();
        bench.user("other@mail.test", "right");
        bench.grant("other@mail.test", "acme", GrantedRight::OrgAdmin);
        let (token, id) = bench.token(JANE, &[], 3_600);
        let (others, _) = bench.token("other@mail.test", &[], 3_600);
        assert!(is_admitted(&bench.connect(with(&token))));
        let other = Try {
            handle: 2,
            client_id: "o",
            ..with(&others)
        };
        assert!(is_admitted(&bench.connect(other)));
        act(&mut bench, &id);
        let is_key = number == 4;
        let expected: &[&str] = if is_key { &["o", "s"] } else { &["s"] };
        assert_eq!(bench.kicked(), expected, "{number}");
        assert!(!is_admitted(&bench.connect(with(&token))), "{number}");
    }
}

#[test]
fn a_key_that_is_to_end_ends_sessions_at_its_instant() {
    let mut bench = bench();
    let (token, _) = bench.token(JANE, &[], 3_600);
    let tenant = tenant_id("acme");
    bench
        .act(|store, context| {
            let overlap = Duration::from_secs(60);
            jwt::rotate_key(store, context, &tenant, overlap)
        })
        .unwrap();
    bench.settle();
    // It logs in after that, with the old key.
    assert!(is_admitted(&bench.connect(with(&token))));
    bench.pass(Duration::from_secs(59));
    assert_eq!(bench.kicked(), [""; 0]);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.kicked(), ["s"]);
}

#[test]
fn a_token_may_do_what_its_role_says_for_its_things_alone() {
    let mut bench = bench();
    bench.application("fleet", countersign::core::kind::Application::default());
    for key in ["t1", "t2"] {
        bench.thing(key, "fleet");
    }
    bench.allow("all", "acme", "thing/#");
    let (token, _) = bench.token(JANE, &["t1"], 3_600);
    bench.settle();
    assert!(is_admitted(&bench.connect(with(&token))));
    assert!(bench.publishes(with(&token), SCRIPT, "thing/t1/x"));
    assert!(!bench.publishes(with(&token), SCRIPT, "thing/t2/x"));
    assert!(bench.publishes(with(&token), SCRIPT, "acme/x"));
    // A changed role counts at once.
    bench.role("none", "acme", "acme/none");
    bench.allow("all", "acme", "acme/more");
    bench.settle();
    let info = bench
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
        let refused = bench.command(with(&token), SCRIPT, command, params);
        assert_eq!(refused, Err(-91_004), "{command}");
    }
}

#[test]
fn a_client_id_is_a_bearer_s_from_one_token_to_the_next() {
    let mut bench = bench();
    let (first, _) = bench.token(JANE, &[], 3_600);
    let (second, _) = bench.token(JANE, &[], 3_600);
    assert!(is_admitted(&bench.connect(with(&first))));
    let next = Try {
        handle: 2,
        ..with(&second)
    };
    assert!(is_admitted(&bench.connect(next)));
    let janes = Try {
        handle: 3,
        client_id: "s",
        ..TRY
    };
    assert_eq!(refused(&bench.connect(janes)), Reason::ClientIdOwned);
}

#[test]
fn nothing_is_kept_for_a_token_that_has_ended_and_nothing_after_a_restart() {
    let mut bench = bench();
    let (token, _) = bench.token(JANE, &[], 60);
    let stored = Try {
        clean_start: false,
        ..with(&token)
    };
    assert!(is_admitted(&bench.connect(stored)));
    bench.gate.disconnected(Handle(1));
    bench.settle();
    assert!(delivers(&mut bench, 1));
    bench.pass(Duration::from_secs(60));
    bench.settle();
    assert!(!delivers(&mut bench, 1));
    // Ended while it was live: what comes for it afterwards is not kept.
    let (token, _) = bench.token(JANE, &[], 60);
    let stored = Try {
        handle: 2,
        clean_start: false,
        ..with(&token)
    };
    assert!(is_admitted(&bench.connect(stored)));
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.kicked(), ["s"]);
    bench.gate.disconnected(Handle(2));
    assert!(!delivers(&mut bench, 2));
    // Of a restored session nobody knows which token it was.
    let (token, _) = bench.token(JANE, &[], 3_600);
    let stored = Try {
        handle: 3,
        clean_start: false,
        ..with(&token)
    };
    assert!(is_admitted(&bench.connect(stored)));
    bench = bench.restart();
    assert!(!delivers(&mut bench, 9));
}
