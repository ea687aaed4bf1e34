//! Applications, things and their children.

use std::time::Duration;

use countersign::core::auto_registration::{AutoRegistration, KeyPattern};
use countersign::core::kind::Application;
use countersign::core::reason::Reason;
use countersign::core::time::Timestamp;
use countersign::{Completion, Directive};
use countersign_admin::application::{DeleteApplication, RotateApplication};
use countersign_admin::thing::DeleteThing;
use serde_json::json;

use crate::fixture::{Fixture, TRY, Try, admitted, app, is_admitted, name, refused, tenant_id};

const THING: &str = "thing1";

fn fleet(fixture: &mut Fixture) -> String {
    let token = fixture.application("fleet", Application::default());
    fixture.thing(THING, "fleet");
    fixture.settle();
    token
}

fn of<'a>(handle: usize, client_id: &'a str, key: &'a str, token: &'a str) -> Try<'a> {
    Try {
        handle,
        client_id,
        name: key,
        password: token,
        ..TRY
    }
}

fn rotation(overlap: Option<Duration>) -> RotateApplication {
    RotateApplication {
        tenant: tenant_id("acme"),
        name: app("fleet"),
        overlap,
    }
}

#[test]
fn a_thing_is_tied_at_its_first_use_and_only_by_a_login_that_is_let_in() {
    let mut fixture = Fixture::new();
    let token = fleet(&mut fixture);
    assert_eq!(
        refused(&fixture.connect(of(1, "A", THING, "wrong"))),
        Reason::BadSecret
    );
    assert_eq!(admitted(&fixture.connect(of(1, "A", THING, &token))), THING);
    assert_eq!(
        refused(&fixture.connect(of(2, "B", THING, &token))),
        Reason::ClientIdMismatch
    );
    assert!(fixture.publishes(of(1, "A", THING, ""), THING, "thing/thing1/x"));
    assert!(!fixture.publishes(of(1, "A", THING, ""), THING, "thing/thing2/x"));
    // As often as they like: a thing is locked out by nothing.
    for _ in 0..12 {
        assert!(!is_admitted(&fixture.connect(of(3, "A", THING, "wrong"))));
    }
}

#[test]
fn an_unknown_thing_is_made_where_its_application_says_so_and_nothing_odd_is() {
    let mut fixture = Fixture::new();
    let closed = fleet(&mut fixture);
    let about = Application {
        registers: Some(AutoRegistration::default()),
        ..Application::default()
    };
    let open = fixture.application("open", about);
    fixture.settle();
    assert_eq!(
        refused(&fixture.connect(of(1, "N", "newcomer", &closed))),
        Reason::UnknownName
    );
    assert_eq!(
        admitted(&fixture.connect(of(1, "N", "newcomer", &open))),
        "newcomer"
    );
    assert_eq!(
        refused(&fixture.connect(of(2, "M", "newcomer", &open))),
        Reason::ClientIdMismatch
    );
    for key in ["a/b", "a@acme", "jwt:me", "jwt", "application:x"] {
        let outcome = fixture.connect(of(3, "X", key, &open));
        assert_eq!(refused(&outcome), Reason::Malformed, "{key}");
    }
    // The key of another application's thing.
    assert_eq!(
        refused(&fixture.connect(of(4, "A", THING, &open))),
        Reason::BadSecret
    );
    let acts = fixture.acts();
    assert!(acts.contains(&(
        "broker:bench".into(),
        "thing.create".into(),
        "newcomer".into()
    )));
}

/// Whoever has the token writes into the name space of the whole store.
#[test]
fn a_token_registers_what_its_application_takes_and_nothing_of_another_kind() {
    let mut fixture = Fixture::new();
    let limited = |max: u32, pattern: &str| Application {
        registers: Some(AutoRegistration {
            max,
            pattern: KeyPattern::parse(pattern).unwrap(),
            registered: 0,
        }),
        ..Application::default()
    };
    let token = fixture.application("open", limited(2, "*"));
    let pumps = fixture.application("pumps", limited(50, "pump-*"));
    fixture.settle();
    for (handle, key) in [
        "VW-ABC123",
        "123456789012345",
        "joe@mail.example",
        "JWT:me",
        "a\u{202e}b",
        "a b",
    ]
    .into_iter()
    .enumerate()
    {
        let outcome = fixture.connect(of(handle, "X", key, &token));
        assert_eq!(refused(&outcome), Reason::Malformed, "{key}");
    }
    let outcome = fixture.connect(of(9, "P", "valve-1", &pumps));
    assert_eq!(refused(&outcome), Reason::UnknownName);
    assert!(is_admitted(&fixture.connect(of(9, "P", "pump-1", &pumps))));
    for key in ["one", "two"] {
        let handle = if key == "one" { 10 } else { 11 };
        assert!(is_admitted(&fixture.connect(of(handle, key, key, &token))));
    }
    let outcome = fixture.connect(of(12, "three", "three", &token));
    assert_eq!(refused(&outcome), Reason::OverLimit);
    // Those who are there already come and go.
    assert!(is_admitted(&fixture.connect(of(10, "one", "one", &token))));
    // Ten a second, of which one is made already.
    let outcomes: Vec<_> = (2..=11)
        .map(|number| {
            let key = format!("pump-{number}");
            is_admitted(&fixture.connect(of(20 + number, &key, &key, &pumps)))
        })
        .collect();
    assert_eq!(outcomes, [[true; 9].as_slice(), &[false]].concat());
    fixture.pass(Duration::from_secs(1));
    assert!(is_admitted(
        &fixture.connect(of(40, "pump-11", "pump-11", &pumps))
    ));
}

#[test]
fn a_new_token_ends_exactly_the_sessions_of_its_application() {
    let mut fixture = Fixture::new();
    let token = fleet(&mut fixture);
    fixture.thing("thing2", "fleet");
    let other = fixture.application("other", Application::default());
    fixture.thing("thing3", "other");
    fixture.settle();
    for it in [
        of(1, "A", THING, &token),
        of(2, "B", "thing2", &token),
        of(3, "C", "thing3", &other),
    ] {
        assert!(is_admitted(&fixture.connect(it)));
    }
    let rotated = fixture.run(&rotation(None)).unwrap();
    assert_eq!(fixture.kicked(), ["A", "B"]);
    let token = String::from_utf8(rotated.token.expose().to_vec()).unwrap();
    assert!(is_admitted(&fixture.connect(of(4, "A", THING, &token))));
    let (tenant, name) = (tenant_id("acme"), app("fleet"));
    fixture.run(&DeleteApplication { tenant, name }).unwrap();
    assert_eq!(fixture.kicked(), ["A"]);
    assert!(fixture.publishes(of(3, "C", "thing3", ""), "thing3", "thing/thing3/x"));
}

#[test]
fn an_overlap_ends_the_old_token_s_sessions_at_its_instant() {
    let mut fixture = Fixture::new();
    let token = fleet(&mut fixture);
    assert!(is_admitted(&fixture.connect(of(1, "A", THING, &token))));
    let hour = Duration::from_secs(3_600);
    let rotated = fixture.run(&rotation(Some(hour))).unwrap();
    let ends: Timestamp = rotated.old_token_until.unwrap();
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(ends.since(fixture.now()) - Duration::from_millis(1));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(Duration::from_millis(1));
    assert_eq!(fixture.kicked(), ["A"]);
}

#[test]
fn a_token_that_is_rotated_while_a_login_waits_lets_nobody_in() {
    // A name of no generated shape is hashed against, and so waits.
    let mut fixture = Fixture::new();
    let token = fleet(&mut fixture);
    let waits = Try {
        may_wait: true,
        ..of(1, "A", THING, "wrong")
    };
    let _pending = fixture.connect(waits);
    fixture.run(&rotation(None)).unwrap();
    let admits = fixture.settle().into_iter().any(|directive| {
        matches!(
            directive,
            Directive::Complete {
                completion: Completion::Admit { .. },
                ..
            }
        )
    });
    assert!(!admits);
    assert!(!is_admitted(&fixture.connect(of(2, "A", THING, &token))));
}

#[test]
fn a_child_is_used_by_the_session_it_is_bound_to_until_it_is_gone_or_comes_itself() {
    let mut fixture = Fixture::new();
    let token = fleet(&mut fixture);
    for key in ["child1", "child2"] {
        fixture.thing(key, "fleet");
    }
    let parent = of(1, "A", THING, &token);
    let sibling = of(2, "A2", "child2", &token);
    assert!(is_admitted(&fixture.connect(parent)));
    assert!(!fixture.publishes(parent, THING, "thing/child1/x"));
    for key in ["child1", "child2"] {
        let bound = fixture.command(parent, THING, "thing.bind", json!({"key": key}));
        assert_eq!(bound, Ok(json!({"key": key})));
    }
    assert!(fixture.publishes(parent, THING, "thing/child1/x"));
    let info = fixture
        .command(parent, THING, "session.info", json!({}))
        .unwrap();
    assert_eq!(info["things"], json!([THING, "child1", "child2"]));
    let (key, tenant) = (name("child1"), tenant_id("acme"));
    fixture.run(&DeleteThing { key, tenant }).unwrap();
    assert_eq!(fixture.kicked(), [""; 0]);
    assert!(!fixture.publishes(parent, THING, "thing/child1/x"));
    assert!(fixture.publishes(parent, THING, "thing/child2/x"));
    // Once it connects itself, nobody else passes for it.
    assert!(is_admitted(&fixture.connect(sibling)));
    fixture.settle();
    assert!(!fixture.publishes(parent, THING, "thing/child2/x"));
    assert!(fixture.publishes(sibling, "child2", "thing/child2/x"));
    assert_eq!(
        fixture.command(parent, THING, "thing.bind", json!({"key": "child2"})),
        Err(-91_007)
    );
}

#[test]
fn so_many_things_are_bound_to_one_session_and_no_more() {
    let mut fixture = Fixture::new();
    let token = fleet(&mut fixture);
    let parent = of(1, "A", THING, &token);
    assert!(is_admitted(&fixture.connect(parent)));
    let mut bound = 0;
    for number in 0..66 {
        let key = format!("child{number}");
        fixture.thing(&key, "fleet");
        let answer = fixture.command(parent, THING, "thing.bind", json!({ "key": key }));
        bound += usize::from(answer.is_ok());
        // No command is refused for want of time.
        fixture.pass(Duration::from_secs(1));
    }
    assert_eq!(bound, 64);
}

#[test]
fn nothing_but_a_thing_of_the_same_application_is_bound() {
    let mut fixture = Fixture::new();
    let token = fleet(&mut fixture);
    fixture.application("other", Application::default());
    fixture.thing("foreign", "other");
    fixture.settle();
    let parent = of(1, "A", THING, &token);
    assert!(is_admitted(&fixture.connect(parent)));
    for key in [
        "foreign",
        "nosuch",
        "jane@mail.test",
        "application:fleet@acme",
    ] {
        let bound = fixture.command(parent, THING, "thing.bind", json!({"key": key}));
        assert_eq!(bound, Err(-91_006), "{key}");
    }
    let own = fixture.command(parent, THING, "thing.bind", json!({"key": THING}));
    assert_eq!(own, Err(-91_007));
    for params in [json!({}), json!({"key": 7}), json!({"key": "#"})] {
        let bound = fixture.command(parent, THING, "thing.bind", params.clone());
        assert_eq!(bound, Err(-91_003), "{params}");
    }
}
