//! What a gate writes down.

use countersign_core::credential::CredentialId;
use countersign_core::presence::{Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::store::{AdminStore, Batch, GateStore, Intent, StoreErrorKind, all_rows};

use super::refusals::refusal;
use super::{acts, add, at, client_id, credential, entry, found, look, tenant_id};

/// Who is connected reads back, and ends with the broker's next start.
pub fn presence_is_who_is_connected_and_cleared_broker_by_broker(
    mut store: impl GateStore + AdminStore,
) {
    let full = Presence {
        username: Some("dev1@acme".into()),
        credential: Some(CredentialId(7)),
        tenant: Some(tenant_id("acme")),
        address: Some("::1".into()),
        listener: Some(u16::MAX),
        stored: true,
        authenticated: true,
        ..anonymous(1, "c1")
    };
    let _alive = ["b1", "b2"].map(|broker| store.lock_broker(broker).unwrap());
    observe(
        &mut store,
        "b1",
        vec![
            PresenceEvent::Connected(full.clone()),
            PresenceEvent::Connected(anonymous(2, "c2")),
            PresenceEvent::Connected(anonymous(3, "c3")),
            PresenceEvent::Disconnected(SessionEnd {
                began: at(0),
                session: SessionNumber(2),
                tie: client_id("c2").tie(),
                credential: None,
                at: at(2),
                is_kept: None,
            }),
            PresenceEvent::Joined(SessionNumber(3), tenant_id("other")),
        ],
    );
    observe(
        &mut store,
        "b2",
        vec![PresenceEvent::Connected(anonymous(1, "c4"))],
    );
    let listed = look(&mut store, |transaction| {
        all_rows(|page| transaction.presence(None, page))
    });
    let joined = Presence {
        tenant: Some(tenant_id("other")),
        ..anonymous(3, "c3")
    };
    let seen: Vec<_> = listed
        .into_iter()
        .map(|one| (one.broker, one.presence))
        .collect();
    let b1 = String::from("b1");
    assert_eq!(
        seen,
        [
            (b1.clone(), full.clone()),
            (b1.clone(), joined),
            ("b2".into(), anonymous(1, "c4")),
        ]
    );
    let acme = tenant_id("acme");
    let of_acme = look(&mut store, |transaction| {
        all_rows(|page| transaction.presence(Some(&acme), page))
    });
    assert_eq!(of_acme[0].presence, full);
    assert_eq!(
        look(&mut store, |transaction| transaction
            .count_presence(Some(&acme))),
        1
    );
    store.clear_presence("b1", at(9)).unwrap();
    assert_eq!(
        look(&mut store, |transaction| transaction.count_presence(None)),
        1
    );
}

/// A late batch does not take back a later use.
pub fn last_use_only_moves_forward(mut store: impl GateStore + AdminStore) {
    let (id, _) = add(&mut store, &credential("dev1@acme"), 1);
    for (used, last) in [(5, 5), (3, 5), (8, 8)] {
        observe(&mut store, "b1", vec![PresenceEvent::Used(id, at(used))]);
        assert_eq!(found(&mut store, "dev1@acme").last_used_at, Some(at(last)));
    }
}

/// What could not be written is written by trying again, once.
pub fn a_batch_that_found_the_lock_taken_can_be_written_again(
    mut store: impl GateStore + AdminStore,
) {
    let (id, _) = add(&mut store, &credential("dev1@acme"), 1);
    let _alive = store.lock_broker("b1").unwrap();
    let mut other = store.reopen().unwrap();
    let mut observations: Vec<_> = (0..600)
        .map(|number| PresenceEvent::Connected(anonymous(number, &format!("c{number}"))))
        .collect();
    observations.push(PresenceEvent::Used(id, at(9)));
    let batch = Batch {
        observations,
        refusals: vec![refusal("x", None, 3)],
        audit: vec![entry(9, "clients.kick", "c1")],
        kicked: Vec::new(),
    };
    let locked = other.begin(Intent::Write).unwrap();
    let error = store.write_batch("b1", &batch).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
    drop(locked);
    assert!(acts(&mut store).is_empty());
    store.write_batch("b1", &batch).unwrap();
    assert_eq!(acts(&mut store), ["login", "clients.kick"]);
    assert_eq!(
        look(&mut store, |transaction| transaction.count_presence(None)),
        600
    );
    assert_eq!(found(&mut store, "dev1@acme").last_used_at, Some(at(9)));
}

pub(crate) fn observe(store: &mut impl GateStore, broker: &str, observations: Vec<PresenceEvent>) {
    store
        .write_batch(
            broker,
            &Batch {
                observations,
                ..Batch::default()
            },
        )
        .unwrap();
}

pub(crate) fn anonymous(session: i64, client_id: &str) -> Presence {
    Presence {
        session: SessionNumber(session),
        client_id: client_id.into(),
        tie: super::client_id(client_id).tie(),
        username: None,
        credential: None,
        tenant: None,
        address: None,
        protocol: 5,
        connected_at: at(1),
        authenticated: false,
        listener: None,
        stored: false,
    }
}
