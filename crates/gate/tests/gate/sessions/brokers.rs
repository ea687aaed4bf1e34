//! A broker beside others, its options and its host.

use countersign::core::client_id::ClientId;
use countersign::core::ledger::{Durability, LedgerTransaction as _};
use countersign::core::store::rows::{BrokerRows as _, KnownBroker};
use countersign::core::store::{AdminStore as _, Intent};
use countersign_admin::broker::ShowBroker;
use countersign_admin::clients::ReleaseClientId;

use super::*;

#[test]
fn a_host_that_asks_again_about_a_live_session_is_answered_whatever_the_store_says() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    // The change has not been polled yet; the session still stands.
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    // With anything else it is a new login.
    assert_eq!(
        refused(&fixture.connect(1, "a", Some((DEV1, "wrong")))),
        Reason::UnknownName
    );
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/x"),
        Verdict::Deny(Reason::Unauthenticated)
    );
}

#[test]
fn two_live_brokers_can_not_share_a_name() {
    let fixture = Fixture::new();
    let again = Gate::open(
        SqliteStore::open(&fixture.config.options.store).unwrap(),
        fixture.config.clone(),
    );
    match again {
        Err(GateError::Store(error)) => assert_eq!(error.kind(), StoreErrorKind::Conflict),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two brokers have one name"),
    }
    let config = fixture.config.clone();
    let folder = fixture.folder;
    fixture.gate.close();
    assert!(Gate::open(SqliteStore::open(&config.options.store).unwrap(), config).is_ok());
    drop(folder);
}

#[test]
fn who_is_connected_is_written_down_and_cleared() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    assert_eq!(fixture.listed(), [("a".to_owned(), Some(DEV1.to_owned()))]);
    fixture.gate.disconnected(Handle(1));
    assert!(fixture.listed().is_empty());
}

#[test]
fn who_goes_once_a_store_was_told_of_it_again_is_not_listed() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let login = Some((DEV1, &*secret));
    for (handle, client_id) in [(1, "stays"), (2, "goes")] {
        assert!(admitted(&fixture.connect(handle, client_id, login)).is_some());
    }
    for suffix in ["-wal", "-shm"] {
        let store = fixture.config.options.store.display();
        std::fs::remove_file(format!("{store}{suffix}")).unwrap();
    }
    // The writer has taken out that both came, and can't write it.
    fixture.background.step();
    assert!(fixture.admin.mark().is_err());
    assert!(admitted(&fixture.connect(3, "comes", login)).is_some());
    fixture.gate.disconnected(Handle(2));
    let listed = fixture.listed().into_iter();
    let listed: Vec<_> = listed.map(|(client_id, _)| client_id).collect();
    assert_eq!(listed, ["stays", "comes"]);
}

#[test]
fn what_an_administrator_does_holds_for_the_next_login_without_a_poll() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let login = Some((DEV1, &*secret));
    let unknown = fixture.connect(9, "z", Some(("dev2@acme", "x")));
    assert_ne!(refused(&unknown), Reason::Suspended);
    for handle in 1..4 {
        assert_eq!(admitted(&fixture.connect(handle, "a", login)), Some(DEV1));
    }
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    assert_eq!(refused(&fixture.connect(4, "a", login)), Reason::Suspended);
    fixture.run(&ReactivateCredential(name(DEV1))).unwrap();
    assert_eq!(admitted(&fixture.connect(5, "a", login)), Some(DEV1));
    fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    // For want of time to hash, it may also be over budget.
    let gone = refused(&fixture.connect(6, "a", login));
    assert!(matches!(gone, Reason::UnknownName | Reason::OverBudget));
    let again = fixture.credential("dev1");
    let wrong = refused(&fixture.connect(7, "a", login));
    assert!(matches!(wrong, Reason::BadSecret | Reason::OverBudget));
    assert_eq!(
        admitted(&fixture.connect(8, "b", Some((DEV1, &again)))),
        Some(DEV1)
    );
    let new = fixture.credential("dev2");
    assert_eq!(
        admitted(&fixture.connect(9, "z", Some(("dev2@acme", &new)))),
        Some("dev2@acme")
    );
}

#[test]
fn a_first_use_at_another_broker_is_no_hindrance() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential_that("dev1", |new| {
        new.client_id_rule = Some(ClientIdRule::FirstUse);
    });
    // Looked up, and not used.
    let wrong = refused(&fixture.connect(1, "a", Some((DEV1, "wrong"))));
    assert!(matches!(wrong, Reason::BadSecret | Reason::OverBudget));
    let store = SqliteStore::open(fixture.folder.path().join("countersign.db")).unwrap();
    let mut config = fixture.config.clone();
    config.broker = "elsewhere".into();
    let elsewhere = Gate::open(store, config).unwrap();
    let here = core::mem::replace(&mut fixture.gate, elsewhere);
    let login = Some((DEV1, &*secret));
    assert_eq!(admitted(&fixture.connect(1, "a", login)), Some(DEV1));
    let elsewhere = core::mem::replace(&mut fixture.gate, here);
    assert_eq!(
        refused(&fixture.connect(2, "b", login)),
        Reason::ClientIdMismatch
    );
    assert_eq!(admitted(&fixture.connect(3, "a", login)), Some(DEV1));
    elsewhere.close();
}

/// What threads may do is said by types, and stays so.
#[test]
fn a_gate_moves_between_threads_and_is_never_shared() {
    const fn sends<T: Send>() {}
    const fn shares<T: Send + Sync>() {}
    const {
        sends::<Gate<SqliteStore>>();
        sends::<ConnectOutcome>();
        shares::<Directive>();
        shares::<GateConfig>();
    }
}

#[test]
fn options_that_hold_while_a_gate_is_open_can_t_change() {
    let mut fixture = Fixture::new();
    let store = fixture.config.options.store.to_str().unwrap().to_owned();
    let store = store.as_str();
    for (key, value) in [
        ("broker", "other"),
        ("hash_budget", "50"),
        ("hash_round", "50"),
        ("hash_threads", "3"),
    ] {
        let options = Options::parse([("store", store), (key, value)]).unwrap();
        let refused = fixture.gate.change_options(options).unwrap_err();
        assert_eq!(refused.option(), key);
    }
    let elsewhere = Options::parse([("store", "/elsewhere.db")]).unwrap();
    let refused = fixture.gate.change_options(elsewhere).unwrap_err();
    assert_eq!(refused.option(), "store");
}

#[test]
fn other_options_hold_for_the_next_login_and_end_no_session() {
    let mut fixture = Fixture::new();
    fixture.tenant("open", Authentication::Off);
    fixture.settle();
    let secret = fixture.credential("dev1");
    let login = Some(("dev1@acme", secret.as_str()));
    assert_eq!(admitted(&fixture.connect(1, "a", login)), Some("dev1@acme"));
    let store = fixture.config.options.store.to_str().unwrap().to_owned();
    let options = Options::parse([("store", store.as_str()), ("listener_1884", "open")]).unwrap();
    fixture.gate.change_options(options).unwrap();
    assert!(fixture.kicked().is_empty());
    let mut info = ConnectInfo::new(Handle(2), b"b");
    info.username = Some(b"dev1@acme");
    info.password = Some(secret.as_bytes());
    info.listener = Some(1884);
    let outcome = fixture.gate.connect(&info);
    assert_eq!(refused(&outcome), Reason::WrongListener);
}

#[test]
fn a_broker_says_who_it_is_when_it_starts_and_once_a_minute_that_it_runs() {
    let mut fixture = Fixture::with_options(&[("default_tenant", "acme")]);
    let shown = |fixture: &mut Fixture| {
        fixture.background.write();
        fixture.run(&ShowBroker("bench".into())).unwrap()
    };
    let KnownBroker {
        record,
        is_alive,
        sessions,
    } = shown(&mut fixture);
    let acme = TenantId::parse("acme").ok();
    let started = fixture.clock.load(Ordering::SeqCst);
    assert_eq!((is_alive, sessions), (true, 0));
    assert_eq!(record.since, Some(Timestamp::from_millis(started)));
    assert_eq!(record.options.unwrap().default_tenant, acme);
    assert!(record.plugin_version.is_some());
    fixture.pass(Duration::from_secs(59));
    let mark = fixture.admin.mark().unwrap();
    assert_eq!(
        shown(&mut fixture).record.last_seen,
        Timestamp::from_millis(started)
    );
    assert_eq!(fixture.admin.mark().unwrap(), mark);
    fixture.pass(Duration::from_secs(1));
    let seen = started + 60_000;
    assert_eq!(
        shown(&mut fixture).record.last_seen,
        Timestamp::from_millis(seen)
    );
    // A store that does not know it learns who it is, and so does one that knows other
    // options.
    fixture.act(|store, _| {
        let mut transaction = store.begin(Intent::Write).unwrap();
        transaction.remove_broker("bench").unwrap();
        transaction.commit_surviving(Durability::Kill).unwrap();
    });
    fixture.pass(Duration::from_secs(60));
    let known = shown(&mut fixture).record;
    assert_eq!(known.since, Some(Timestamp::from_millis(started)));
    assert_eq!(known.last_seen, Timestamp::from_millis(seen + 60_000));
    let path = fixture.config.options.store.to_str().unwrap().to_owned();
    let options = Options::parse([("store", path.as_str()), ("listener_1884", "acme")]).unwrap();
    fixture.gate.change_options(options).unwrap();
    let options = shown(&mut fixture).record.options.unwrap();
    assert_eq!(
        (options.default_tenant, options.listeners.get(&1_884)),
        (None, acme.as_ref())
    );
    // Its end is when it was last seen.
    fixture.pass(Duration::from_secs(5));
    let Fixture {
        gate,
        mut admin,
        folder,
        ..
    } = fixture;
    gate.close();
    let mut transaction = admin.begin(Intent::Read).unwrap();
    let left = transaction.broker("bench").unwrap().unwrap();
    assert!(!left.is_alive);
    assert_eq!(left.record.last_seen, Timestamp::from_millis(seen + 65_000));
    drop(folder);
}

#[test]
fn what_was_committed_counts_for_the_next_login_while_others_write_without_pause() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev7");
    let name = LoginName::parse("dev7@acme").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut elsewhere = SqliteStore::open(fixture.admin.path()).unwrap();
    let churn = std::thread::spawn(move || {
        let mut written = 0_u32;
        while !stopped.load(Ordering::SeqCst) {
            written += 1;
            let at = Timestamp::from_millis(written.into());
            let batch = Batch {
                observations: vec![PresenceEvent::Used(CredentialId(1), at)],
                ..Batch::default()
            };
            elsewhere.write_batch("there", &batch).unwrap();
        }
        written
    });
    for round in 0..150 {
        let outcome = fixture.connect(1, "c", Some(("dev7@acme", &secret)));
        // At most the login's own record was in the way of the others' writes.
        assert!(
            matches!(
                outcome,
                ConnectOutcome::Admitted { .. }
                    | ConnectOutcome::Refused {
                        reason: Reason::StoreBusy,
                        ..
                    }
            ),
            "{round}: {outcome:?}"
        );
        fixture.gate.disconnected(Handle(1));
        fixture.run(&SuspendCredential(name.clone())).unwrap();
        let outcome = fixture.connect(2, "c", Some(("dev7@acme", &secret)));
        assert!(
            matches!(
                outcome,
                ConnectOutcome::Refused {
                    reason: Reason::Suspended,
                    ..
                }
            ),
            "{round}: {outcome:?}"
        );
        fixture.run(&ReactivateCredential(name.clone())).unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    assert!(churn.join().unwrap() > 0);
}

#[test]
fn of_a_client_that_is_away_nothing_is_believed_that_held_of_an_earlier_one() {
    let mut fixture = Fixture::new();
    let secrets = ["dev1", "dev2"].map(|name| fixture.credential(name));
    let names = [DEV1, "dev2@acme"];
    let stored = |fixture: &mut Fixture, handle, which: usize, left_by| {
        let mut info = ConnectInfo::new(Handle(handle), b"a");
        info.username = names.get(which).map(|it| it.as_bytes());
        info.password = secrets.get(which).map(|it| it.as_bytes());
        info.protocol = 5;
        (info.clean_start, info.left_by) = left_by;
        fixture.gate.connect(&info)
    };
    let receives = |fixture: &mut Fixture, which: usize| {
        let client = ClientRef {
            handle: Handle(99),
            client_id: Some(b"a"),
            username: names.get(which).map(|it| it.as_bytes()),
            ..ClientRef::default()
        };
        let usage = TopicUse::Deliver { topic: b"acme/x" };
        fixture.gate.check(&client, usage).is_allowed()
    };
    for (which, secret) in secrets.iter().enumerate() {
        let login = names.get(which).map(|it| (*it, secret.as_str()));
        admitted(&fixture.connect(which, &format!("first{which}"), login));
    }
    fixture.settle();
    for which in [0, 1] {
        admitted(&stored(&mut fixture, 10 + which, which, (true, None)));
        fixture.gate.ended(Handle(10 + which), true);
        fixture.gate.ended(Handle(10 + which), true);
        assert!(receives(&mut fixture, which), "{which}");
        assert!(!receives(&mut fixture, 1 - which), "{which}");
        let id = ClientId::parse("a").unwrap();
        if which == 0 {
            fixture.run(&ReleaseClientId(id)).unwrap();
        }
    }
    // What the host says of the session counts besides the record.
    for (left_by, is_let_in) in [
        ((false, None), true),
        ((false, Some(DEV1.as_bytes())), false),
        ((true, Some(DEV1.as_bytes())), true),
        ((false, Some(b"dev2@acme".as_slice())), true),
    ] {
        let outcome = stored(&mut fixture, 20, 1, left_by);
        match outcome {
            ConnectOutcome::Admitted { .. } => assert!(is_let_in, "{left_by:?}"),
            outcome => {
                assert_eq!(refused(&outcome), Reason::ClientIdOwned);
                assert!(!is_let_in, "{left_by:?}");
            }
        }
        fixture.gate.ended(Handle(20), true);
    }
}
