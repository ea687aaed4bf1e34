//! Enhanced authentication.

use std::time::Duration;

use countersign::core::reason::Reason;
use countersign::{ConnectOutcome, Directive, Enhanced, Handle, Peer, RefusalCode, TopicUse};
use countersign_admin::user;

use super::bench::{Bench, JANE, TRY, Try, admitted, is_admitted, is_challenged, name, refused};

const PUBLISH: TopicUse<'static> = TopicUse::Publish {
    topic: b"acme/x",
    qos: 0,
    retain: false,
};

fn may(bench: &mut Bench, connected: bool, usage: TopicUse<'_>) -> bool {
    let peer = Peer {
        handle: Handle(1),
        client_id: Some(b"a"),
        username: Some(JANE.as_bytes()),
        connected,
        ..Peer::default()
    };
    bench.gate.check(&peer, usage).is_allowed()
}

#[test]
fn nothing_is_asked_of_who_is_not_known_and_nothing_of_who_needs_no_code() {
    let mut bench = Bench::new();
    assert_eq!(admitted(&bench.enhance(TRY)), JANE);
    assert!(bench.publishes(TRY, JANE, "acme/x"));
    bench.enrol(JANE);
    for (name, password) in [
        (JANE, "wrong"),
        ("nobody@mail.test", "right"),
        ("dev@acme", "right"),
        ("a\u{1}b", "right"),
    ] {
        let it = Try {
            handle: 2,
            name,
            password,
            ..TRY
        };
        assert!(!is_admitted(&bench.enhance(it)), "{name}");
    }
}

#[test]
fn who_is_asked_is_nobody_until_the_code_comes_and_is_then_let_in() {
    let mut bench = Bench::new();
    let (seed, recovery) = bench.enrol(JANE);
    assert!(is_challenged(&bench.enhance(TRY)));
    for connected in [true, false] {
        for usage in [
            PUBLISH,
            TopicUse::Deliver { topic: b"acme/x" },
            TopicUse::Subscribe { filter: b"acme/#" },
            TopicUse::Unsubscribe,
        ] {
            assert!(!may(&mut bench, connected, usage), "{usage:?}");
        }
    }
    let code = bench.code(&seed, 0);
    assert_eq!(admitted(&bench.resume(TRY, &code)), JANE);
    assert!(may(&mut bench, true, PUBLISH));
    // The answer can be given once.
    let other = Try {
        handle: 2,
        client_id: "b",
        ..TRY
    };
    assert_eq!(refused(&bench.resume(other, &code)), Reason::MfaRequired);
    // A recovery code does as well, once.
    let recovery = String::from_utf8(recovery[0].expose().to_vec()).unwrap();
    assert!(is_challenged(&bench.enhance(other)));
    assert!(is_admitted(&bench.resume(other, &recovery)));
    let third = Try {
        handle: 3,
        client_id: "c",
        ..TRY
    };
    assert!(is_challenged(&bench.enhance(third)));
    assert_eq!(refused(&bench.resume(third, &recovery)), Reason::BadSecret);
}

#[test]
fn a_wrong_code_counts_and_half_a_login_does_not() {
    let mut bench = Bench::new();
    let (seed, _) = bench.enrol(JANE);
    for _ in 0..4 {
        assert!(is_challenged(&bench.enhance(TRY)));
        assert_eq!(refused(&bench.resume(TRY, "abcdef")), Reason::BadSecret);
    }
    // Asked, and gone: neither counted nor forgiven.
    for _ in 0..6 {
        assert!(is_challenged(&bench.enhance(TRY)));
        bench.gate.disconnected(Handle(1));
    }
    assert!(is_challenged(&bench.enhance(TRY)));
    assert_eq!(refused(&bench.resume(TRY, "")), Reason::BadSecret);
    assert_eq!(refused(&bench.enhance(TRY)), Reason::Locked);
    bench.pass(Duration::from_secs(300));
    assert!(is_challenged(&bench.enhance(TRY)));
    let code = bench.code(&seed, 0);
    assert!(is_admitted(&bench.resume(TRY, &code)));
}

#[test]
fn the_will_of_one_who_was_asked_and_left_is_nobody_s_however_late_it_comes() {
    let mut bench = Bench::new();
    bench.enrol(JANE);
    assert!(is_challenged(&bench.enhance(TRY)));
    bench.gate.disconnected(Handle(1));
    for _ in 0..5 {
        for connected in [true, false] {
            assert!(!may(&mut bench, connected, PUBLISH));
        }
        bench.pass(Duration::from_secs(3_600));
        bench.settle();
    }
    // Until its handle is another's.
    let device = Try {
        name: "nobody@mail.test",
        ..TRY
    };
    assert!(!is_admitted(&bench.connect(device)));
}

#[test]
fn a_code_that_comes_too_late_or_from_elsewhere_is_worth_nothing() {
    let mut bench = Bench::new();
    let (seed, _) = bench.enrol(JANE);
    let code = bench.code(&seed, 1);
    assert!(is_challenged(&bench.enhance(TRY)));
    bench.pass(Duration::from_secs(60));
    assert_eq!(refused(&bench.resume(TRY, &code)), Reason::MfaRequired);
    // Another handle, another client id, a handle that went to another.
    assert!(is_challenged(&bench.enhance(TRY)));
    let code = bench.code(&seed, 0);
    for elsewhere in [
        Try { handle: 9, ..TRY },
        Try {
            client_id: "b",
            ..TRY
        },
    ] {
        assert_eq!(
            refused(&bench.resume(elsewhere, &code)),
            Reason::MfaRequired
        );
    }
    assert!(is_challenged(&bench.enhance(TRY)));
    let _other = bench.connect(Try {
        name: "nobody@acme",
        ..TRY
    });
    assert_eq!(refused(&bench.resume(TRY, &code)), Reason::MfaRequired);
}

#[test]
fn all_that_changed_since_the_question_counts() {
    let mut bench = Bench::new();
    let (seed, _) = bench.enrol(JANE);
    assert!(is_challenged(&bench.enhance(TRY)));
    bench.ungrant(JANE, "acme");
    bench.settle();
    let code = bench.code(&seed, 0);
    assert_eq!(refused(&bench.resume(TRY, &code)), Reason::UnknownTenant);

    let mut bench = Bench::new();
    let (seed, _) = bench.enrol(JANE);
    assert!(is_challenged(&bench.enhance(TRY)));
    bench
        .act(|store, context| user::delete(store, context, &name(JANE)))
        .unwrap();
    bench.settle();
    let code = bench.code(&seed, 0);
    assert_eq!(refused(&bench.resume(TRY, &code)), Reason::UnknownName);
}

#[test]
fn the_second_round_costs_no_hash() {
    // No time at all for hashing on the host's thread.
    let mut bench = Bench::with_options(&[("hash_budget", "1")]);
    let (seed, _) = bench.enrol(JANE);
    let mut outcome = bench.enhance(TRY);
    for _ in 0..100 {
        if is_challenged(&outcome) {
            break;
        }
        // There was no time, so it was hashed for the next try.
        assert_eq!(refused(&outcome), Reason::OverBudget);
        bench.settle();
        outcome = bench.enhance(TRY);
    }
    for _ in 0..3 {
        let code = bench.code(&seed, 0);
        assert!(is_admitted(&bench.resume(TRY, &code)));
        bench.pass(Duration::from_secs(30));
        assert!(is_challenged(&bench.enhance(Try {
            client_id: "other",
            ..TRY
        })));
        assert!(is_challenged(&bench.enhance(TRY)));
    }
}

#[test]
fn another_method_is_refused_by_its_own_word() {
    let mut bench = Bench::new();
    let mut facts = countersign::ConnectFacts::new(Handle(1), b"a");
    facts.username = Some(JANE.as_bytes());
    facts.password = Some(b"right");
    facts.protocol = 5;
    facts.may_wait = true;
    for method in [&b"SCRAM-SHA-256"[..], b"", b"countersign-totp", b"\xff"] {
        let data = Some(&b"right"[..]);
        let outcome = bench
            .gate
            .connect_enhanced(&facts, &Enhanced { method, data });
        let ConnectOutcome::Refused { code, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(code, RefusalCode::BadMethod);
    }
    // Without data there is no password, whatever stands in its field.
    let none = Enhanced {
        method: b"COUNTERSIGN-TOTP",
        data: None,
    };
    assert!(!is_admitted(&bench.gate.connect_enhanced(&facts, &none)));
}

#[test]
fn after_a_reload_a_session_is_known_by_its_name_alone_and_at_no_other_time() {
    let mut bench = Bench::new();
    let (seed, _) = bench.enrol(JANE);
    assert!(is_challenged(&bench.enhance(TRY)));
    let code = bench.code(&seed, 0);
    assert!(is_admitted(&bench.resume(TRY, &code)));
    let asked_again = |bench: &mut Bench| {
        bench.gate.connect(&{
            let mut facts = countersign::ConnectFacts::new(Handle(1), b"a");
            facts.username = Some(JANE.as_bytes());
            facts.address = Some("192.0.2.1");
            facts.protocol = 5;
            facts
        })
    };
    bench.gate.reload();
    assert_eq!(admitted(&asked_again(&mut bench)), JANE);
    assert_eq!(bench.kicked(), [""; 0]);
    assert!(may(&mut bench, true, PUBLISH));
    // Without one it is a new connection, and no password is a wrong one.
    assert_eq!(refused(&asked_again(&mut bench)), Reason::BadSecret);
    assert!(!may(&mut bench, true, PUBLISH));
}

#[test]
fn a_live_session_that_authenticates_again_is_asked_for_nothing_and_ended() {
    let again = |bench: &mut Bench| {
        // The host has the principal's name by now.
        bench.enhance(TRY)
    };
    let out_of_turn = |bench: &mut Bench| bench.gate.resume(Handle(1), b"a", None);
    let ways: [&dyn Fn(&mut Bench) -> ConnectOutcome; 2] = [&again, &out_of_turn];
    for way in ways {
        let mut bench = Bench::new();
        assert!(is_admitted(&bench.enhance(TRY)));
        let outcome = way(&mut bench);
        assert!(
            matches!(outcome, ConnectOutcome::Challenge { data: b"" }),
            "{outcome:?}"
        );
        assert!(may(&mut bench, true, PUBLISH));
        assert!(bench.gate.wants_poll());
        let kicked = bench.gate.poll();
        assert!(
            matches!(kicked.as_slice(), [Directive::Kick { handle, .. }] if *handle == Handle(1)),
            "{kicked:?}"
        );
    }
}

#[test]
fn so_many_are_asked_at_once_and_not_more() {
    let mut bench = Bench::new();
    bench.enrol(JANE);
    let mut asked = 0;
    for handle in 1..=40 {
        let client_id = format!("c{handle}");
        let outcome = bench.enhance(Try {
            handle,
            client_id: &client_id,
            ..TRY
        });
        if is_challenged(&outcome) {
            asked += 1;
        } else {
            assert_eq!(refused(&outcome), Reason::OverBudget);
        }
    }
    assert_eq!(asked, 16);
    bench.pass(Duration::from_secs(61));
    assert!(is_challenged(&bench.enhance(TRY)));
}
