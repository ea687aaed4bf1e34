//! How many tries there are, and from where.

use super::*;

#[test]
fn sixteen_wrong_tries_are_checked_and_no_more_for_now() {
    for may_wait in [true, false] {
        for device in [DEV1, "nobody@acme"] {
            let mut fixture = Fixture::new();
            let wrong = Try {
                name: device,
                may_wait,
                ..WRONG
            };
            for _ in 0..16 {
                let outcome = fixture.connect(wrong);
                if may_wait {
                    pending(&outcome);
                    assert_eq!(fixture.completions().len(), 1);
                } else {
                    assert_ne!(refused(&outcome).0, Reason::TooManyFailures);
                }
                let _nothing = fixture.gate.poll();
            }
            // Never "banned": that would tell about a name.
            let over = (Reason::TooManyFailures, RefusalCode::NotAuthorized);
            assert_eq!(refused(&fixture.connect(wrong)), over);
            assert_eq!(
                refused(&fixture.connect(Try {
                    password: "right",
                    ..wrong
                })),
                over
            );
            let elsewhere = fixture.connect(Try {
                address: "192.0.2.2",
                ..wrong
            });
            assert!(may_wait || refused(&elsewhere).0 != Reason::TooManyFailures);
            fixture.settle();
            fixture.clock.fetch_add(2_000, Ordering::SeqCst);
            let again = fixture.connect(wrong);
            assert!(may_wait || refused(&again).0 != Reason::TooManyFailures);
        }
    }
}

#[test]
fn ten_wrong_tries_and_then_a_right_one_succeed() {
    let mut fixture = Fixture::new();
    fixture.background.set_tick(30);
    let wrong = Try {
        may_wait: false,
        ..WRONG
    };
    for _ in 0..10 {
        assert_eq!(refused(&fixture.connect(wrong)).0, Reason::BadSecret);
        let _nothing = fixture.gate.poll();
    }
    assert!(is_admitted(&fixture.connect(Try {
        password: "right",
        ..wrong
    })));
}

#[test]
fn an_address_where_sixty_four_failed_is_told_so_and_a_name_at_home_is_not() {
    let mut fixture = Fixture::new();
    let (ticket, _) = pending(&fixture.connect(TRY));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    for number in 0..64 {
        let name = format!("n{number}@acme");
        let client_id = format!("c{number}");
        let outcome = fixture.connect(Try {
            handle: 100 + number,
            client_id: &client_id,
            name: &name,
            ..WRONG
        });
        pending(&outcome);
    }
    assert_eq!(fixture.completions().len(), 64);
    let stranger = Try {
        handle: 2,
        client_id: "b",
        name: "n99@acme",
        ..WRONG
    };
    let banned = (Reason::TooManyFailures, RefusalCode::Banned);
    assert_eq!(refused(&fixture.connect(stranger)), banned);
    pending(&fixture.connect(Try {
        client_id: "c",
        ..WRONG
    }));
    pending(&fixture.connect(Try {
        handle: 3,
        address: "192.0.2.2",
        ..stranger
    }));
}

#[test]
fn one_address_has_an_eighth_of_the_places() {
    let mut fixture = Fixture::new();
    let mut held = 0;
    let mut last = None;
    for number in 0..70 {
        let client_id = format!("c{number}");
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &client_id,
            ..TRY
        });
        match outcome {
            ConnectOutcome::Pending { .. } => held += 1,
            other => last = Some(other),
        }
    }
    assert_eq!(held, 64);
    assert_eq!(
        refused(&last.unwrap()),
        (Reason::OverBudget, RefusalCode::Busy)
    );
    pending(&fixture.connect(Try {
        handle: 99,
        client_id: "z",
        address: "192.0.2.2",
        ..TRY
    }));
    // Ends with all of them still waiting.
    fixture.gate.close();
}

#[test]
fn an_address_that_has_nothing_waiting_gets_the_place_of_one_that_has_most() {
    let mut fixture = Fixture::new();
    // Thirteen of these fill half of the lane, and three hundred more find no
    // place but theirs.
    let many = (0..13).flat_map(|address| (0..20).map(move |_| address));
    let one_each = 13..313;
    for (number, address) in many.chain(one_each).enumerate() {
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &format!("c{number}"),
            address: &format!("192.0.{}.{}", address / 200, address % 200 + 1),
            ..TRY
        });
        assert!(
            matches!(outcome, ConnectOutcome::Pending { .. }),
            "{number} from {address}: {outcome:?}"
        );
    }
    // Those who gave up their places are told, though no worker has worked.
    let is_refusal = |directive: &Directive| {
        matches!(
            directive,
            Directive::Complete {
                completion: Completion::Refuse { .. },
                ..
            }
        )
    };
    let mut refused = 0;
    while fixture.gate.wants_poll() {
        refused += fixture.gate.poll().into_iter().filter(is_refusal).count();
    }
    assert!(refused >= 40, "{refused}");
    fixture.gate.close();
}

#[test]
fn what_there_is_no_time_for_is_checked_for_the_next_try() {
    let mut fixture = Fixture::new();
    fixture.background.set_tick(30);
    let inline = Try {
        may_wait: false,
        ..TRY
    };
    // The host serves nobody else between these.
    let mut over = None;
    for number in 0..20 {
        let device = format!("d{number}");
        fixture.device(&device);
        let name = format!("{device}@acme");
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &device,
            name: &name,
            ..inline
        });
        if !is_admitted(&outcome) {
            assert_eq!(refused(&outcome), (Reason::OverBudget, RefusalCode::Busy));
            over.get_or_insert((number, device, name));
        }
    }
    let (number, device, name) = over.expect("there is no end of time");
    assert!(fixture.settle().is_empty());
    let again = Try {
        handle: number,
        client_id: &device,
        name: &name,
        ..inline
    };
    assert!(is_admitted(&fixture.connect(again)));
    // A wrong password is no better off.
    assert!(!is_admitted(&fixture.connect(Try {
        handle: 99,
        password: "wrong",
        ..again
    })));
}
