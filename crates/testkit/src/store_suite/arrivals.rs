//! What becomes of a login once the host has answered, or its broker has ended.

use countersign_core::connect::{LoginRecord, SessionChange};
use countersign_core::ownership::{ClientIdClaim, Holder, Kept};
use countersign_core::store::{
    AdminStore, GateStore, LoginEffects, Recorded, SessionUndo, Settings,
};

use super::ownership::*;
use super::{add, at, client_id, found, proved, tenant_id};

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

/// Where a broker ended before it knew whether it had let in a client, what it may
/// keep under the client id is nobody's without a clean start; but one's own stays.
pub fn of_a_login_that_nobody_answered_for_an_earlier_session_is_inherited_by_nobody(
    mut store: impl GateStore + AdminStore,
) {
    let (_, secret) = add(&mut store, &ruled("dev1@acme", "any"), 1);
    let (_, other_secret) = add(&mut store, &ruled("dev2@acme", "any"), 2);
    let (owner, other) = (
        found(&mut store, "dev1@acme"),
        found(&mut store, "dev2@acme"),
    );
    let hold = Settings::default().client_id_hold;
    let later = at(6).plus(hold);
    for end in ["killed", "kept", "undone", "again", "elsewhere"] {
        for session_change in [SessionChange::Taken, SessionChange::Dropped] {
            for (who, secret_of_who) in [(&owner, secret), (&other, other_secret)] {
                for is_proved in [true, false] {
                    let name = format!("{end}{session_change:?}{}{is_proved}", who.name);
                    let id = client_id(&name);
                    let first = taking(proved(&owner, secret, &id));
                    let recorded = store.record_login(&first, at(5)).unwrap();
                    assert_eq!(recorded, Recorded::Done);
                    let before = session(&mut store, &name);
                    let held = LoginEffects {
                        record: LoginRecord {
                            session: session_change,
                            may_be_gone: true,
                            ..LoginRecord::default()
                        },
                        ..proved(who, secret_of_who, &id)
                    };
                    let held = if is_proved {
                        held
                    } else {
                        unauthenticated(held)
                    };
                    let recorded = store.record_login(&held, later).unwrap();
                    let has_it = is_proved && who.id == owner.id;
                    let expected = if has_it && session_change == SessionChange::Taken {
                        Recorded::Done
                    } else {
                        Recorded::Arriving
                    };
                    assert_eq!(recorded, expected, "{name}");
                    let claimant = held.proved.map(|(credential, _)| credential.id);
                    let undo = SessionUndo {
                        client_id: id.tie(),
                        before: before.clone(),
                        claimant,
                        at: later,
                    };
                    let recorded = session(&mut store, &name);
                    match end {
                        "kept" => store.keep_session(&id.tie()).unwrap(),
                        "undone" => store.undo_session(&undo).unwrap(),
                        "again" => {
                            let again = LoginEffects {
                                record: LoginRecord {
                                    may_be_gone: false,
                                    ..held.record
                                },
                                ..held
                            };
                            assert_eq!(store.record_login(&again, later).unwrap(), Recorded::Done);
                        }
                        _ => {}
                    }
                    let broker = if end == "elsewhere" {
                        "other"
                    } else {
                        held.broker
                    };
                    store.give_up_arrivals(broker).unwrap();
                    let now = session(&mut store, &name);
                    match end {
                        "undone" => assert_eq!(now, before, "{name}"),
                        "killed" if is_proved && who.id == owner.id => {
                            let now = now.unwrap();
                            assert_eq!(now.holder, Holder::Credential(owner.id), "{name}");
                            assert_eq!(now.kept, Kept::Own, "{name}");
                        }
                        "killed" => {
                            let now = now.unwrap();
                            for claimant in [Some(owner.id), Some(other.id), None] {
                                let acme = tenant_id("acme");
                                let claim = now.claim(claimant, Some(&acme), hold, later);
                                assert_eq!(claim, ClientIdClaim::FreeIfClean, "{name}");
                            }
                        }
                        _ => assert_eq!(now, recorded, "{name}"),
                    }
                }
            }
        }
    }
}
