//! Acts on live clients.

use countersign_core::change::{Change, KickRequestId};
use countersign_core::name::TenantId;
use countersign_core::store::{
    AdminStore, AdminTransaction, BrokerPresence, Intent, KickTarget, StoreError,
};
use serde::Serialize;

use crate::context::Context;
use crate::tenant::{self, TenantError};
use crate::view::session_name;

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
    let mut transaction = store.begin(Intent::Read)?;
    check_tenant(&mut transaction, tenant)?;
    Ok(transaction.presence(tenant)?)
}

/// How many are connected.
///
/// # Errors
///
/// As [`list`].
pub fn count<S: AdminStore>(
    store: &mut S,
    tenant: Option<&TenantId>,
) -> Result<u64, TenantError> {
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
/// Returns [`StoreError`] when the store can't be written; nobody was asked
/// then.
pub fn request_kick<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    target: &str,
) -> Result<KickRequestId, StoreError> {
    let mut transaction = store.begin(Intent::Write)?;
    let named = transaction
        .presence(None)?
        .into_iter()
        .find(|client| session_name(client) == target);
    let (kick, client_id) = match named {
        Some(client) => {
            let kick = KickTarget::Session {
                broker: client.broker,
                session: client.presence.session,
            };
            (kick, client.presence.client_id)
        }
        None => (KickTarget::ClientId(target.into()), target.into()),
    };
    let request = transaction.request_kick(&kick, context.now)?;
    let after = KickTrace { client_id };
    let row = context.audit("client.kick", target, None::<&KickTrace>, Some(&after));
    transaction.commit(&[row], &[Change::KickRequested(request)])?;
    Ok(request)
}

/// Says whether a broker ended a session that was asked for.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn is_kicked<S: AdminStore>(
    store: &mut S,
    request: KickRequestId,
) -> Result<bool, StoreError> {
    store.begin(Intent::Read)?.is_kick_answered(request)
}

/// What the audit keeps of a request to kick.
#[derive(Serialize)]
struct KickTrace {
    client_id: String,
}

fn check_tenant<T: AdminTransaction>(
    transaction: &mut T,
    tenant: Option<&TenantId>,
) -> Result<(), TenantError> {
    if let Some(tenant) = tenant {
        tenant::find(transaction, tenant)?;
    }
    Ok(())
}
