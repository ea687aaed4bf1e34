//! What counts of a device that something other than its secrets proved: a certificate, or
//! a token of an issuer.

use super::{ConnectContext, LoginRecord, Request, client_ids, tie_of};
use crate::credential::Credential;
use crate::reason::Reason;
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
    if let Err(reason) = credential.admits_certificate(&request.client_id, at.now) {
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
