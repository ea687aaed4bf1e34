//! What counts of a device that something other than its secrets proved: a certificate, or
//! a token of an issuer.

use std::sync::Arc;

use super::{ConnectContext, LoginRecord, Request, client_ids, tie_of};
use crate::credential::Credential;
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::scheme::{Naming, Schemes};
use crate::store::{Directory, StoreError};

/// What must be committed before it is let in, or why it is not: by its state and dates,
/// its rule of client ids, the listener and who owns the client id.
pub(super) fn judge(
    credential: &Credential,
    request: &Request,
    at: &ConnectContext<'_>,
    has_tls: bool,
    directory: &mut dyn Directory,
) -> Result<Result<LoginRecord, Reason>, StoreError> {
    if let Err(reason) = credential.admits_proved(&request.client_id, at.now) {
        return Ok(Err(reason));
    }
    if !at.listener.takes(credential.tenant.as_ref()) {
        return Ok(Err(Reason::WrongListener));
    }
    if !has_tls && super::is_tls_only(credential, at.schemes) {
        return Ok(Err(Reason::TlsRequired));
    }
    let claimant = client_ids::Claimant {
        credential: Some(credential.id),
        tenant: credential.tenant.as_ref(),
    };
    let owned = client_ids::own_client_id(&claimant, request, at, directory)?;
    Ok(owned.map(|owned| LoginRecord {
        activates: !credential.ever_used,
        ties: tie_of(credential, &request.client_id),
        session: owned.change,
        ..LoginRecord::default()
    }))
}

/// The device of a tenant that its authority, or its issuer, means by `name`:
/// `NAME@TENANT`, else the one of that very name whose scheme adds nothing to names.
pub(super) fn device_meant(
    name: &str,
    tenant: &TenantId,
    schemes: &Schemes,
    directory: &mut dyn Directory,
) -> Result<Option<Arc<Credential>>, StoreError> {
    let is_its = |credential: &Arc<Credential>| {
        credential.tenant.as_ref() == Some(tenant) && credential.may_be_proved()
    };
    if let Ok(whole) = LoginName::parse(&format!("{name}@{tenant}"))
        && let Some(credential) = directory.credential(&whole)?
    {
        return Ok(Some(credential).filter(is_its));
    }
    let Ok(name) = LoginName::parse(name) else {
        return Ok(None);
    };
    let adds_nothing = |credential: &Arc<Credential>| {
        let scheme = schemes.find(credential.scheme.as_str());
        scheme.is_some_and(|scheme| !matches!(scheme.naming(), Naming::Suffixed))
    };
    let credential = directory.credential(&name)?;
    Ok(credential.filter(is_its).filter(adds_nothing))
}
