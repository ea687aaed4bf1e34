//! Acts on live clients.

use countersign_core::audit::{AuditEntry, AuditOutcome};
use countersign_core::change::{Change, KickRequestId};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::Holder;
use countersign_core::presence::SessionNumber;
use countersign_core::store::{
    AdminStore, AdminTransaction, BrokerPresence, Intent, KickTarget, StoreError,
};
use serde::Serialize;

use crate::context::Context;
use crate::tenant::{self, TenantError};
use crate::view::shown_name;

/// Who is connected, by broker and session.
///
/// # Errors
///
/// Returns [`TenantError`] when there is no such tenant or the store can't be
/// read.
pub fn list<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
) -> Result<Vec<BrokerPresence>, TenantError> {
    let mut sessions = list_all(store, tenant)?;
    sessions.retain(|session| session.is_alive);
    Ok(sessions)
}

/// Who is connected, and who was when a broker ended that is not alive.
///
/// # Errors
///
/// As [`list`].
pub fn list_all<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
) -> Result<Vec<BrokerPresence>, TenantError> {
    let mut transaction = store.begin(Intent::Read)?;
    check_tenant(&mut transaction, tenant)?;
    Ok(transaction.presence(tenant)?)
}

/// How many are connected.
///
/// # Errors
///
/// As [`list`].
pub fn count<S: AdminStore>(store: &mut S, tenant: Option<&TenantId>) -> Result<u64, TenantError> {
    let mut transaction = store.begin(Intent::Read)?;
    check_tenant(&mut transaction, tenant)?;
    Ok(transaction.count_presence(tenant)?)
}

/// Asks the brokers to end the session called `target`, or those with that
/// client id. [`is_kicked`] tells whether one did.
///
/// What names a session that is connected now means that session; anything
/// else is taken for a client id, of which a broker may know more than the
/// store does.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be written; no broker was asked
/// then.
pub fn request_kick<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    target: &str,
) -> Result<KickRequestId, StoreError> {
    let mut transaction = store.begin(Intent::Write)?;
    let named = match parse_session(target) {
        Some((broker, session)) => transaction.presence_of(broker, session)?,
        None => None,
    };
    let subject = shown_client_id(&mut transaction, target)?;
    let (kick, client_id) = match named {
        Some(client) => {
            let kick = KickTarget::Session {
                broker: client.broker,
                session: client.presence.session,
            };
            let known = transaction.schemes()?;
            (kick, shown_name(&known, &client.presence.client_id))
        }
        None => {
            let kick = KickTarget::ClientId(ClientIdTie::of(target));
            (kick, subject.clone())
        }
    };
    let after = AuditedKick { client_id };
    let row = context.audit(KICK, &subject, None::<&AuditedKick>, Some(&after));
    let request = transaction.request_kick(&kick, &row)?;
    transaction.commit(&[], &[Change::KickRequested(request)])?;
    Ok(request)
}

/// Takes back a request to kick `target` that no broker answered, and has that
/// written down; says whether none did.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be written; the request stands
/// then.
pub fn withdraw_kick<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    target: &str,
    request: KickRequestId,
) -> Result<bool, StoreError> {
    let mut transaction = store.begin(Intent::Write)?;
    if !transaction.withdraw_kick(request)? {
        return Ok(false);
    }
    let subject = shown_client_id(&mut transaction, target)?;
    let row = AuditEntry {
        outcome: AuditOutcome::Refused,
        ..context.audit(KICK, &subject, None::<&AuditedKick>, None::<&AuditedKick>)
    };
    transaction.commit(&[row], &[])?;
    Ok(true)
}

/// A client id as the audit may keep it: masked where it has the shape of a
/// secret, and hidden where a thing uses it.
fn shown_client_id<T: AdminTransaction>(
    transaction: &mut T,
    client_id: &str,
) -> Result<String, StoreError> {
    let tie = ClientIdTie::of(client_id);
    let user = match transaction.bound_to(&tie)? {
        Some(id) => transaction.credential_by_id(id)?,
        None => None,
    };
    if user.is_some_and(|user| matches!(user.kind, Kind::Thing(_))) {
        return Ok(tie.hidden());
    }
    Ok(shown_name(&transaction.schemes()?, client_id))
}

/// The broker and the session that a name of a session is made of.
fn parse_session(text: &str) -> Option<(&str, SessionNumber)> {
    let (broker, number) = text.rsplit_once(':')?;
    let session = SessionNumber(number.parse().ok()?);
    // `01` is not how a session is called.
    (session.0.to_string() == number).then_some((broker, session))
}

/// Says whether a broker ended a session that was asked for.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn is_kicked<S: AdminStore>(store: &mut S, request: KickRequestId) -> Result<bool, StoreError> {
    store.begin(Intent::Read)?.is_kick_answered(request)
}

/// Gives up a client id on behalf of the credential whose stored session it
/// names. From then on it can be taken with a clean start.
///
/// # Errors
///
/// Returns [`ReleaseError`] when no credential holds it or the store can't be
/// written; nothing changed then.
pub fn release<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    client_id: &ClientId,
) -> Result<(), ReleaseError> {
    let tie = client_id.tie();
    let mut transaction = store.begin(Intent::Write)?;
    let stored = transaction.stored_session(&tie)?;
    let holder = match stored.as_ref().map(|stored| stored.holder) {
        Some(Holder::Credential(holder)) => holder,
        Some(Holder::Former | Holder::Unauthenticated) | None => {
            let client_id = client_id.clone();
            let bound_to = match transaction.bound_to(&tie)? {
                Some(id) => transaction.credential_by_id(id)?,
                None => None,
            };
            return Err(match bound_to {
                Some(credential) => ReleaseError::Bound {
                    client_id,
                    name: credential.name.clone(),
                },
                None => ReleaseError::NotHeld { client_id },
            });
        }
    };
    transaction.release_client_id(&tie)?;
    let before = AuditedRelease {
        holder: stored.and_then(|stored| stored.username),
        credential: holder.0,
    };
    let row = context.audit(
        "client.release",
        &shown_client_id(&mut transaction, client_id.as_str())?,
        Some(&before),
        None::<&AuditedRelease>,
    );
    transaction.commit(&[row], &[Change::Credential(holder)])?;
    Ok(())
}

/// Why a client id was not given up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Its holder may use no other.
    #[error(
        "client id `{client_id}` is the one that `{name}` is bound to; `credential untie` or \
         `credential set --client-id` frees it"
    )]
    Bound {
        /// The client id.
        client_id: ClientId,
        /// Who is bound to it.
        name: LoginName,
    },
    /// It has no holder.
    #[error("no credential holds client id `{client_id}`")]
    NotHeld {
        /// The client id.
        client_id: ClientId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the audit keeps of a client id that was given up.
#[derive(Serialize)]
struct AuditedRelease {
    holder: Option<String>,
    credential: i64,
}

/// What the audit keeps of a request to kick.
#[derive(Serialize)]
struct AuditedKick {
    client_id: String,
}

/// The act, as the audit calls it.
const KICK: &str = "client.kick";

fn check_tenant<T: AdminTransaction>(
    transaction: &mut T,
    tenant: Option<&TenantId>,
) -> Result<(), TenantError> {
    if let Some(tenant) = tenant {
        tenant::find(transaction, tenant)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use countersign_core::ledger::Ledger as _;
    use countersign_core::presence::{Presence, PresenceEvent};
    use countersign_core::store::{Batch, GateStore as _};

    use super::*;
    use crate::fixture::{Fixture, tenant_id};

    fn connected(session: i64, client_id: &str, fixture: &Fixture) -> PresenceEvent {
        PresenceEvent::Connected(Presence {
            session: SessionNumber(session),
            client_id: client_id.into(),
            tie: ClientId::parse(client_id).unwrap().tie(),
            username: None,
            credential: None,
            tenant: Some(tenant_id("acme")),
            address: Some("127.0.0.1".into()),
            protocol: 4,
            connected_at: fixture.now,
            authenticated: false,
            listener: None,
            stored: false,
        })
    }

    fn with_clients(client_ids: &[&str]) -> Fixture {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        let observations = (1..)
            .zip(client_ids)
            .map(|(session, client_id)| connected(session, client_id, &fixture))
            .collect();
        let batch = Batch {
            observations,
            ..Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
        fixture
    }

    fn asked(fixture: &mut Fixture, target: &str) -> KickTarget {
        let request = fixture
            .act(|store, context| request_kick(store, context, target))
            .unwrap();
        assert!(!is_kicked(&mut fixture.store, request).unwrap());
        let asked = fixture.store.kick_request(request).unwrap().unwrap();
        let answered = Batch {
            kicked: vec![request],
            ..Batch::default()
        };
        fixture.store.write_batch("b", &answered).unwrap();
        assert!(is_kicked(&mut fixture.store, request).unwrap());
        asked
    }

    #[test]
    fn clients_are_counted_by_tenant() {
        let mut fixture = with_clients(&["c1", "c2"]);
        // Whom a broker left that is not alive is not connected.
        assert_eq!(count(&mut fixture.store, None).unwrap(), 0);
        assert!(list(&mut fixture.store, None).unwrap().is_empty());
        let left = list_all(&mut fixture.store, None).unwrap();
        assert!(left.len() == 2 && left.iter().all(|client| !client.is_alive));
        let _alive = fixture.store.lock_broker("b").unwrap();
        assert_eq!(count(&mut fixture.store, None).unwrap(), 2);
        assert_eq!(
            count(&mut fixture.store, Some(&tenant_id("other"))).unwrap(),
            0
        );
        assert_eq!(
            list(&mut fixture.store, Some(&tenant_id("acme")))
                .unwrap()
                .len(),
            2
        );
        assert!(matches!(
            count(&mut fixture.store, Some(&tenant_id("none"))),
            Err(TenantError::Missing { .. })
        ));
    }

    #[test]
    fn a_session_is_kicked_by_its_name_and_anything_else_is_a_client_id() {
        let mut fixture = with_clients(&["c1", "c2"]);
        let session = KickTarget::Session {
            broker: "b".into(),
            session: SessionNumber(2),
        };
        assert_eq!(asked(&mut fixture, "b:2"), session);
        for target in ["c1", "unseen", "b:3", "b:02", ""] {
            assert_eq!(
                asked(&mut fixture, target),
                KickTarget::ClientId(ClientIdTie::of(target))
            );
        }
        assert!(fixture.acts().contains(&"client.kick b:2".into()));
    }

    #[test]
    fn a_kick_that_reached_nobody_is_refused_in_the_audit_and_one_that_did_is_done() {
        let mut fixture = with_clients(&["c1"]);
        let request = fixture
            .act(|store, context| request_kick(store, context, "nobody"))
            .unwrap();
        let of_kicks = |fixture: &mut Fixture| {
            let entries = fixture.entries().into_iter();
            let kicks = entries.filter(|entry| entry.act == KICK);
            kicks
                .map(|entry| (entry.subject, entry.outcome))
                .collect::<Vec<_>>()
        };
        assert_eq!(of_kicks(&mut fixture), []);
        for is_first in [true, false] {
            let withdrawn = fixture
                .act(|store, context| withdraw_kick(store, context, "nobody", request))
                .unwrap();
            assert_eq!(withdrawn, is_first);
        }
        asked(&mut fixture, "b:1");
        let kicks = [
            ("nobody".to_owned(), AuditOutcome::Refused),
            ("b:1".to_owned(), AuditOutcome::Done),
        ];
        assert_eq!(of_kicks(&mut fixture), kicks);
    }

    #[test]
    fn a_client_id_that_a_credential_holds_can_be_given_up_once() {
        let mut fixture = Fixture::with_credential();
        let id = |text| ClientId::parse(text).unwrap();
        fixture.log_in("dev1@acme", "mine");
        let mut give_up = |text| fixture.act(|store, context| release(store, context, &id(text)));
        assert_eq!(
            give_up("other").unwrap_err().to_string(),
            "no credential holds client id `other`"
        );
        give_up("mine").unwrap();
        assert!(matches!(give_up("mine"), Err(ReleaseError::NotHeld { .. })));
        assert_eq!(fixture.acts().last().unwrap(), "client.release mine");
    }

    #[test]
    fn a_client_id_that_is_a_secret_is_masked_in_the_audit() {
        let mut fixture = Fixture::with_credential();
        let token = "dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b774";
        fixture.log_in("dev1@acme", token);
        let id = ClientId::parse(token).unwrap();
        fixture
            .act(|store, context| release(store, context, &id))
            .unwrap();
        asked(&mut fixture, token);
        let acts = fixture.acts();
        assert_eq!(
            acts[acts.len() - 2..],
            ["client.release dt_7f3a…", "client.kick dt_7f3a…"]
        );
        assert!(!format!("{:?}", fixture.entries()).contains(token));
    }
}
