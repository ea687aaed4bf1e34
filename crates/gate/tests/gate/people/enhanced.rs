//! Enhanced authentication.

use std::time::Duration;

use countersign::core::reason::Reason;
use countersign::{
    ClientRef, ConnectInfo, ConnectOutcome, Directive, Enhanced, Handle, RefusalCode, TopicUse,
};
use countersign_admin::user::DeleteUser;

use crate::fixture::{
    Fixture, JANE, TRY, Try, admitted, is_admitted, is_challenged, name, refused, role_right,
};

const PUBLISH: TopicUse<'static> = TopicUse::Publish {
    topic: b"acme/x",
    qos: 0,
    retain: false,
};

fn may(fixture: &mut Fixture, connected: bool, usage: TopicUse<'_>) -> bool {
    let client = ClientRef {
        handle: Handle(1),
        client_id: Some(b"a"),
        username: Some(JANE.as_bytes()),
        connected,
        ..ClientRef::default()
    };
    fixture.gate.check(&client, usage).is_allowed()
}

#[test]
fn nothing_is_asked_of_who_is_not_known_and_nothing_of_who_needs_no_code() {
    let mut fixture = Fixture::new();
    assert_eq!(admitted(&fixture.enhance(TRY)), JANE);
    assert!(fixture.publishes(TRY, JANE, "acme/x"));
    fixture.enrol(JANE);
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
        assert!(!is_admitted(&fixture.enhance(it)), "{name}");
    }
}

#[test]
fn who_is_asked_is_nobody_until_the_code_comes_and_is_then_let_in() {
    let mut fixture = Fixture::new();
    let (seed, recovery) = fixture.enrol(JANE);
    assert!(is_challenged(&fixture.enhance(TRY)));
    for connected in [true, false] {
        for usage in [
            PUBLISH,
            TopicUse::Deliver { topic: b"acme/x" },
            TopicUse::Subscribe { filter: b"acme/#" },
            TopicUse::Unsubscribe,
        ] {
            assert!(!may(&mut fixture, connected, usage), "{usage:?}");
        }
    }
    let code = fixture.code(&seed, 0);
    assert_eq!(admitted(&fixture.resume(TRY, &code)), JANE);
    assert!(may(&mut fixture, true, PUBLISH));
    // The answer can be given once.
    let other = Try {
        handle: 2,
        client_id: "b",
        ..TRY
    };
    assert_eq!(refused(&fixture.resume(other, &code)), Reason::MfaRequired);
    // A recovery code does as well, once.
    let recovery = String::from_utf8(recovery[0].expose().to_vec()).unwrap();
    assert!(is_challenged(&fixture.enhance(other)));
    assert!(is_admitted(&fixture.resume(other, &recovery)));
    let third = Try {
        handle: 3,
        client_id: "c",
        ..TRY
    };
    assert!(is_challenged(&fixture.enhance(third)));
    assert_eq!(
        refused(&fixture.resume(third, &recovery)),
        Reason::BadSecret
    );
}

#[test]
fn a_wrong_code_counts_and_half_a_login_does_not() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    for _ in 0..4 {
        assert!(is_challenged(&fixture.enhance(TRY)));
        assert_eq!(refused(&fixture.resume(TRY, "abcdef")), Reason::BadSecret);
    }
    // Asked, and gone: neither counted nor forgiven.
    for _ in 0..6 {
        assert!(is_challenged(&fixture.enhance(TRY)));
        fixture.gate.disconnected(Handle(1));
    }
    assert!(is_challenged(&fixture.enhance(TRY)));
    assert_eq!(refused(&fixture.resume(TRY, "")), Reason::BadSecret);
    assert_eq!(refused(&fixture.enhance(TRY)), Reason::Locked);
    fixture.pass(Duration::from_secs(300));
    assert!(is_challenged(&fixture.enhance(TRY)));
    let code = fixture.code(&seed, 0);
    assert!(is_admitted(&fixture.resume(TRY, &code)));
}

/// A login of Jane's from an address, perhaps with a code behind the password.
fn from<'a>(address: &'a str, client_id: &'a str, password: &'a str) -> ConnectInfo<'a> {
    let mut info = ConnectInfo::new(Handle(7), client_id.as_bytes());
    info.username = Some(JANE.as_bytes());
    info.password = Some(password.as_bytes());
    info.address = Some(address);
    info.protocol = 4;
    info
}

#[test]
fn a_wrong_code_counts_for_the_address_that_it_comes_from() {
    let mut fixture = Fixture::new();
    let users: Vec<_> = (0..16).map(|it| format!("user{it}@mail.test")).collect();
    for user in &users {
        fixture.user(user, "right");
        fixture.grant(user, "acme", role_right("all"));
        fixture.enrol(user);
    }
    // Of each user one less than would lock them out.
    for (number, user) in users.iter().cycle().take(64).enumerate() {
        let name = user.as_str();
        let client_id = format!("c{number}");
        let it = Try {
            name,
            client_id: &client_id,
            ..TRY
        };
        assert!(is_challenged(&fixture.enhance(it)), "{number}");
        assert_eq!(refused(&fixture.resume(it, "abcdef")), Reason::BadSecret);
    }
    let other = Try {
        name: "nobody@acme",
        ..TRY
    };
    assert_eq!(refused(&fixture.connect(other)), Reason::TooManyFailures);
}

#[test]
fn no_code_is_tried_for_nothing_where_no_password_is_hashed_any_more() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    // The password is known from now on, and its hash is not needed to judge a code.
    let right = format!("right{}", fixture.code(&seed, 0));
    let at_home = fixture.gate.connect(&from("192.0.2.99", "home", &right));
    assert_eq!(admitted(&at_home), JANE);
    for number in 0..64 {
        let name = format!("nobody{number}@acme");
        let it = Try { name: &name, ..TRY };
        assert!(!is_admitted(&fixture.connect(it)));
    }
    for _ in 0..5 {
        let guess = fixture.gate.connect(&from("192.0.2.1", "a", "right000000"));
        assert_eq!(refused(&guess), Reason::TooManyFailures);
    }
    fixture.pass(Duration::from_secs(30));
    let right = format!("right{}", fixture.code(&seed, 0));
    let guess = fixture.gate.connect(&from("192.0.2.1", "a", &right));
    assert_eq!(refused(&guess), Reason::Locked);
}

#[test]
fn a_code_that_was_wrong_counts_though_its_client_does_not_wait_to_hear_it() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    let right = format!("right{}", fixture.code(&seed, 0));
    let at_home = fixture.gate.connect(&from("192.0.2.99", "home", &right));
    assert_eq!(admitted(&at_home), JANE);
    for number in 0..5 {
        let client_id = format!("c{number}");
        let mut guess = from("192.0.2.1", &client_id, "right000000");
        guess.may_wait = true;
        let outcome = fixture.gate.connect(&guess);
        assert!(matches!(outcome, ConnectOutcome::Pending { .. }));
        fixture.gate.disconnected(Handle(7));
    }
    fixture.settle();
    fixture.pass(Duration::from_secs(30));
    let right = format!("right{}", fixture.code(&seed, 0));
    let guess = fixture.gate.connect(&from("192.0.2.1", "a", &right));
    assert_eq!(refused(&guess), Reason::Locked);
    let acts = fixture.acts();
    let locks = acts.iter().filter(|(_, act, _)| act == "user.lock");
    assert_eq!(locks.count(), 1);
}

#[test]
fn the_will_of_one_who_was_asked_and_left_is_nobody_s_however_late_it_comes() {
    let mut fixture = Fixture::new();
    fixture.enrol(JANE);
    assert!(is_challenged(&fixture.enhance(TRY)));
    fixture.gate.disconnected(Handle(1));
    for _ in 0..5 {
        for connected in [true, false] {
            assert!(!may(&mut fixture, connected, PUBLISH));
        }
        fixture.pass(Duration::from_secs(3_600));
        fixture.settle();
    }
    // Until its handle is another's.
    let device = Try {
        name: "nobody@mail.test",
        ..TRY
    };
    assert!(!is_admitted(&fixture.connect(device)));
}

#[test]
fn a_code_that_comes_too_late_or_from_elsewhere_is_worth_nothing() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    let code = fixture.code(&seed, 1);
    assert!(is_challenged(&fixture.enhance(TRY)));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(refused(&fixture.resume(TRY, &code)), Reason::MfaRequired);
    // Another handle, another client id, a handle that went to another.
    assert!(is_challenged(&fixture.enhance(TRY)));
    let code = fixture.code(&seed, 0);
    for elsewhere in [
        Try { handle: 9, ..TRY },
        Try {
            client_id: "b",
            ..TRY
        },
    ] {
        assert_eq!(
            refused(&fixture.resume(elsewhere, &code)),
            Reason::MfaRequired
        );
    }
    assert!(is_challenged(&fixture.enhance(TRY)));
    let _other = fixture.connect(Try {
        name: "nobody@acme",
        ..TRY
    });
    assert_eq!(refused(&fixture.resume(TRY, &code)), Reason::MfaRequired);
}

#[test]
fn all_that_changed_since_the_question_counts() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    assert!(is_challenged(&fixture.enhance(TRY)));
    fixture.ungrant(JANE, "acme");
    fixture.settle();
    let code = fixture.code(&seed, 0);
    assert_eq!(refused(&fixture.resume(TRY, &code)), Reason::UnknownTenant);

    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    assert!(is_challenged(&fixture.enhance(TRY)));
    fixture.run(&DeleteUser(name(JANE))).unwrap();
    fixture.settle();
    let code = fixture.code(&seed, 0);
    assert_eq!(refused(&fixture.resume(TRY, &code)), Reason::UnknownName);
}

#[test]
fn the_second_round_costs_no_hash() {
    // No time at all for hashing on the host's thread.
    let mut fixture = Fixture::with_options(&[("hash_budget", "1")]);
    let (seed, _) = fixture.enrol(JANE);
    let mut outcome = fixture.enhance(TRY);
    for _ in 0..100 {
        if is_challenged(&outcome) {
            break;
        }
        // There was no time, so it was hashed for the next try.
        assert_eq!(refused(&outcome), Reason::OverBudget);
        fixture.settle();
        outcome = fixture.enhance(TRY);
    }
    for _ in 0..3 {
        let code = fixture.code(&seed, 0);
        assert!(is_admitted(&fixture.resume(TRY, &code)));
        fixture.pass(Duration::from_secs(30));
        assert!(is_challenged(&fixture.enhance(Try {
            client_id: "other",
            ..TRY
        })));
        assert!(is_challenged(&fixture.enhance(TRY)));
    }
}

#[test]
fn another_method_is_refused_by_its_own_word() {
    let mut fixture = Fixture::new();
    let mut info = ConnectInfo::new(Handle(1), b"a");
    info.username = Some(JANE.as_bytes());
    info.password = Some(b"right");
    info.protocol = 5;
    info.may_wait = true;
    for method in [&b"SCRAM-SHA-256"[..], b"", b"countersign-totp", b"\xff"] {
        let data = Some(&b"right"[..]);
        let outcome = fixture
            .gate
            .connect_enhanced(&info, &Enhanced { method, data });
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
    assert!(!is_admitted(&fixture.gate.connect_enhanced(&info, &none)));
}

#[test]
fn after_a_reload_a_session_is_known_by_its_name_alone_and_at_no_other_time() {
    let mut fixture = Fixture::new();
    let (seed, _) = fixture.enrol(JANE);
    assert!(is_challenged(&fixture.enhance(TRY)));
    let code = fixture.code(&seed, 0);
    assert!(is_admitted(&fixture.resume(TRY, &code)));
    let asked_again = |fixture: &mut Fixture| {
        fixture.gate.connect(&{
            let mut info = ConnectInfo::new(Handle(1), b"a");
            info.username = Some(JANE.as_bytes());
            info.address = Some("192.0.2.1");
            info.protocol = 5;
            info
        })
    };
    fixture.gate.reload();
    assert_eq!(admitted(&asked_again(&mut fixture)), JANE);
    assert_eq!(fixture.kicked(), [""; 0]);
    assert!(may(&mut fixture, true, PUBLISH));
    // Without one it is a new connection, and no password is a wrong one.
    assert_eq!(refused(&asked_again(&mut fixture)), Reason::BadSecret);
    assert!(!may(&mut fixture, true, PUBLISH));
}

#[test]
fn a_live_session_that_authenticates_again_is_asked_for_nothing_and_ended() {
    let again = |fixture: &mut Fixture| {
        // The host has the principal's name by now.
        fixture.enhance(TRY)
    };
    let out_of_turn = |fixture: &mut Fixture| fixture.gate.resume(Handle(1), b"a", None);
    let ways: [&dyn Fn(&mut Fixture) -> ConnectOutcome; 2] = [&again, &out_of_turn];
    for way in ways {
        let mut fixture = Fixture::new();
        assert!(is_admitted(&fixture.enhance(TRY)));
        let outcome = way(&mut fixture);
        assert!(
            matches!(outcome, ConnectOutcome::Challenge { data: b"" }),
            "{outcome:?}"
        );
        assert!(may(&mut fixture, true, PUBLISH));
        assert!(fixture.gate.wants_poll());
        let kicked = fixture.gate.poll();
        assert!(
            matches!(kicked.as_slice(), [Directive::Kick { handle, .. }] if *handle == Handle(1)),
            "{kicked:?}"
        );
    }
}

#[test]
fn so_many_are_asked_at_once_and_not_more() {
    let mut fixture = Fixture::new();
    fixture.enrol(JANE);
    let mut asked = 0;
    for handle in 1..=40 {
        let client_id = format!("c{handle}");
        let outcome = fixture.enhance(Try {
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
    fixture.pass(Duration::from_secs(61));
    assert!(is_challenged(&fixture.enhance(TRY)));
}
