//! Whether a client may have the client id that it asks for, and what becomes
//! of the session stored under it.

use core::time::Duration;

use super::{ConnectContext, Request, Reservation, SessionChange, SessionUse};
use crate::client_id::{ClientId, ClientIdTie};
use crate::credential::{Credential, CredentialId};
use crate::name::{LoginName, TenantId};
use crate::ownership::{ClientIdClaim, Holder, Holding, Kept, StoredSession};
use crate::reason::Reason;
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;

/// Who wants a client id.
pub(super) struct Claimant<'a> {
    /// The credential; none for an unauthenticated client.
    pub(super) credential: Option<CredentialId>,
    /// The tenant, as far as it is known.
    pub(super) tenant: Option<&'a TenantId>,
}

/// A client id that its claimant may have.
pub(super) struct OwnedClientId {
    /// What becomes of the session that is stored under it.
    pub(super) change: SessionChange,
    /// The tenant that an unauthenticated client worked in, if it comes back
    /// for what it left there.
    pub(super) resumes_in: Option<TenantId>,
}

/// Client-id ownership: whether the claimant may have this client id, and what
/// becomes of the session that is stored under it.
pub(super) fn own_client_id(
    claimant: &Claimant<'_>,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Result<OwnedClientId, Reason>, StoreError> {
    let hold = ClientIdHold {
        live_holders: at.live_holders,
        client_id_hold: at.client_id_hold,
        now: at.now,
    };
    own(claimant, request, &hold, at.reservation, directory)
}

/// Says whether a credential that its host vouches for may have the client id that
/// the host let it in with; if so, what becomes of the session that is stored under
/// it.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up.
pub fn claim_client_id(
    credential: &Credential,
    request: &Request,
    hold: &ClientIdHold<'_>,
    reservation: Reservation,
    directory: &mut dyn Directory,
) -> Result<Result<SessionChange, Reason>, StoreError> {
    let claimant = Claimant {
        credential: Some(credential.id),
        tenant: credential.tenant.as_ref(),
    };
    Ok(own(&claimant, request, hold, reservation, directory)?.map(|owned| owned.change))
}

/// The same with what holds the id, and what the host may keep for itself.
fn own(
    claimant: &Claimant<'_>,
    request: &Request,
    hold: &ClientIdHold<'_>,
    reservation: Reservation,
    directory: &mut dyn Directory,
) -> Result<Result<OwnedClientId, Reason>, StoreError> {
    let starts_clean = request.session.starts_clean;
    let Request { client_id, tie, .. } = request;
    let found = look_up_owner(claimant, client_id, tie, starts_clean, hold, directory)?;
    if found.is_ok() && is_reserved(reservation, client_id, directory)? {
        return Ok(Err(Reason::ClientIdOwned));
    }
    Ok(found.map(|stored| {
        let left = stored
            .as_ref()
            .filter(|stored| !starts_clean && stored.is_unproved());
        let resumes_in = left
            .filter(|_| claimant.credential.is_none())
            .and_then(|stored| stored.tenant.clone());
        let is_made_up = request.client_id.is_made_up();
        let change = match &stored {
            None if is_made_up => SessionChange::Kept,
            stored => session_change(stored.as_ref(), claimant, request.session),
        };
        OwnedClientId { change, resumes_in }
    }))
}

/// Says whether the host keeps a client id, which the claimant might have
/// otherwise, for a client of its own.
fn is_reserved(
    reservation: Reservation,
    client_id: &ClientId,
    directory: &mut dyn Directory,
) -> Result<bool, StoreError> {
    Ok(match reservation {
        Reservation::Free => false,
        // If a tenant has the prefix, it is the claimant's.
        Reservation::Possible => directory.tenant_by_client_id(client_id)?.is_none(),
        Reservation::Taken => true,
    })
}

/// Says whether a session of `credential` may keep its client id, with what is
/// stored under it, when it goes to another tenant: whether a CONNECT there
/// that does not start clean would be let have it.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up.
pub fn may_keep_client_id(
    credential: CredentialId,
    tenant: &TenantId,
    client_id: &ClientId,
    client_id_hold: Duration,
    now: Timestamp,
    directory: &mut dyn Directory,
) -> Result<Result<(), Reason>, StoreError> {
    let claimant = Claimant {
        credential: Some(credential),
        tenant: Some(tenant),
    };
    let hold = ClientIdHold {
        // It is the live holder itself.
        live_holders: &[],
        client_id_hold,
        now,
    };
    let tie = client_id.tie();
    Ok(look_up_owner(&claimant, client_id, &tie, false, &hold, directory)?.map(drop))
}

/// What holds a client id besides what is stored.
#[derive(Clone, Copy, Debug)]
pub struct ClientIdHold<'a> {
    /// All principals that are connected with it.
    pub live_holders: &'a [CredentialId],
    /// How long a client id is held after its last use.
    pub client_id_hold: Duration,
    /// When.
    pub now: Timestamp,
}

/// Says whether the claimant may have this client id; if so, what is stored
/// under it.
fn look_up_owner(
    claimant: &Claimant<'_>,
    client_id: &ClientId,
    tie: &ClientIdTie,
    starts_clean: bool,
    hold: &ClientIdHold<'_>,
    directory: &mut dyn Directory,
) -> Result<Result<Option<StoredSession>, Reason>, StoreError> {
    if let Err(reason) = keeps_prefixes(claimant.tenant, client_id, directory)? {
        return Ok(Err(reason));
    }
    let is_another = |id: CredentialId| Some(id) != claimant.credential;
    if hold.live_holders.iter().copied().any(is_another) {
        return Ok(Err(Reason::ClientIdOwned));
    }
    let Holding {
        bound_to,
        stored_session: stored,
    } = directory.holding(tie, claimant.credential)?;
    if bound_to.is_some_and(is_another) {
        return Ok(Err(Reason::ClientIdOwned));
    }
    let claim = stored.as_ref().map_or(ClientIdClaim::Free, |stored| {
        stored.claim(
            claimant.credential,
            claimant.tenant,
            hold.client_id_hold,
            hold.now,
        )
    });
    Ok(match claim {
        ClientIdClaim::Held => Err(Reason::ClientIdOwned),
        ClientIdClaim::FreeIfClean if !starts_clean => Err(Reason::ClientIdOwned),
        ClientIdClaim::Free | ClientIdClaim::FreeIfClean => Ok(stored),
    })
}

/// The owner of a client id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientIdOwner {
    /// A credential that is connected with it, is bound to it, or may have a
    /// session stored under it.
    Credential {
        /// Its name.
        name: LoginName,
        /// Since when it uses the id, as far as is known.
        since: Option<Timestamp>,
    },
    /// A principal that is no more or gave it up, whose session may be stored
    /// still.
    Former,
    /// The host, which keeps it for a client of its own.
    Host,
    /// A tenant, all of whose client ids begin so.
    Tenant(TenantId),
}

impl ClientIdOwner {
    /// Whom a host keeps client ids for, in words.
    pub const OF_HOST: &'static str = "a bridge, or a client that another plugin let in";
}

/// Whose a client id is, for people to read: why somebody called `claimant` was
/// refused it.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up.
pub fn owner_of_client_id(
    client_id: &ClientId,
    claimant: Option<&LoginName>,
    live_holders: &[CredentialId],
    directory: &mut dyn Directory,
) -> Result<Option<ClientIdOwner>, StoreError> {
    let Holding {
        bound_to,
        stored_session: stored,
    } = directory.holding(&client_id.tie(), None)?;
    let stored_for = stored.as_ref().and_then(|stored| match stored.holder {
        Holder::Credential(id) => Some(id),
        Holder::Former | Holder::Unauthenticated => None,
    });
    let holders = live_holders
        .iter()
        .copied()
        .chain(bound_to)
        .chain(stored_for);
    for id in holders {
        let Some(credential) = directory.credential_by_id(id)? else {
            continue;
        };
        if claimant != Some(&credential.name) {
            let since = stored.as_ref().filter(|_| stored_for == Some(id));
            return Ok(Some(ClientIdOwner::Credential {
                name: credential.name.clone(),
                since: since
                    .map(|stored| stored.first_used_at)
                    .filter(|at| at.as_millis() > 0),
            }));
        }
    }
    if let Some(tenant) = directory.tenant_by_client_id(client_id)? {
        return Ok(Some(ClientIdOwner::Tenant(tenant)));
    }
    Ok(stored.map(|_| ClientIdOwner::Former))
}

/// Client-id prefixes: a tenant's are its own, and all its ids begin so.
fn keeps_prefixes(
    tenant: Option<&TenantId>,
    client_id: &ClientId,
    directory: &mut dyn Directory,
) -> Result<Result<(), Reason>, StoreError> {
    match directory.tenant_by_client_id(client_id)? {
        Some(owner) => Ok(if tenant == Some(&owner) {
            Ok(())
        } else {
            Err(Reason::ClientIdOwned)
        }),
        None => {
            let own_client_id = match tenant {
                Some(id) => directory.tenant(id)?,
                None => None,
            };
            Ok(match own_client_id {
                Some(tenant) if tenant.client_id_prefix.is_some() => Err(Reason::ClientIdMismatch),
                Some(_) | None => Ok(()),
            })
        }
    }
}

fn session_change(
    recorded: Option<&StoredSession>,
    claimant: &Claimant<'_>,
    session: SessionUse,
) -> SessionChange {
    let is_own = recorded.is_some_and(|recorded| match claimant.credential {
        Some(id) => {
            recorded.holder == Holder::Credential(id)
                && recorded.kept != Kept::Unproved
                && recorded.tenant.as_ref() == claimant.tenant
        }
        None => recorded.is_unproved(),
    });
    // Anybody can make up client ids: a session of an unauthenticated client
    // and starts clean is written down where that makes nobody wait.
    let waits = claimant.credential.is_some() || !session.starts_clean || is_own;
    let is_stored = session.is_stored && waits;
    let Some(recorded) = recorded else {
        return if is_stored {
            SessionChange::Taken
        } else {
            SessionChange::Kept
        };
    };
    match (recorded.is_stored(), is_stored) {
        (true, true) if is_own => SessionChange::Kept,
        (false, true) if is_own => SessionChange::Stored,
        (_, true) => SessionChange::Taken,
        (true, false) => SessionChange::Dropped,
        // Nothing is stored, and who used it is not a client's to say that
        // proved nothing.
        (false, false) if claimant.credential.is_none() => SessionChange::Kept,
        // Its use is written down where that makes nobody wait.
        (false, false) if recorded.tenant.as_ref() == claimant.tenant => SessionChange::Kept,
        (false, false) => SessionChange::Dropped,
    }
}
