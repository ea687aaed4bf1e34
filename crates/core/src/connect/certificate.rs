//! Logins by certificate (X.509), of clients that present no password.

use super::{
    Admission, ConnectContext, Decision, Identity, LoginRecord, Request, client_ids, tie_of,
};
use crate::certificate::PresentedCertificate;
use crate::reason::Reason;
use crate::store::{Directory, StoreError};

/// Judges a client by its certificate alone, which a tenant's mode makes no difference
/// to. That its private key is the client's, and who signed it, the host has found.
pub(super) fn decide(
    presented: &PresentedCertificate,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let refuse = |reason| Ok(Decision::Refuse(reason));
    let PresentedCertificate::Read {
        fingerprint,
        validity,
    } = presented
    else {
        return refuse(Reason::CertificateUnknown);
    };
    let Some(record) = directory.certificate(fingerprint)? else {
        return refuse(Reason::CertificateUnknown);
    };
    let Some(credential) = directory.credential_by_id(record.credential)? else {
        return refuse(Reason::CertificateUnknown);
    };
    if request
        .name
        .as_ref()
        .is_some_and(|name| *name != credential.name)
    {
        return refuse(Reason::CertificateUnknown);
    }
    let certificate = match record.admits(*validity, at.now) {
        Ok(certificate) => certificate,
        Err(reason) => return refuse(reason),
    };
    if let Err(reason) = credential.admits_certificate(&request.client_id, at.now) {
        return refuse(reason);
    }
    if !at.listener.takes(credential.tenant.as_ref()) {
        return refuse(Reason::WrongListener);
    }
    // There is no certificate without TLS, so a scheme that asks for TLS has it.
    let claimant = client_ids::Claimant {
        credential: Some(credential.id),
        tenant: credential.tenant.as_ref(),
    };
    let session = match client_ids::own_client_id(&claimant, request, at, directory)? {
        Ok(owned) => owned.change,
        Err(reason) => return refuse(reason),
    };
    let record = LoginRecord {
        activates: !credential.ever_used,
        ties: tie_of(&credential, &request.client_id),
        session,
        ..LoginRecord::default()
    };
    Ok(Decision::Admit(Admission {
        identity: Identity::Certificate {
            credential,
            certificate,
        },
        record,
    }))
}
