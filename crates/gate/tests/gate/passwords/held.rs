//! Logins that their host holds.

use super::*;

#[test]
fn a_login_that_waits_is_nobody_until_the_host_says_that_it_is_there() {
    let mut fixture = Fixture::new();
    let outcome = fixture.connect(TRY);
    let (ticket, username) = pending(&outcome);
    assert_eq!(username, Some(DEV1));
    for connected in [true, false] {
        for username in [None, Some(DEV1)] {
            assert!(!fixture.publishes(1, username, connected));
            assert!(!fixture.may(1, username, connected, TopicUse::Unsubscribe));
        }
    }
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    // While the host lets it in it asks about what was queued.
    let deliver = TopicUse::Deliver { topic: b"acme/x" };
    assert!(fixture.may(1, Some(DEV1), true, deliver));
    assert!(fixture.listed().is_empty());
    fixture.gate.completed(ticket, CompletionStatus::Here);
    assert!(fixture.publishes(1, Some(DEV1), true));
    assert_eq!(fixture.listed(), ["a"]);
    // The next one need not wait, nor the same one after a reload.
    assert!(is_admitted(&fixture.connect(TRY)));
    assert!(is_admitted(&fixture.connect(Try {
        handle: 2,
        client_id: "b",
        ..TRY
    })));
}

#[test]
fn a_client_that_vanished_leaves_nothing_behind() {
    let mut fixture = Fixture::with(QUICK, Authentication::Off);
    let outcome = fixture.connect(TRY);
    let (ticket, _) = pending(&outcome);
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    assert!(fixture.listed().is_empty());
    // Its Will, which the host sends without a name, though the tenant is open.
    assert!(!fixture.publishes(1, None, false));
    assert!(!fixture.publishes(1, Some(DEV1), true));
    // Somebody else with that handle is somebody again.
    assert!(is_admitted(&fixture.connect(TRY)));
    assert!(fixture.publishes(1, Some(DEV1), true));
    // And a second word about the first changes nothing.
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    assert!(fixture.publishes(1, Some(DEV1), true));
}

#[test]
fn the_verdict_of_an_earlier_try_never_admits_a_later_one() {
    let mut fixture = Fixture::new();
    for round in 0..20 {
        let device = format!("d{round}");
        fixture.device(&device);
        fixture.settle();
        let name = format!("{device}@acme");
        let first = Try {
            handle: 1,
            name: &name,
            ..TRY
        };
        let _held = fixture.connect(first);
        let second = fixture.connect(Try {
            handle: 2,
            password: "wrong",
            ..first
        });
        let (ticket, _) = pending(&second);
        let completions = fixture.completions();
        let [(completed, Completion::Refuse { .. })] = completions.as_slice() else {
            panic!("{completions:?}");
        };
        assert_eq!(*completed, ticket);
        assert!(
            !fixture.publishes(1, Some(&name), true) && !fixture.publishes(2, Some(&name), true)
        );
        // What was found out about the first is no loss.
        assert!(is_admitted(&fixture.connect(Try { handle: 3, ..first })));
        fixture.gate.disconnected(Handle(3));
        fixture.clock.fetch_add(10_000, Ordering::SeqCst);
    }
}

#[test]
fn a_connection_in_the_same_place_is_not_taken_for_the_one_that_waited() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let _held = fixture.connect(TRY);
    let other = Try {
        client_id: "b",
        name: "dev2@acme",
        ..WRONG
    };
    let outcome = fixture.connect(other);
    let (ticket, _) = pending(&outcome);
    let completions = fixture.completions();
    assert!(matches!(completions.as_slice(), [(it, Completion::Refuse { .. })] if *it == ticket));
    // One that was decided at once ends the wait as well.
    fixture.device("dev3");
    let third = Try {
        name: "dev3@acme",
        ..TRY
    };
    let _held = fixture.connect(third);
    assert!(!is_admitted(&fixture.connect(Try {
        client_id: "x#",
        ..TRY
    })));
    assert!(fixture.completions().is_empty());
}

#[test]
fn what_changed_while_it_waited_counts() {
    type Act = fn(&mut Fixture);
    let suspend: Act = |fixture| {
        fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    };
    let revoke: Act = |fixture| {
        let (name, reason) = (name(DEV1), None);
        fixture.run(&RevokeCredential { name, reason }).unwrap();
    };
    let delete: Act = |fixture| {
        fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    };
    let reset: Act = |fixture| {
        let (name, secret) = (name(DEV1), chosen("other"));
        fixture.run(&ResetPassword { name, secret }).unwrap();
    };
    let renew: Act = |fixture| {
        let (name, secret) = (name(DEV1), chosen("right"));
        fixture.run(&ResetPassword { name, secret }).unwrap();
    };
    for (act, cause) in [
        (suspend, "suspended"),
        (revoke, "revoked"),
        (delete, "unknown-name"),
        (reset, "over-budget"),
        (renew, "over-budget"),
    ] {
        let mut fixture = Fixture::new();
        let _held = fixture.connect(TRY);
        act(&mut fixture);
        let line = fixture.refused_in_the_end();
        assert!(line.contains(&format!(": {cause}: ")), "{line}: {cause}");
        assert!(!fixture.publishes(1, Some(DEV1), true));
    }
}

#[test]
fn a_client_id_that_was_taken_meanwhile_stays_taken() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let dev2 = Try {
        handle: 2,
        client_id: "b",
        name: "dev2@acme",
        ..TRY
    };
    let (ticket, _) = pending(&fixture.connect(dev2));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    // The host asks about a reload while another waits for the same id, which
    // is neither let go of nor let in.
    let _held = fixture.connect(Try {
        client_id: "b",
        ..TRY
    });
    assert!(is_admitted(&fixture.connect(Try {
        may_wait: false,
        ..dev2
    })));
    let line = fixture.refused_in_the_end();
    assert!(line.contains(": client-id-owned: "), "{line}");
}

#[test]
fn an_owner_whose_own_second_login_comes_to_nothing_keeps_its_client_id() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let (ticket, _) = pending(&fixture.connect(TRY));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    // What was verified before is forgotten, so that the next try must wait.
    fixture.change(&name(DEV1), |changes| {
        changes.description = FreeText::parse("changed").ok();
    });
    fixture.settle();
    let (ticket, _) = pending(&fixture.connect(Try { handle: 2, ..TRY }));
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    let outcome = fixture.connect(Try {
        handle: 3,
        name: "dev2@acme",
        may_wait: false,
        ..TRY
    });
    assert_eq!(refused(&outcome).0, Reason::ClientIdOwned);
    assert!(fixture.publishes(1, Some(DEV1), true));
}

#[test]
fn what_can_t_be_undone_at_once_is_no_way_to_what_others_left_behind() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let mut left = info(Try {
        name: "dev2@acme",
        ..TRY
    });
    left.clean_start = false;
    let (ticket, _) = pending(&fixture.gate.connect(&left));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    fixture.gate.ended(Handle(1), true);
    fixture.background.write();
    fixture.run(&DeleteCredential(name("dev2@acme"))).unwrap();
    fixture.settle();
    // It starts clean, and leaves while it is hashed: the host keeps what it had.
    let (ticket, _) = pending(&fixture.connect(Try { handle: 2, ..TRY }));
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    let lock = fixture.admin.begin(Intent::Write).unwrap();
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    let mut again = info(Try {
        handle: 3,
        may_wait: false,
        ..TRY
    });
    again.clean_start = false;
    assert_eq!(refused(&fixture.gate.connect(&again)).0, Reason::StoreBusy);
    drop(lock);
    for _ in 0..2 {
        let outcome = fixture.gate.connect(&again);
        assert_eq!(refused(&outcome).0, Reason::ClientIdOwned);
        // The writer does not undo it again.
        fixture.background.write();
    }
    again.clean_start = true;
    assert!(is_admitted(&fixture.gate.connect(&again)));
}

/// What a gate would find on disk that is opened after this one was killed.
fn killed(fixture: &Fixture) -> (tempfile::TempDir, Gate<SqliteStore>) {
    let there = folder();
    for end in ["", "-wal"] {
        let file = |folder: &std::path::Path| folder.join(format!("countersign.db{end}"));
        let _bytes = std::fs::copy(file(fixture.folder.path()), file(there.path())).unwrap();
    }
    let path = there.path().join("countersign.db");
    let path = path.to_str().unwrap();
    let now = fixture.clock.load(Ordering::SeqCst);
    let options = Options::parse([("store", path), ("hash_threads", "1")]).unwrap();
    let mut config = GateConfig::new(options, "bench", move || Timestamp::from_millis(now), || ());
    let _jobs = ByHand::of(&mut config);
    let gate = Gate::open(SqliteStore::open(path).unwrap(), config).unwrap();
    (there, gate)
}

#[test]
fn a_broker_that_is_killed_before_it_knows_who_was_let_in_gives_nobody_what_another_left() {
    let mut fixture = Fixture::new();
    for device in ["dev2", "dev3"] {
        fixture.device(device);
    }
    let mut left = info(Try {
        name: "dev2@acme",
        ..TRY
    });
    left.clean_start = false;
    let (ticket, _) = pending(&fixture.gate.connect(&left));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    fixture.gate.ended(Handle(1), true);
    fixture.background.write();
    fixture.run(&DeleteCredential(name("dev2@acme"))).unwrap();
    fixture.settle();
    let (ticket, _) = pending(&fixture.connect(Try { handle: 2, ..TRY }));
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    // Killed now, the broker has what it had, or what the login has begun.
    let unclean = |name: &'static str| {
        let mut again = info(Try {
            handle: 3,
            name,
            may_wait: false,
            ..TRY
        });
        again.clean_start = false;
        again
    };
    let (_folder, mut next) = killed(&fixture);
    for name in [DEV1, "dev3@acme"] {
        let outcome = next.connect(&unclean(name));
        assert_eq!(refused(&outcome).0, Reason::ClientIdOwned, "{name}");
    }
    // Once it knows that the client is there, the session is the login's.
    fixture.gate.completed(ticket, CompletionStatus::Here);
    let (_folder, mut next) = killed(&fixture);
    assert!(is_admitted(&next.connect(&unclean(DEV1))));
}

#[test]
fn a_wrong_login_of_an_open_tenant_waits_under_a_name_and_is_let_in_without() {
    let mut fixture = Fixture::with(QUICK, Authentication::Off);
    let outcome = fixture.connect(WRONG);
    let (ticket, username) = pending(&outcome);
    assert_eq!(username, Some(DEV1));
    assert_eq!(fixture.completions(), [(ticket, admit(None))]);
    fixture.gate.completed(ticket, CompletionStatus::Here);
    assert!(fixture.publishes(1, None, true));
    assert!(!fixture.publishes(1, Some(DEV1), true));
}

#[test]
fn so_many_are_on_their_way_into_the_host_and_not_more() {
    // Where a wrong login is let in, names need not be made.
    let mut fixture = Fixture::with(QUICK, Authentication::Off);
    let most = 1_024;
    let (mut let_in, mut turned_away) = (0, 0);
    for number in 0..most + 8 {
        let (client_id, name) = (format!("c{number}"), format!("a{number}@acme"));
        let address = format!("10.0.{}.{}", number / 250, number % 250);
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &client_id,
            name: &name,
            address: &address,
            ..TRY
        });
        let (ticket, _) = pending(&outcome);
        // The host never says what became of any.
        match fixture.completions().as_slice() {
            [(it, Completion::Admit { .. })] if *it == ticket => let_in += 1,
            [(it, Completion::Refuse { .. })] if *it == ticket => turned_away += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((let_in, turned_away), (most, 8));
}

#[test]
fn names_that_nobody_has_wait_like_all_others() {
    let mut fixture = Fixture::new();
    let outcome = fixture.connect(Try {
        name: "nobody@acme",
        ..TRY
    });
    assert_eq!(pending(&outcome).1, None);
    assert!(fixture.refused_in_the_end().contains(": unknown-name: "));
}

#[test]
fn a_login_that_nobody_answers_is_refused_in_the_end() {
    let mut fixture = Fixture::new();
    for number in 0..30 {
        let client_id = format!("c{number}");
        pending(&fixture.connect(Try {
            handle: number,
            client_id: &client_id,
            ..TRY
        }));
    }
    fixture.clock.fetch_add(60_000, Ordering::SeqCst);
    let completions = fixture.completions();
    assert_eq!(completions.len(), 30);
    let refusals = completions
        .iter()
        .filter(|(_, completion)| matches!(completion, Completion::Refuse { .. }));
    assert!(refusals.count() >= 25);
}
