//! Who holds which client id.

use countersign_core::client_id::ClientIdRule;
use countersign_core::connect::{LoginRecord, SessionChange};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::State;
use countersign_core::ownership::{Holder, Kept, StoredSession};
use countersign_core::presence::{Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::store::{AdminStore, GateStore, LoginEffects, Recorded, Settings};
use countersign_core::time::Timestamp;

use super::{
    acts, add, anonymous, at, client_id, commit, credential, found, look, observe, proved,
    tenant_id,
};

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

pub(super) fn connected(
    session: i64,
    client_id: &str,
    instant: i64,
    stored: bool,
) -> PresenceEvent {
    PresenceEvent::Connected(Presence {
        connected_at: at(instant),
        stored,
        ..anonymous(session, client_id)
    })
}

/// The same beginning of a session, of this credential.
pub(super) fn of(id: CredentialId, observation: PresenceEvent) -> PresenceEvent {
    let PresenceEvent::Connected(presence) = observation else {
        return observation;
    };
    PresenceEvent::Connected(Presence {
        credential: Some(id),
        ..presence
    })
}

pub(super) fn set_state<S: GateStore + AdminStore>(store: &mut S, name: &str, state: State) {
    let seen = found(store, name);
    commit(store, &[], |transaction| {
        transaction.update_credential(&Credential { state, ..seen })
    });
}

/// The holders of the sessions called `a`, `b` and `c`.
pub(super) fn holders(store: &mut impl GateStore) -> [Holder; 3] {
    ["a", "b", "c"].map(|text| session(store, text).unwrap().holder)
}

pub(super) fn ruled(name: &str, rule: &str) -> Credential {
    Credential {
        client_id_rule: ClientIdRule::parse(rule).unwrap(),
        ..credential(name)
    }
}

/// The same login, which takes the stored session over.
pub(super) fn taking(login: LoginEffects<'_>) -> LoginEffects<'_> {
    LoginEffects {
        record: LoginRecord {
            session: SessionChange::Taken,
            ..LoginRecord::default()
        },
        ..login
    }
}

/// The same login by an unauthenticated client.
pub(super) fn unauthenticated(login: LoginEffects<'_>) -> LoginEffects<'_> {
    LoginEffects {
        username: None,
        proved: None,
        ..login
    }
}

pub(super) fn session(store: &mut impl GateStore, text: &str) -> Option<StoredSession> {
    store.stored_session(&client_id(text).tie()).unwrap()
}

pub(super) fn last_use(store: &mut impl GateStore, text: &str) -> Timestamp {
    session(store, text).unwrap().last_used_at
}
