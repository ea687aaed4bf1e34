//! What is remembered of the use of client ids, and for how long.

use countersign_core::change::Change;
use countersign_core::ledger::Ledger;
use countersign_core::ownership::{Holder, Kept, StoredSession};
use countersign_core::presence::{ClientIdUse, Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::store::{AdminStore, GateStore, Recorded, Settings};

use super::ownership::*;
use super::{add, at, client_id, commit, credential, found, look, observe, proved, tenant_id};

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
