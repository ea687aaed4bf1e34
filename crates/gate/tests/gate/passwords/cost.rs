//! What a refusal tells by the time it takes.

use std::collections::BTreeSet;

use countersign::core::imported::ImportMark;
use countersign::core::lifecycle::State;
use countersign::core::scheme::SchemeName;
use countersign_admin::import::{ImportRow, ImportTable};

use super::*;

/// Each of these refuses a right password, for a reason of its own.
const REFUSALS: [(&str, Prepare); 4] = [
    ("exact", |fixture, name| {
        let only = ClientId::parse("only").unwrap();
        fixture.change(name, |changes| {
            changes.client_id_rule = Some(ClientIdRule::Exact(only))
        });
    }),
    ("suspended", |fixture, name| {
        fixture.run(&SuspendCredential(name.clone())).unwrap();
    }),
    ("expired", |fixture, name| {
        let soon = Timestamp::from_millis(fixture.clock.load(Ordering::SeqCst) + 1_000);
        fixture.change(name, |changes| changes.expires_at = Some(Some(soon)));
        fixture.clock.fetch_add(2_000, Ordering::SeqCst);
    }),
    ("owned", |fixture, _| {
        fixture.device("owner");
        fixture.settle();
        let owner = Try {
            handle: 77,
            client_id: "a",
            name: "owner@acme",
            may_wait: false,
            ..TRY
        };
        assert!(is_admitted(&fixture.connect(owner)));
    }),
];

type Prepare = fn(&mut Fixture, &LoginName);

/// A hash of `right` that costs next to nothing.
const FOREIGN: &str = "$7$101$AAECAwQFBgcICQoL$CmWjm9GQ0b/TFtVqI++DmxHzRaZvVjKradTSgwsqtaLZH66zJbhnLlRf+TNl+5gPVd9Iq12DdIfQYk2veiOjDQ==";

/// A device whose only password another system hashed.
fn moved_in(more: &[(&str, &str)]) -> Fixture {
    let mut fixture = Fixture::with_options(QUICK, Authentication::Required, more);
    let new = NewCredential::new(TenantId::parse("acme").unwrap(), "moved");
    fixture.run(&CreateCredential(new)).unwrap();
    fixture.take_over(&name(MOVED), FOREIGN);
    fixture
}

const MOVED: &str = "moved@acme";

/// How many hashes a login waits for, held by its host.
fn hashes(fixture: &mut Fixture, login: Try<'_>) -> usize {
    pending(&fixture.connect(login));
    for count in 1..9 {
        fixture.background.step_of("hash");
        let is_complete = |it: &Directive| matches!(it, Directive::Complete { .. });
        if fixture.gate.poll().iter().any(is_complete) {
            return count;
        }
    }
    panic!("there is no end of it");
}

#[test]
fn a_right_password_of_a_cheap_hash_costs_that_alone_unless_it_is_refused() {
    let login = Try { name: MOVED, ..TRY };
    for (case, prepare) in REFUSALS {
        let mut fixture = moved_in(&[]);
        prepare(&mut fixture, &name(MOVED));
        fixture.settle();
        // The first finds it right; what a wrong one costs besides comes after.
        assert_eq!(hashes(&mut fixture, login), 2, "{case}");
        let refused = fixture.connect(Try {
            may_wait: false,
            ..login
        });
        assert_eq!(self::refused(&refused).1, RefusalCode::NotAuthorized);
    }
    let mut fixture = moved_in(&[]);
    // Hashed with ours besides, in the same job.
    let wrong = Try {
        password: "wrong",
        ..login
    };
    assert_eq!(hashes(&mut fixture, wrong), 1);
    assert_eq!(hashes(&mut fixture, login), 1);
}

#[test]
fn an_unknown_name_costs_a_hash_where_an_import_gave_one_of_its_form_a_password() {
    const MADE: &str = "357890055321856";
    let mut fixture = Fixture::with_options(QUICK, Authentication::Required, &[]);
    let unknown = |name| Try { name, ..WRONG };
    let others = ["357890055321857", "VW-ABC123"];
    for name in others {
        // Nobody has a password under such a name.
        refused(&fixture.connect(unknown(name)));
    }
    let row = ImportRow {
        create: CreateCredential(NewCredential {
            scheme: SchemeName::plain(),
            ..NewCredential::new(TenantId::parse("acme").unwrap(), MADE)
        }),
        hash: Some(PasswordHash::import(FOREIGN, SaltReading::Either).unwrap()),
        state: State::Inactive,
        mark: ImportMark {
            source: "test".into(),
            parts: BTreeSet::new(),
            secret: None,
        },
    };
    fixture.run(&ImportTable(vec![row])).unwrap();
    fixture.settle();
    assert_eq!(hashes(&mut fixture, unknown(MADE)), 1);
    let [of_its_form, of_another] = others;
    assert_eq!(hashes(&mut fixture, unknown(of_its_form)), 1);
    refused(&fixture.connect(unknown(of_another)));
    assert_eq!(hashes(&mut fixture, Try { name: MADE, ..TRY }), 1);
}

/// With a device that moved in, no time to hash and, at the address of all tries,
/// no place to wait.
fn without_time_and_place() -> Fixture {
    let mut fixture = moved_in(&[("hash_round", "1")]);
    fixture.background.set_tick(5);
    for number in 0..64 {
        let client_id = format!("c{number}");
        let held = Try {
            handle: 2_000 + number,
            client_id: &client_id,
            ..WRONG
        };
        pending(&fixture.connect(held));
    }
    fixture.use_up_the_round(0);
    fixture
}

#[test]
fn where_there_is_no_place_all_names_are_answered_and_counted_alike() {
    for may_wait in [false, true] {
        for (name, password, is_suspended) in [
            (MOVED, "wrong", false),
            (MOVED, "right", true),
            ("none@acme", "wrong", false),
            (DEV1, "right", false),
            (DEV1, "wrong", false),
        ] {
            let mut fixture = without_time_and_place();
            if is_suspended {
                fixture.run(&SuspendCredential(self::name(MOVED))).unwrap();
            }
            let login = Try {
                client_id: "x",
                name,
                password,
                may_wait,
                ..TRY
            };
            for number in 0..40 {
                let refused = refused(&fixture.connect(login));
                let busy = (Reason::OverBudget, RefusalCode::Busy);
                assert_eq!(refused, busy, "{name} {password} {number}");
            }
            if is_suspended {
                continue;
            }
            // Of the name that was tried nothing more is looked at for a while; of
            // others it is.
            let right = Try {
                name: MOVED,
                password: "right",
                ..login
            };
            assert_eq!(is_admitted(&fixture.connect(right)), name != MOVED);
            if name == MOVED {
                fixture.clock.fetch_add(2_000, Ordering::SeqCst);
                assert!(is_admitted(&fixture.connect(right)));
            }
        }
    }
}

#[test]
fn a_client_that_needs_no_place_takes_none_from_anybody() {
    let mut fixture = moved_in(&[]);
    // Takes the last place of addresses where nothing failed, some of which have several.
    let many = (0..13).flat_map(|address| (0..20).map(move |_| address));
    for (number, address) in many.chain(13..269).enumerate() {
        let outcome = fixture.connect(Try {
            handle: 2_000 + number,
            client_id: &format!("c{number}"),
            address: &format!("198.51.{}.{}", address / 200, address % 200),
            ..WRONG
        });
        pending(&outcome);
    }
    let login = Try {
        client_id: "x",
        name: MOVED,
        ..TRY
    };
    assert!(is_admitted(&fixture.connect(login)));
    let is_complete = |it: &Directive| matches!(it, Directive::Complete { .. });
    assert!(!fixture.gate.poll().iter().any(is_complete));
}

#[test]
fn an_error_after_a_right_password_is_heard_of_as_late_as_a_wrong_one() {
    for may_wait in [true, false] {
        let of = |password| {
            let mut fixture = Fixture::new();
            fixture.background.set_tick(1);
            let known = Try {
                may_wait: false,
                ..TRY
            };
            assert!(is_admitted(&fixture.connect(known)));
            fixture.gate.disconnected(Handle(1));
            fixture.settle();
            // What this login would change can't be written.
            let path = fixture.folder.path().join("countersign.db");
            let mut other = SqliteStore::open(path).unwrap();
            let lock = other.begin(Intent::Write).unwrap();
            let mut login = info(Try {
                password,
                may_wait,
                client_id: "stored",
                ..TRY
            });
            login.protocol = 5;
            let mut all = Vec::new();
            for _ in 0..18 {
                let _nothing = fixture.gate.poll();
                let uptime = fixture.background.passed();
                all.push((
                    seen(&fixture.gate.connect(&login)),
                    fixture.background.passed() - uptime,
                ));
                fixture.background.step_of("hash");
            }
            drop(lock);
            all
        };
        let right = of("right");
        assert_eq!(right, of("wrong"), "{may_wait}");
        let hashed = |(seen, passed): &(Seen, u64)| *seen == Seen::Held || *passed > 0;
        assert_eq!(right.iter().filter(|it| hashed(it)).count(), 16);
    }
}

#[test]
fn a_right_password_of_a_cheap_hash_is_never_over_budget() {
    // Where there is no time, and where there is no place to wait.
    for may_wait in [false, true] {
        let mut fixture = without_time_and_place();
        let connect = |fixture: &mut Fixture, name, password| {
            fixture.connect(Try {
                client_id: "x",
                name,
                password,
                may_wait,
                ..TRY
            })
        };
        for (name, password) in [
            (MOVED, "wrong"),
            ("none@acme", "wrong"),
            (DEV1, "right"),
            (DEV1, "wrong"),
        ] {
            let refused = connect(&mut fixture, name, password);
            assert_eq!(self::refused(&refused).1, RefusalCode::Busy, "{name}");
        }
        assert!(is_admitted(&connect(&mut fixture, MOVED, "right")));
        fixture.gate.disconnected(Handle(1));
        fixture.run(&SuspendCredential(name(MOVED))).unwrap();
        let refused = connect(&mut fixture, MOVED, "right");
        assert_eq!(self::refused(&refused).1, RefusalCode::Busy);
    }
}

#[test]
fn a_right_password_that_is_refused_costs_what_a_wrong_one_costs_each_time() {
    for (case, prepare) in REFUSALS {
        // Also where it was known, for it let a client in before.
        for is_known in [false, true] {
            // Held, so that what is hashed shows; or with no time at all.
            for may_wait in [true, false] {
                let of = |password, name| {
                    let mut fixture = Fixture::with_options(
                        QUICK,
                        Authentication::Required,
                        &[("hash_round", "1")],
                    );
                    fixture.background.set_tick(5);
                    if is_known {
                        let elsewhere = Try {
                            client_id: "only",
                            may_wait: false,
                            ..TRY
                        };
                        assert!(is_admitted(&fixture.connect(elsewhere)));
                        fixture.gate.disconnected(Handle(1));
                    }
                    prepare(&mut fixture, &self::name(DEV1));
                    fixture.settle();
                    let login = Try {
                        password,
                        name,
                        may_wait,
                        ..TRY
                    };
                    let mut all = Vec::new();
                    let mut which = 0;
                    for _ in 0..18 {
                        all.push(fixture.first_seen(login, &mut which));
                    }
                    all
                };
                let right = of("right", DEV1);
                assert_eq!(right, of("wrong", DEV1), "{case} {is_known} {may_wait}");
                assert_eq!(
                    right,
                    of("right", "none@acme"),
                    "{case} {is_known} {may_wait}"
                );
                // None is answered before it was hashed, until there were too many.
                let refused = Seen::Refused(RefusalCode::NotAuthorized);
                assert_eq!(right.iter().position(|it| *it == refused), Some(16));
            }
        }
    }
}
