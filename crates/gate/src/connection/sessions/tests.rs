use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::credential::Generation;
use countersign_core::rights::Rights;
use countersign_core::secret::{SecretId, TagKey};
use proptest::prelude::*;

use countersign_core::client_id::ClientIdTie;

use super::*;
use crate::connection::kick_reason::KickReason;
use crate::connection::principal::Principal;
use crate::connection::session_tag::SessionTag;

pub(crate) fn session(number: i64, client_id: u8, credential: Option<u8>, stored: bool) -> Session {
    Session {
        number: SessionNumber(number),
        client_id: format!("c{client_id}").into(),
        tie: ClientIdTie([client_id; 32]),
        username: None,
        presented: None,
        tag: SessionTag::without_password(&TagKey::new([0; 32]), ""),
        principal: match credential {
            Some(id) => Principal::Credential {
                id: CredentialId(id.into()),
                generation: Generation(0),
                secret: SecretId(1),
            },
            None => Principal::Unauthenticated,
        },
        tenant: None,
        began: Timestamp::from_millis(0),
        rights: Arc::new(Rights::none()),
        meter: None,
        stored,
        protocol: 4,
        address: None,
        listener: None,
        depends_on: credential
            .map(|id| CredentialId(i64::from(id).saturating_add(100)))
            .into_iter()
            .collect(),
        phase: Phase::Live,
        is_arriving: false,
        may_be_hosts: false,
        extension: None,
    }
}

/// What may become of sessions, in any order.
#[derive(Clone, Debug)]
enum SessionStep {
    Insert {
        handle: usize,
        client_id: u8,
        credential: Option<u8>,
        stored: bool,
    },
    Kick(usize),
    Gone(usize),
    Remove(usize),
    Poll,
    /// The wait of a login ends: its session is taken out and put in again.
    Complete(usize),
}

fn step() -> impl Strategy<Value = SessionStep> {
    let handle = 0..6_usize;
    let credential = proptest::option::of(0..3_u8);
    prop_oneof![
        3 => (handle.clone(), 0..3_u8, credential, any::<bool>()).prop_map(
            |(handle, client_id, credential, stored)| SessionStep::Insert {
                handle,
                client_id,
                credential,
                stored,
            }
        ),
        1 => handle.clone().prop_map(SessionStep::Kick),
        1 => handle.clone().prop_map(SessionStep::Gone),
        1 => handle.clone().prop_map(SessionStep::Remove),
        1 => handle.prop_map(SessionStep::Complete),
        1 => Just(SessionStep::Poll),
    ]
}

/// A session as the model knows it.
#[derive(Clone, Debug)]
struct ExpectedSession {
    client_id: u8,
    credential: Option<u8>,
    is_open: bool,
}

proptest! {
    #[test]
    fn no_session_that_is_there_is_ever_forgotten_by_an_index(
        steps in proptest::collection::vec(step(), 0..60)
    ) {
        let mut sessions = Sessions::default();
        let mut model: BTreeMap<usize, ExpectedSession> = BTreeMap::new();
        let mut number: i64 = 0;
        for step in steps {
            match step {
                SessionStep::Insert { handle, client_id, credential, stored } => {
                    number = number.saturating_add(1);
                    sessions.insert(Handle(handle), session(number, client_id, credential, stored));
                    model.insert(handle, ExpectedSession { client_id, credential, is_open: true });
                }
                SessionStep::Kick(handle) => {
                    if let Some(session) = sessions.get_mut(Handle(handle)) {
                        session.stop(KickReason::Requested);
                    }
                }
                SessionStep::Gone(handle) => {
                    sessions.mark_gone(Handle(handle));
                    if let Some(known) = model.get_mut(&handle) {
                        known.is_open = false;
                    }
                }
                SessionStep::Remove(handle) => {
                    sessions.remove(Handle(handle));
                    model.remove(&handle);
                }
                SessionStep::Complete(handle) => {
                    if let Some(session) = sessions.remove(Handle(handle)) {
                        sessions.insert(Handle(handle), session);
                    }
                }
                SessionStep::Poll => sessions.forget_gone(),
            }
            // Those that are gone may be forgotten; the model follows.
            model.retain(|handle, known| {
                known.is_open || sessions.get(Handle(*handle)).is_some()
            });
            prop_assert_eq!(sessions.by_handle.len(), model.len());
            for client_id in 0..3_u8 {
                let mut live: Vec<_> = sessions
                    .live(&ClientIdTie([client_id; 32]))
                    .map(|session| session.credential().map(|id| id.0))
                    .collect();
                let mut wanted: Vec<_> = model
                    .values()
                    .filter(|known| known.client_id == client_id && known.is_open)
                    .map(|known| known.credential.map(i64::from))
                    .collect();
                live.sort_unstable();
                wanted.sort_unstable();
                prop_assert_eq!(live, wanted);
            }
            let in_order: Vec<_> = sessions.after(None).collect();
            prop_assert_eq!(in_order.len(), model.len());
            for (number, handle) in in_order {
                let session = sessions.get(handle);
                prop_assert_eq!(session.map(|session| session.number), Some(number));
            }
            for credential in 0..3_u8 {
                let id = CredentialId(credential.into());
                let mut of_credential = sessions.of_credential(id);
                of_credential.sort_unstable();
                let wanted: Vec<_> = model
                    .iter()
                    .filter(|(_, known)| known.credential == Some(credential))
                    .map(|(handle, _)| Handle(*handle))
                    .collect();
                let mut bound = sessions.bound_to(CredentialId(id.0.saturating_add(100)));
                bound.sort_unstable();
                prop_assert_eq!(&bound, &wanted);
                prop_assert_eq!(of_credential, wanted);
            }
        }
    }
}

#[test]
fn a_login_that_came_to_nothing_leaves_the_live_session_of_its_client_id_in_force() {
    let mut sessions = Sessions::default();
    sessions.insert(Handle(1), session(1, 0, Some(7), false));
    sessions.insert(Handle(2), session(2, 0, Some(7), false));
    sessions.remove(Handle(2));
    let live: Vec<_> = sessions
        .live(&ClientIdTie([0; 32]))
        .map(|session| session.number)
        .collect();
    assert_eq!(live, [SessionNumber(1)]);
}

#[test]
fn deadlines_of_sessions_that_are_gone_do_not_pile_up() {
    let mut sessions = Sessions::default();
    let far = Timestamp::from_millis(i64::MAX);
    sessions.insert(Handle(1), session(0, 0, Some(7), false));
    sessions.set_deadline(far, Handle(1), SessionNumber(0));
    for number in 1..10_000 {
        sessions.insert(Handle(2), session(number, 0, Some(7), false));
        sessions.set_deadline(far, Handle(2), SessionNumber(number));
    }
    assert!(sessions.deadlines.len() <= 2 * FEW_DEADLINES);
    assert_eq!(sessions.due(far, 1), [Handle(1)]);
    assert_eq!(sessions.due(far, 9), [Handle(2)]);
}

#[test]
fn of_the_sessions_that_are_away_so_many_are_kept_and_the_oldest_go() {
    let mut sessions = Sessions::default();
    for number in 0..=MOST_STORED_OFFLINE {
        let handle = Handle(number);
        sessions.insert(
            handle,
            session(i64::try_from(number).unwrap(), 0, None, true),
        );
        sessions.mark_gone(handle);
    }
    let kept = (sessions.by_handle.len(), sessions.stored_offline.len());
    assert_eq!(kept, (MOST_STORED_OFFLINE, MOST_STORED_OFFLINE));
    assert!(sessions.get(Handle(0)).is_none() && sessions.get(Handle(1)).is_some());
}
