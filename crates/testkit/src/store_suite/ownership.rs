//! Who holds which client id.

use countersign_core::change::Change;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::connect::{LoginRecord, SessionChange};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::ledger::Ledger;
use countersign_core::lifecycle::State;
use countersign_core::ownership::{Holder, Kept, StoredSession};
use countersign_core::presence::{ClientIdUse, Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::secret::SecretDigest;
use countersign_core::store::{
    AdminStore, GateStore, LoginEffects, Recorded, SessionUndo, Settings,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;

use super::{
    acts, add, anonymous, at, client_id, commit, credential, digest, first_use, found, look,
    observe, proved, tenant, tenant_id,
};

/// A token alone says whose it is.
pub fn a_secret_finds_its_credential(mut store: impl GateStore + AdminStore) {
    let (one, old) = add(&mut store, &credential("dev1@acme"), 1);
    let (other, _) = add(&mut store, &credential("dev2@acme"), 2);
    commit(&mut store, &[], |transaction| {
        transaction.add_secret(one, &digest(3))
    });
    let mut owner = |byte| {
        let digest = SecretDigest::from_bytes([byte; 32]);
        let found = store.credential_by_digest(&digest).unwrap();
        found.map(|credential| (credential.id, credential.secrets.len()))
    };
    assert_eq!(owner(1), Some((one, 2)));
    assert_eq!(owner(2), Some((other, 1)));
    assert_eq!(owner(3), Some((one, 2)));
    assert_eq!(owner(4), None);
    commit(&mut store, &[], |transaction| {
        transaction.remove_secret(old)
    });
    let gone = SecretDigest::from_bytes([1; 32]);
    assert!(store.credential_by_digest(&gone).unwrap().is_none());
}

/// A binding comes and goes with the rule, the tie, and the credential.
pub fn a_client_id_is_bound_by_a_rule_or_by_first_use(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &ruled("dev1@acme", "exact:x"), 1);
    let name = client_id("dev1@acme");
    assert_eq!(store.bound_to(&client_id("x").tie()).unwrap(), Some(id));
    assert_eq!(store.bound_to(&name.tie()).unwrap(), None);
    for (rule, is_bound) in [
        ("same-as-username", "dev1@acme"),
        ("exact:y", "y"),
        ("prefix:y", ""),
        ("any", ""),
        ("first-use", ""),
    ] {
        let stored = found(&mut store, "dev1@acme");
        let changed = Credential {
            client_id_rule: ClientIdRule::parse(rule).unwrap(),
            // The name does not count: it never changes.
            name: super::login_name("y"),
            ..stored
        };
        commit(&mut store, &[], |transaction| {
            transaction.update_credential(&changed)
        });
        for text in ["x", "y", "dev1@acme"] {
            let expected = (text == is_bound).then_some(id);
            let found = store.bound_to(&client_id(text).tie()).unwrap();
            assert_eq!(found, expected, "{rule}: {text}");
        }
        let expected = ClientId::parse(is_bound).ok().map(|bound| bound.tie());
        assert_eq!(store.client_id_of(id).unwrap(), expected, "{rule}");
    }
    assert_eq!(store.client_id_of(CredentialId(4_711)).unwrap(), None);

    let seen = found(&mut store, "dev1@acme");
    let z = client_id("z");
    let tied = store.record_login(&first_use(&seen, secret, &z), at(5));
    assert_eq!(tied.unwrap(), Recorded::Done);
    assert_eq!(store.bound_to(&z.tie()).unwrap(), Some(id));
    let tied = found(&mut store, "dev1@acme");
    for (state, tie, expected) in [
        (State::Suspended, tied.client_id_tie, Some(id)),
        (State::Active, None, None),
        (State::Active, tied.client_id_tie, Some(id)),
        (State::Revoked, tied.client_id_tie, None),
    ] {
        let changed = Credential {
            state,
            client_id_tie: tie,
            ..tied.clone()
        };
        commit(&mut store, &[], |transaction| {
            transaction.update_credential(&changed)
        });
        assert_eq!(store.bound_to(&z.tie()).unwrap(), expected, "{state}");
    }
    let (next, _) = add(&mut store, &ruled("dev2@acme", "exact:z"), 2);
    assert_eq!(store.bound_to(&z.tie()).unwrap(), Some(next));
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(next)
    });
    assert_eq!(store.bound_to(&z.tie()).unwrap(), None);
}

/// Of two clients that race for an id, the first has it, whoever they are.
pub fn a_client_id_that_somebody_else_got_meanwhile_makes_a_login_outdated(
    mut store: impl GateStore + AdminStore,
) {
    let (_, first_secret) = add(&mut store, &ruled("dev1@acme", "first-use"), 1);
    let (_, second_secret) = add(&mut store, &ruled("dev2@acme", "first-use"), 2);
    let (first, second) = (
        found(&mut store, "dev1@acme"),
        found(&mut store, "dev2@acme"),
    );
    let (x, y) = (client_id("x"), client_id("y"));
    let mut other = store.reopen().unwrap();
    let tied = store.record_login(&first_use(&first, first_secret, &x), at(5));
    assert_eq!(tied.unwrap(), Recorded::Done);
    let late = other.record_login(&first_use(&second, second_secret, &x), at(5));
    assert_eq!(late.unwrap(), Recorded::Outdated);
    assert_eq!(found(&mut other, "dev2@acme").client_id_tie, None);

    let first = found(&mut store, "dev1@acme");
    let taken = store.record_login(&taking(proved(&first, first_secret, &y)), at(5));
    assert_eq!(taken.unwrap(), Recorded::Done);
    let held = session(&mut store, "y");
    let hold = Settings::default().client_id_hold;
    let late = taking(proved(&second, second_secret, &y));
    let dropping = LoginEffects {
        record: LoginRecord {
            session: SessionChange::Dropped,
            ..LoginRecord::default()
        },
        ..late
    };
    let nobody = unauthenticated(taking(late));
    let last_moment = at(4).plus(hold);
    for login in [late, dropping, nobody] {
        let recorded = other.record_login(&login, last_moment).unwrap();
        assert_eq!(recorded, Recorded::Outdated);
        assert_eq!(session(&mut store, "y"), held);
    }
    let recorded = other.record_login(&late, at(5).plus(hold)).unwrap();
    assert_eq!(recorded, Recorded::Done);
    let holder = session(&mut store, "y").unwrap().holder;
    assert_eq!(holder, Holder::Credential(second.id));
    let expected = ["credential.activate", "credential.tie"];
    assert_eq!(acts(&mut store), expected);
}

/// The end of a session is written a moment after it; a login that came meanwhile
/// has a session of its own.
pub fn the_end_of_a_session_says_nothing_of_a_later_one(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &ruled("dev1@acme", "any"), 1);
    let seen = found(&mut store, "dev1@acme");
    let (x, y) = (client_id("x"), client_id("y"));
    let proved = taking(proved(&seen, secret, &x));
    let unproved = unauthenticated(LoginEffects {
        client_id: &y,
        ..proved
    });
    for (began, recorded, ended, is_kept) in [
        (1, 5, 4, true),
        (1, 5, 5, true),
        (1, 5, 6, false),
        // Its own, which lasted less than a millisecond.
        (7, 7, 7, false),
    ] {
        for (login, credential) in [(proved, Some(id)), (unproved, None)] {
            let done = store.record_login(&login, at(recorded)).unwrap();
            assert_eq!(done, Recorded::Done);
            let departure = SessionEnd {
                session: SessionNumber(1),
                tie: login.client_id.tie(),
                credential,
                began: at(began),
                at: at(ended),
                is_kept: Some(false),
            };
            observe(
                &mut store,
                "b1",
                vec![PresenceEvent::Disconnected(departure)],
            );
            let left = session(&mut store, login.client_id.as_str());
            let is_left = left.is_some_and(|left| left.kept == Kept::Own);
            assert_eq!(
                is_left, is_kept,
                "{began} {recorded} {ended}: {credential:?}"
            );
        }
    }
}

/// A login that the host did not let in has taken nothing from anybody.
pub fn an_undone_login_leaves_the_record_of_its_client_id_as_it_was(
    mut store: impl GateStore + AdminStore,
) {
    let (_, secret) = add(&mut store, &ruled("dev1@acme", "any"), 1);
    let (_, other_secret) = add(&mut store, &ruled("dev2@acme", "any"), 2);
    let (owner, other) = (
        found(&mut store, "dev1@acme"),
        found(&mut store, "dev2@acme"),
    );
    let x = client_id("x");
    let hold = Settings::default().client_id_hold;
    let later = at(6).plus(hold);
    let taken = taking(proved(&other, other_secret, &x));
    let dropping = LoginEffects {
        record: LoginRecord {
            session: SessionChange::Dropped,
            ..LoginRecord::default()
        },
        ..taken
    };
    let recorded = store.record_login(&taking(proved(&owner, secret, &x)), at(5));
    assert_eq!(recorded.unwrap(), Recorded::Done);
    let before = session(&mut store, "x");
    for login in [
        taken,
        dropping,
        unauthenticated(taken),
        unauthenticated(dropping),
    ] {
        let recorded = store.record_login(&login, later).unwrap();
        assert_eq!(recorded, Recorded::Done);
        assert_ne!(session(&mut store, "x"), before);
        let undo = SessionUndo {
            client_id: x.tie(),
            before: before.clone(),
            claimant: login.proved.map(|(credential, _)| credential.id),
            at: later,
        };
        store.undo_session(&undo).unwrap();
        assert_eq!(session(&mut store, "x"), before);
        // Not where somebody used it since.
        let recorded = store.record_login(&taken, later.plus(hold)).unwrap();
        assert_eq!(recorded, Recorded::Done);
        let now = session(&mut store, "x");
        store.undo_session(&undo).unwrap();
        assert_eq!(session(&mut store, "x"), now);
        let undo = SessionUndo {
            at: later.plus(hold),
            claimant: Some(other.id),
            ..undo
        };
        store.undo_session(&undo).unwrap();
        assert_eq!(session(&mut store, "x"), before);
    }
    let y = client_id("y");
    for login in [
        taking(proved(&other, other_secret, &y)),
        unauthenticated(taking(proved(&other, other_secret, &y))),
    ] {
        let recorded = store.record_login(&login, later).unwrap();
        assert_eq!(recorded, Recorded::Done);
        let undo = SessionUndo {
            client_id: y.tie(),
            before: None,
            claimant: login.proved.map(|(credential, _)| credential.id),
            at: later,
        };
        store.undo_session(&undo).unwrap();
        assert_eq!(session(&mut store, "y"), None);
    }
}

/// A prefix covers what begins with it and nothing that sorts beside it.
pub fn a_prefix_finds_its_tenant_and_no_namesake(mut store: impl GateStore + AdminStore) {
    for (id, prefix) in [
        ("a", Some("acme-")),
        ("b", Some("b")),
        ("c", Some("acme.")),
        ("d", None),
        ("e", Some("ü")),
        ("f", Some("\u{10ffff}")),
    ] {
        let made = Tenant {
            client_id_prefix: prefix.map(client_id),
            ..tenant(id)
        };
        commit(&mut store, &[], |transaction| transaction.put_tenant(&made));
    }
    let mut owner = |text: &str| {
        let found = store.tenant_by_client_id(&client_id(text)).unwrap();
        found.map(|id| id.to_string()).unwrap_or_default()
    };
    for (text, expected) in [
        ("acme-", "a"),
        ("acme-1", "a"),
        ("acme-\u{10ffff}", "a"),
        ("acme", ""),
        ("acme,", ""),
        ("acme.x", "c"),
        ("acme/", ""),
        ("acmf", ""),
        ("Acme-1", ""),
        ("a", ""),
        ("!", ""),
        ("b", "b"),
        ("bé", "b"),
        ("c", ""),
        ("ü", "e"),
        ("u\u{308}", ""),
        ("\u{10ffff}\u{10ffff}", "f"),
    ] {
        assert_eq!(owner(text), expected, "{text}");
    }
    let moved = Tenant {
        client_id_prefix: None,
        ..tenant("a")
    };
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&moved)
    });
    let found = store.tenant_by_client_id(&client_id("acme-1")).unwrap();
    assert_eq!(found, None);
}

/// Who logs in with a stored session is its holder until somebody else is.
pub fn a_stored_session_is_whose_login_took_it(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let c = client_id("c");
    let kept = proved(&seen, secret, &c);
    let taken = taking(kept);
    let dropped = LoginEffects {
        record: LoginRecord {
            session: SessionChange::Dropped,
            ..LoginRecord::default()
        },
        ..kept
    };
    let of_nobody = StoredSession {
        holder: Holder::Unauthenticated,
        username: None,
        tenant: Some(tenant_id("acme")),
        first_used_at: at(3),
        last_used_at: at(3),
        kept: Kept::Own,
    };
    let of_credential = StoredSession {
        holder: Holder::Credential(id),
        username: Some("dev1@acme".into()),
        first_used_at: at(4),
        last_used_at: at(4),
        ..of_nobody.clone()
    };
    let in_use = StoredSession {
        last_used_at: at(6),
        kept: Kept::Nothing,
        ..of_credential.clone()
    };
    // Its tenant's hold on the id is not such a client's to end.
    let unproved = StoredSession {
        kept: Kept::Unproved,
        ..in_use.clone()
    };
    for (login, now, expected) in [
        (kept, 1, None),
        (dropped, 2, None),
        (unauthenticated(taken), 3, Some(of_nobody.clone())),
        (taken, 4, Some(of_credential.clone())),
        (kept, 5, Some(of_credential)),
        (dropped, 6, Some(in_use.clone())),
        (unauthenticated(taken), 7, Some(unproved.clone())),
        (unauthenticated(kept), 8, Some(unproved)),
        (unauthenticated(dropped), 9, Some(in_use)),
    ] {
        assert_eq!(store.record_login(&login, at(now)).unwrap(), Recorded::Done);
        assert_eq!(session(&mut store, "c"), expected, "{now}");
        let in_act = look(&mut store, |transaction| {
            transaction.stored_session(&c.tie())
        });
        assert_eq!(in_act, expected);
        assert_eq!(session(&mut store, "d"), None);
    }
    assert_eq!(found(&mut store, "dev1@acme").last_used_at, Some(at(6)));
    assert!(acts(&mut store).is_empty());
}

/// A gate that remembers whose a client id is, of one that is recorded, learns that
/// it may be another's.
pub fn whose_a_stored_session_is_is_counted_and_its_use_is_not(
    mut store: impl GateStore + AdminStore,
) {
    let (_, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let c = client_id("c");
    let kept = proved(&seen, secret, &c);
    let dropped = LoginEffects {
        record: LoginRecord {
            session: SessionChange::Dropped,
            ..LoginRecord::default()
        },
        ..kept
    };
    let mut other = store.reopen().unwrap();
    let mut before = other.log_position().unwrap();
    let mut is_told = |by: &str, expected: bool| {
        let now = other.log_position().unwrap();
        assert_eq!(now != before, expected, "{by}");
        before = now;
        let held = other.holding(&c.tie(), Some(seen.id)).unwrap();
        assert_eq!(held.bound_to, other.bound_to(&c.tie()).unwrap(), "{by}");
        assert_eq!(held.stored_session, other.stored_session(&c.tie()).unwrap());
    };
    is_told("nothing", false);
    for (login, now, expected) in [
        (kept, 1, false),
        (dropped, 2, false),
        // The first that is recorded of an id.
        (unauthenticated(taking(kept)), 3, false),
        (taking(kept), 4, true),
        (kept, 5, false),
    ] {
        assert_eq!(store.record_login(&login, at(now)).unwrap(), Recorded::Done);
        is_told(&format!("login at {now}"), expected);
    }
    observe(
        &mut store,
        "b1",
        vec![of(seen.id, connected(1, "c", 6, true))],
    );
    assert_eq!(last_use(&mut store, "c"), at(6));
    is_told("use", false);
    commit(&mut store, &[], |transaction| {
        transaction.release_client_id(&c.tie())
    });
    is_told("release", true);
    assert_eq!(store.record_login(&dropped, at(7)).unwrap(), Recorded::Done);
    is_told("drop", true);
    commit(&mut store, &[], |transaction| {
        transaction.release_client_id(&c.tie())
    });
    is_told("another release", true);
    let nobody = unauthenticated(taking(kept));
    assert_eq!(store.record_login(&nobody, at(8)).unwrap(), Recorded::Done);
    is_told("login of nobody", true);
    observe(&mut store, "b1", vec![connected(3, "c", 9, true)]);
    is_told("use by nobody", false);
    let joined = PresenceEvent::Joined(SessionNumber(3), tenant_id("other"));
    observe(&mut store, "b1", vec![joined]);
    is_told("another tenant", true);
}

/// What was left by a principal that is no more is nobody else's, and not its
/// namesake's.
pub fn nobody_is_heir_to_a_holder_that_is_gone_or_revoked(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let (_, other_secret) = add(&mut store, &credential("dev2@acme"), 2);
    let (seen, other) = (
        found(&mut store, "dev1@acme"),
        found(&mut store, "dev2@acme"),
    );
    let (a, b, c) = (client_id("a"), client_id("b"), client_id("c"));
    for login in [
        taking(proved(&seen, secret, &a)),
        taking(proved(&other, other_secret, &b)),
        unauthenticated(taking(proved(&seen, secret, &c))),
    ] {
        assert_eq!(store.record_login(&login, at(5)).unwrap(), Recorded::Done);
    }
    let of_other = Holder::Credential(other.id);
    let of_nobody = Holder::Unauthenticated;
    set_state(&mut store, "dev1@acme", State::Suspended);
    let expected = [Holder::Credential(id), of_other, of_nobody];
    assert_eq!(holders(&mut store), expected);
    set_state(&mut store, "dev1@acme", State::Revoked);
    assert_eq!(holders(&mut store), [Holder::Former, of_other, of_nobody]);
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(id)
    });
    add(&mut store, &credential("dev1@acme"), 1);
    assert_eq!(holders(&mut store), [Holder::Former, of_other, of_nobody]);
    let left = session(&mut store, "a").unwrap();
    assert_eq!(left.username.as_deref(), Some("dev1@acme"));
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    assert_eq!(holders(&mut store), [Holder::Former; 3]);
}

/// An administrator can give an id up for its holder; the record stays.
pub fn a_released_client_id_has_no_holder_until_it_is_taken(
    mut store: impl GateStore + AdminStore,
) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let c = client_id("c");
    let login = taking(proved(&seen, secret, &c));
    for taken in [unauthenticated(login), login] {
        assert_eq!(store.record_login(&taken, at(5)).unwrap(), Recorded::Done);
        let before = session(&mut store, "c").unwrap();
        assert_ne!(before.holder, Holder::Former);
        commit(&mut store, &[], |transaction| {
            transaction.release_client_id(&client_id("another").tie())?;
            transaction.release_client_id(&c.tie())
        });
        let released = StoredSession {
            holder: Holder::Former,
            ..before
        };
        assert_eq!(session(&mut store, "c"), Some(released));
    }
    assert_eq!(session(&mut store, "another"), None);
    assert_eq!(store.record_login(&login, at(6)).unwrap(), Recorded::Done);
    let holder = session(&mut store, "c").unwrap().holder;
    assert_eq!(holder, Holder::Credential(id));
}

/// A session of an unauthenticated client is on record for as long as a host
/// may keep it, and nobody who used its id loses a record by that.
pub fn a_client_that_proved_nothing_leaves_a_record_and_takes_none(
    mut store: impl GateStore + AdminStore,
) {
    let settings = Settings {
        client_id_limit: 2,
        ..Settings::default()
    };
    commit(&mut store, &[], |transaction| {
        transaction.set_settings(&settings)
    });
    let (id, _) = add(&mut store, &credential("dev1@acme"), 1);
    let acme = |observation| match observation {
        PresenceEvent::Connected(presence) => PresenceEvent::Connected(Presence {
            tenant: Some(tenant_id("acme")),
            ..presence
        }),
        other => other,
    };
    let departs = |session, text: &str, instant, is_kept| {
        PresenceEvent::Disconnected(SessionEnd {
            began: at(0),
            session: SessionNumber(session),
            tie: client_id(text).tie(),
            credential: None,
            at: at(instant),
            is_kept,
        })
    };
    let came = |session, text: &str, instant| acme(connected(session, text, instant, true));
    let used = acme(of(id, connected(1, "a", 5, false)));
    observe(&mut store, "b1", vec![used, came(2, "a", 6)]);
    for number in 3..8 {
        // Where there is no room for a record, something is left all the same.
        let text = format!("c{number}");
        observe(&mut store, "b1", vec![came(number, &text, 7)]);
        let left = session(&mut store, &text).unwrap();
        assert_eq!(
            (left.holder, left.kept),
            (Holder::Unauthenticated, Kept::Own)
        );
    }
    let left = session(&mut store, "a").unwrap();
    assert_eq!(
        (left.holder, left.kept, left.last_used_at),
        (Holder::Credential(id), Kept::Unproved, at(5))
    );
    // A host that does not tell may keep them.
    for is_kept in [None, Some(true)] {
        observe(&mut store, "b1", vec![departs(2, "a", 8, is_kept)]);
        assert_eq!(session(&mut store, "a").unwrap().kept, Kept::Unproved);
    }
    observe(&mut store, "b1", vec![departs(2, "a", 9, Some(false))]);
    assert_eq!(session(&mut store, "a").unwrap().kept, Kept::Nothing);
    for number in 3..8 {
        let text = format!("c{number}");
        observe(
            &mut store,
            "b1",
            vec![departs(number, &text, 9, Some(false))],
        );
        assert_eq!(session(&mut store, &text), None);
    }
    // Of what came before the last use of its holder, nothing is said.
    let used = acme(of(id, connected(9, "a", 20, false)));
    observe(&mut store, "b1", vec![used, came(10, "a", 19)]);
    assert_eq!(session(&mut store, "a").unwrap().kept, Kept::Nothing);
}

/// A stored session is in use while it is connected, and never before.
pub fn the_use_of_a_stored_session_only_moves_forward(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let (c, d) = (client_id("c"), client_id("d"));
    for login in [
        taking(proved(&seen, secret, &c)),
        unauthenticated(taking(proved(&seen, secret, &d))),
    ] {
        assert_eq!(store.record_login(&login, at(5)).unwrap(), Recorded::Done);
    }
    let disconnected = |session, instant, credential| {
        PresenceEvent::Disconnected(SessionEnd {
            began: at(0),
            session: SessionNumber(session),
            tie: c.tie(),
            credential,
            at: at(instant),
            is_kept: None,
        })
    };
    for (observation, last) in [
        (of(id, connected(1, "c", 3, true)), 5),
        (of(id, connected(1, "c", 6, true)), 6),
        (of(id, connected(2, "c", 7, false)), 7),
        (disconnected(2, 8, Some(id)), 8),
        (disconnected(1, 7, Some(id)), 8),
        // Of somebody else, who lost the id.
        (disconnected(1, 10, None), 8),
        (connected(3, "no one's", 11, true), 8),
        (of(id, connected(4, "c", 12, true)), 12),
    ] {
        observe(&mut store, "b1", vec![observation.clone()]);
        assert_eq!(last_use(&mut store, "c"), at(last), "{observation:?}");
    }
    let left = session(&mut store, "no one's").unwrap();
    assert_eq!(
        (left.holder, left.last_used_at),
        (Holder::Unauthenticated, at(11))
    );
    let many = (100..700).map(|number| connected(number, &format!("c{number}"), 12, true));
    observe(&mut store, "b1", many.collect());
    observe(&mut store, "b2", vec![connected(1, "d", 13, true)]);
    let _alive = store.lock_broker("b2").unwrap();
    store.clear_presence("b1", at(20)).unwrap();
    assert_eq!(last_use(&mut store, "c"), at(20));
    assert_eq!(last_use(&mut store, "d"), at(13));
    let left = look(&mut store, |transaction| transaction.count_presence(None));
    assert_eq!(left, 1);

    // Who is nobody joins the first tenant it touches; a principal never does.
    let joined = |session| PresenceEvent::Joined(SessionNumber(session), tenant_id("other"));
    observe(
        &mut store,
        "b2",
        vec![connected(2, "c", 14, true), joined(1), joined(2)],
    );
    let tenant_of = |store: &mut _, text| session(store, text).unwrap().tenant.unwrap();
    assert_eq!(tenant_of(&mut store, "d"), tenant_id("other"));
    assert_eq!(tenant_of(&mut store, "c"), tenant_id("acme"));
}

fn connected(session: i64, client_id: &str, instant: i64, stored: bool) -> PresenceEvent {
    PresenceEvent::Connected(Presence {
        connected_at: at(instant),
        stored,
        ..anonymous(session, client_id)
    })
}

/// The same beginning of a session, of this credential.
fn of(id: CredentialId, observation: PresenceEvent) -> PresenceEvent {
    let PresenceEvent::Connected(presence) = observation else {
        return observation;
    };
    PresenceEvent::Connected(Presence {
        credential: Some(id),
        ..presence
    })
}

fn set_state<S: GateStore + AdminStore>(store: &mut S, name: &str, state: State) {
    let seen = found(store, name);
    commit(store, &[], |transaction| {
        transaction.update_credential(&Credential { state, ..seen })
    });
}

/// The holders of the sessions called `a`, `b` and `c`.
fn holders(store: &mut impl GateStore) -> [Holder; 3] {
    ["a", "b", "c"].map(|text| session(store, text).unwrap().holder)
}

fn ruled(name: &str, rule: &str) -> Credential {
    Credential {
        client_id_rule: ClientIdRule::parse(rule).unwrap(),
        ..credential(name)
    }
}

/// The same login, which takes the stored session over.
fn taking(login: LoginEffects<'_>) -> LoginEffects<'_> {
    LoginEffects {
        record: LoginRecord {
            session: SessionChange::Taken,
            ..LoginRecord::default()
        },
        ..login
    }
}

/// The same login by an unauthenticated client.
fn unauthenticated(login: LoginEffects<'_>) -> LoginEffects<'_> {
    LoginEffects {
        username: None,
        proved: None,
        ..login
    }
}

fn session(store: &mut impl GateStore, text: &str) -> Option<StoredSession> {
    store.stored_session(&client_id(text).tie()).unwrap()
}

fn last_use(store: &mut impl GateStore, text: &str) -> Timestamp {
    session(store, text).unwrap().last_used_at
}

/// Between tenants the use of an id is remembered, stored or not, from its first
/// to its last moment, and only as far as there is room.
pub fn the_use_of_a_client_id_is_remembered_without_a_session(
    mut store: impl GateStore + AdminStore,
) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let with_tenant = |number, client_id: &str, instant| {
        let PresenceEvent::Connected(presence) =
            of(id, connected(number, client_id, instant, false))
        else {
            unreachable!("it is one");
        };
        PresenceEvent::Connected(Presence {
            tenant: Some(tenant_id("acme")),
            ..presence
        })
    };
    observe(&mut store, "b1", vec![with_tenant(1, "c", 5)]);
    let used = StoredSession {
        holder: Holder::Credential(id),
        username: None,
        tenant: Some(tenant_id("acme")),
        first_used_at: at(5),
        last_used_at: at(5),
        kept: Kept::Nothing,
    };
    assert_eq!(session(&mut store, "c"), Some(used.clone()));
    let c = client_id("c");
    let departure = SessionEnd {
        began: at(0),
        session: SessionNumber(1),
        tie: c.tie(),
        credential: Some(id),
        at: at(9),
        is_kept: Some(false),
    };
    observe(
        &mut store,
        "b1",
        vec![PresenceEvent::Disconnected(departure)],
    );
    let used = StoredSession {
        last_used_at: at(9),
        ..used
    };
    assert_eq!(session(&mut store, "c"), Some(used));
    // A session that the host does not keep leaves no stored one.
    let stored = taking(proved(&seen, secret, &c));
    assert_eq!(store.record_login(&stored, at(11)).unwrap(), Recorded::Done);
    assert!(session(&mut store, "c").unwrap().is_stored());
    let departure = SessionEnd {
        began: at(0),
        at: at(12),
        ..departure
    };
    observe(
        &mut store,
        "b1",
        vec![PresenceEvent::Disconnected(departure)],
    );
    let left = session(&mut store, "c").unwrap();
    assert_eq!((left.is_stored(), left.first_used_at), (false, at(5)));
    // What a broker made up is never recorded.
    let made_up = "auto-7BE8F8C1-3F24-4F4C-9F3A-0123456789AB";
    observe(&mut store, "b1", vec![with_tenant(2, made_up, 13)]);
    assert_eq!(session(&mut store, made_up), None);
}

/// One credential has so many client ids at once, and as many more an hour.
pub fn of_one_credential_a_bounded_number_of_client_ids_is_remembered(
    mut store: impl GateStore + AdminStore,
) {
    let limit = 3;
    commit(&mut store, &[Change::Everything], |transaction| {
        let settings = transaction.settings().unwrap();
        transaction.set_settings(&Settings {
            client_id_limit: limit,
            ..settings
        })
    });
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let hour = 3_600_000;
    let take = |store: &mut _, text: &str, now| {
        let client_id = client_id(text);
        let login = taking(proved(&seen, secret, &client_id));
        Ledger::record_login(store, &login, at(now)).unwrap()
    };
    for number in 0..limit {
        assert_eq!(take(&mut store, &format!("c{number}"), 10), Recorded::Done);
    }
    assert_eq!(take(&mut store, "more", 11), Recorded::Full);
    assert_eq!(session(&mut store, "more"), None);
    // What it has it keeps, and others have their own.
    assert_eq!(take(&mut store, "c0", 12), Recorded::Done);
    let (_, other) = add(&mut store, &credential("dev2@acme"), 2);
    let seen2 = found(&mut store, "dev2@acme");
    let more = client_id("more");
    let login = taking(proved(&seen2, other, &more));
    assert_eq!(store.record_login(&login, at(13)).unwrap(), Recorded::Done);
    // Uses without a session are counted by themselves, and left out beyond.
    for number in 0..=limit {
        let visit = ClientIdUse {
            tie: client_id(&format!("clean{number}")).tie(),
            credential: id,
            tenant: Some(tenant_id("acme")),
            began: at(14),
            ended: at(15),
        };
        observe(&mut store, "b1", vec![PresenceEvent::Passed(visit)]);
        let is_known = session(&mut store, &format!("clean{number}")).is_some();
        assert_eq!(is_known, number < limit);
    }
    for number in 0..limit {
        let text = format!("later{number}");
        assert_eq!(take(&mut store, &text, 20 + hour), Recorded::Done);
    }
    assert_eq!(take(&mut store, "even more", 21 + hour), Recorded::Full);
    // Those who prove nothing have as many in each tenant.
    for number in 0..=limit {
        let text = format!("n{number}");
        let client_id = client_id(&text);
        let login = unauthenticated(taking(proved(&seen, secret, &client_id)));
        let expected = if number < limit {
            Recorded::Done
        } else {
            Recorded::Full
        };
        assert_eq!(store.record_login(&login, at(30)).unwrap(), expected);
    }
}

/// What was not used for long is forgotten, but not that a session may be stored,
/// nor whose it was.
pub fn old_client_ids_are_pruned_and_never_inherited(mut store: impl GateStore + AdminStore) {
    let (id, secret) = add(&mut store, &credential("dev1@acme"), 1);
    let seen = found(&mut store, "dev1@acme");
    let [a, b, c, d] = ["a", "b", "c", "d"].map(client_id);
    for login in [
        taking(proved(&seen, secret, &a)),
        unauthenticated(taking(proved(&seen, secret, &b))),
        taking(proved(&seen, secret, &d)),
    ] {
        assert_eq!(store.record_login(&login, at(10)).unwrap(), Recorded::Done);
    }
    let clean = ClientIdUse {
        tie: c.tie(),
        credential: id,
        tenant: Some(tenant_id("acme")),
        began: at(10),
        ended: at(10),
    };
    let live = of(id, connected(4, "d", 10, true));
    observe(&mut store, "b1", vec![PresenceEvent::Passed(clean), live]);
    let day = 86_400_000;
    store.maintain(at(29 * day)).unwrap();
    assert_eq!(session(&mut store, "a").unwrap().last_used_at, at(10));
    store.maintain(at(31 * day)).unwrap();
    let pruned = session(&mut store, "a").unwrap();
    assert_eq!(
        (pruned.holder, pruned.is_stored()),
        (Holder::Credential(id), true)
    );
    assert!(pruned.last_used_at < at(0) && pruned.username.is_none());
    let nobodys = session(&mut store, "b").unwrap();
    assert_eq!(
        (nobodys.holder, nobodys.is_stored()),
        (Holder::Unauthenticated, true)
    );
    assert_eq!(session(&mut store, "c"), None);
    // What is in use is used now.
    let live = session(&mut store, "d").unwrap();
    assert_eq!(
        (live.last_used_at, live.first_used_at),
        (at(31 * day), at(10))
    );
    let held = store.holding(&a.tie(), None).unwrap().stored_session;
    assert_eq!(held, Some(pruned));
    let back = taking(proved(&seen, secret, &a));
    assert_eq!(
        store.record_login(&back, at(32 * day)).unwrap(),
        Recorded::Done
    );
    let again = session(&mut store, "a").unwrap();
    assert_eq!(
        (again.first_used_at, again.last_used_at),
        (at(32 * day), at(32 * day))
    );
    commit(&mut store, &[], |transaction| {
        transaction.release_client_id(&b.tie())
    });
    assert_eq!(session(&mut store, "b").unwrap().holder, Holder::Former);
    // A clock that was ahead for a while holds nothing for longer.
    store.maintain(at(2 * day)).unwrap();
    assert_eq!(session(&mut store, "a").unwrap().last_used_at, at(2 * day));
}
