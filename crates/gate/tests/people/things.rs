//! Applications, things and their children.

use countersign::core::auto_registration::{AutoRegistration, KeyPattern};
use countersign::core::kind::Application;
use countersign::core::reason::Reason;
use countersign::core::time::Timestamp;
use countersign::{Completion, Directive};
use countersign_admin::{application, thing};
use serde_json::json;

use super::bench::{Bench, TRY, Try, admitted, app, is_admitted, name, refused, tenant_id};

const THING: &str = "thing1";

fn fleet(bench: &mut Bench) -> String {
    let token = bench.application("fleet", Application::default());
    bench.thing(THING, "fleet");
    bench.settle();
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

#[test]
fn a_thing_is_tied_at_its_first_use_and_only_by_a_login_that_is_let_in() {
    let mut bench = Bench::new();
    let token = fleet(&mut bench);
    assert_eq!(
        refused(&bench.connect(of(1, "A", THING, "wrong"))),
        Reason::BadSecret
    );
    assert_eq!(admitted(&bench.connect(of(1, "A", THING, &token))), THING);
    assert_eq!(
        refused(&bench.connect(of(2, "B", THING, &token))),
        Reason::ClientIdMismatch
    );
    assert!(bench.publishes(of(1, "A", THING, ""), THING, "thing/thing1/x"));
    assert!(!bench.publishes(of(1, "A", THING, ""), THING, "thing/thing2/x"));
    // As often as they like: a thing is locked out by nothing.
    for _ in 0..12 {
        assert!(!is_admitted(&bench.connect(of(3, "A", THING, "wrong"))));
    }
}

#[test]
fn an_unknown_thing_is_made_where_its_application_says_so_and_nothing_odd_is() {
    let mut bench = Bench::new();
    let closed = fleet(&mut bench);
    let about = Application {
        registers: Some(AutoRegistration::default()),
        ..Application::default()
    };
    let open = bench.application("open", about);
    bench.settle();
    assert_eq!(
        refused(&bench.connect(of(1, "N", "newcomer", &closed))),
        Reason::UnknownName
    );
    assert_eq!(
        admitted(&bench.connect(of(1, "N", "newcomer", &open))),
        "newcomer"
    );
    assert_eq!(
        refused(&bench.connect(of(2, "M", "newcomer", &open))),
        Reason::ClientIdMismatch
    );
    for key in ["a/b", "a@acme", "jwt:me", "jwt", "application:x"] {
        let outcome = bench.connect(of(3, "X", key, &open));
        assert_eq!(refused(&outcome), Reason::Malformed, "{key}");
    }
    // The key of another application's thing.
    assert_eq!(
        refused(&bench.connect(of(4, "A", THING, &open))),
        Reason::BadSecret
    );
    let acts = bench.acts();
    assert!(acts.contains(&(
        "broker:bench".into(),
        "thing.create".into(),
        "newcomer".into()
    )));
}

/// Whoever has the token writes into the name space of the whole store.
#[test]
fn a_token_registers_what_its_application_takes_and_nothing_of_another_kind() {
    let mut bench = Bench::new();
    let limited = |max: u32, pattern: &str| Application {
        registers: Some(AutoRegistration {
            max,
            pattern: KeyPattern::parse(pattern).unwrap(),
            registered: 0,
        }),
        ..Application::default()
    };
    let token = bench.application("open", limited(2, "*"));
    let pumps = bench.application("pumps", limited(50, "pump-*"));
    bench.settle();
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
        let outcome = bench.connect(of(handle, "X", key, &token));
        assert_eq!(refused(&outcome), Reason::Malformed, "{key}");
    }
    let outcome = bench.connect(of(9, "P", "valve-1", &pumps));
    assert_eq!(refused(&outcome), Reason::UnknownName);
    assert!(is_admitted(&bench.connect(of(9, "P", "pump-1", &pumps))));
    for key in ["one", "two"] {
        let handle = if key == "one" { 10 } else { 11 };
        assert!(is_admitted(&bench.connect(of(handle, key, key, &token))));
    }
    let outcome = bench.connect(of(12, "three", "three", &token));
    assert_eq!(refused(&outcome), Reason::OverLimit);
    // Those who are there already come and go.
    assert!(is_admitted(&bench.connect(of(10, "one", "one", &token))));
    // Ten a second, of which one is made already.
    let outcomes: Vec<_> = (2..=11)
        .map(|number| {
            let key = format!("pump-{number}");
            is_admitted(&bench.connect(of(20 + number, &key, &key, &pumps)))
        })
        .collect();
    assert_eq!(outcomes, [[true; 9].as_slice(), &[false]].concat());
    bench.pass(std::time::Duration::from_secs(1));
    assert!(is_admitted(
        &bench.connect(of(40, "pump-11", "pump-11", &pumps))
    ));
}

#[test]
fn a_new_token_ends_exactly_the_sessions_of_its_application() {
    let mut bench = Bench::new();
    let token = fleet(&mut bench);
    bench.thing("thing2", "fleet");
    let other = bench.application("other", Application::default());
    bench.thing("thing3", "other");
    bench.settle();
    for it in [
        of(1, "A", THING, &token),
        of(2, "B", "thing2", &token),
        of(3, "C", "thing3", &other),
    ] {
        assert!(is_admitted(&bench.connect(it)));
    }
    let (tenant, fleet) = (tenant_id("acme"), app("fleet"));
    let rotated = bench
        .act(|store, context| application::rotate(store, context, &tenant, &fleet, None))
        .unwrap();
    assert_eq!(bench.kicked(), ["A", "B"]);
    let token = String::from_utf8(rotated.token.expose().to_vec()).unwrap();
    assert!(is_admitted(&bench.connect(of(4, "A", THING, &token))));
    bench
        .act(|store, context| application::delete(store, context, &tenant, &fleet))
        .unwrap();
    assert_eq!(bench.kicked(), ["A"]);
    assert!(bench.publishes(of(3, "C", "thing3", ""), "thing3", "thing/thing3/x"));
}

#[test]
fn an_overlap_ends_the_old_token_s_sessions_at_its_instant() {
    let mut bench = Bench::new();
    let token = fleet(&mut bench);
    assert!(is_admitted(&bench.connect(of(1, "A", THING, &token))));
    let (tenant, fleet) = (tenant_id("acme"), app("fleet"));
    let hour = std::time::Duration::from_secs(3_600);
    let rotated = bench
        .act(|store, context| application::rotate(store, context, &tenant, &fleet, Some(hour)))
        .unwrap();
    let ends: Timestamp = rotated.old_token_until.unwrap();
    assert_eq!(bench.kicked(), [""; 0]);
    bench.pass(ends.since(bench.now()) - std::time::Duration::from_millis(1));
    assert_eq!(bench.kicked(), [""; 0]);
    bench.pass(std::time::Duration::from_millis(1));
    assert_eq!(bench.kicked(), ["A"]);
}

#[test]
fn a_token_that_is_rotated_while_a_login_waits_lets_nobody_in() {
    // A name of no generated shape is hashed against, and so waits.
    let mut bench = Bench::new();
    let token = fleet(&mut bench);
    let waits = Try {
        may_wait: true,
        ..of(1, "A", THING, "wrong")
    };
    let _pending = bench.connect(waits);
    let (tenant, fleet) = (tenant_id("acme"), app("fleet"));
    bench
        .act(|store, context| application::rotate(store, context, &tenant, &fleet, None))
        .unwrap();
    let admits = bench.settle().into_iter().any(|directive| {
        matches!(
            directive,
            Directive::Complete {
                completion: Completion::Admit { .. },
                ..
            }
        )
    });
    assert!(!admits);
    assert!(!is_admitted(&bench.connect(of(2, "A", THING, &token))));
}

#[test]
fn a_child_is_used_by_the_session_it_is_bound_to_until_it_is_gone_or_comes_itself() {
    let mut bench = Bench::new();
    let token = fleet(&mut bench);
    for key in ["child1", "child2"] {
        bench.thing(key, "fleet");
    }
    let parent = of(1, "A", THING, &token);
    let sibling = of(2, "A2", "child2", &token);
    assert!(is_admitted(&bench.connect(parent)));
    assert!(!bench.publishes(parent, THING, "thing/child1/x"));
    for key in ["child1", "child2"] {
        let bound = bench.command(parent, THING, "thing.bind", json!({"key": key}));
        assert_eq!(bound, Ok(json!({"key": key})));
    }
    assert!(bench.publishes(parent, THING, "thing/child1/x"));
    let info = bench
        .command(parent, THING, "session.info", json!({}))
        .unwrap();
    assert_eq!(info["things"], json!([THING, "child1", "child2"]));
    let tenant = tenant_id("acme");
    bench
        .act(|store, context| thing::delete(store, context, &name("child1"), &tenant))
        .unwrap();
    assert_eq!(bench.kicked(), [""; 0]);
    assert!(!bench.publishes(parent, THING, "thing/child1/x"));
    assert!(bench.publishes(parent, THING, "thing/child2/x"));
    // Once it connects itself, nobody else passes for it.
    assert!(is_admitted(&bench.connect(sibling)));
    bench.settle();
    assert!(!bench.publishes(parent, THING, "thing/child2/x"));
    assert!(bench.publishes(sibling, "child2", "thing/child2/x"));
    assert_eq!(
        bench.command(parent, THING, "thing.bind", json!({"key": "child2"})),
        Err(-91_007)
    );
}

#[test]
fn so_many_things_are_bound_to_one_session_and_no_more() {
    let mut bench = Bench::new();
    let token = fleet(&mut bench);
    let parent = of(1, "A", THING, &token);
    assert!(is_admitted(&bench.connect(parent)));
    let mut bound = 0;
    for number in 0..66 {
        let key = format!("child{number}");
        bench.thing(&key, "fleet");
        let answer = bench.command(parent, THING, "thing.bind", json!({ "key": key }));
        bound += usize::from(answer.is_ok());
        // No command is refused for want of time.
        bench.pass(std::time::Duration::from_secs(1));
    }
    assert_eq!(bound, 64);
}

#[test]
fn nothing_but_a_thing_of_the_same_application_is_bound() {
    let mut bench = Bench::new();
    let token = fleet(&mut bench);
    bench.application("other", Application::default());
    bench.thing("foreign", "other");
    bench.settle();
    let parent = of(1, "A", THING, &token);
    assert!(is_admitted(&bench.connect(parent)));
    for key in [
        "foreign",
        "nosuch",
        "jane@mail.test",
        "application:fleet@acme",
    ] {
        let bound = bench.command(parent, THING, "thing.bind", json!({"key": key}));
        assert_eq!(bound, Err(-91_006), "{key}");
    }
    let own = bench.command(parent, THING, "thing.bind", json!({"key": THING}));
    assert_eq!(own, Err(-91_007));
    for params in [json!({}), json!({"key": 7}), json!({"key": "#"})] {
        let bound = bench.command(parent, THING, "thing.bind", params.clone());
        assert_eq!(bound, Err(-91_003), "{params}");
    }
}
