//! What a refusal tells by the time it takes.

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
