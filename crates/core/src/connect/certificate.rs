//! Logins by certificate (X.509), of clients that present no password.

use std::sync::Arc;

use super::{
    Admission, ConnectContext, Decision, Identity, Request, SecretCheck, SignatureVerdict, device,
    proved,
};
use crate::certificate::{
    AuthorityKey, AuthorityRecord, CertificateRecord, Fingerprint, Leaf, PresentedCertificate,
    ProvedCertificate, Validity,
};
use crate::credential::Credential;
use crate::reason::Reason;
use crate::registrar::Registrar;
use crate::scheme::Schemes;
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;

/// Judges a client by its certificate alone, which a tenant's mode makes no difference
/// to. That its private key is the client's, and that the host trusts who signed it, the
/// host has found.
pub(super) fn decide(
    presented: &PresentedCertificate,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    let refuse = |reason| Ok(Decision::Refuse(reason));
    let is_signed = &mut |print: &Fingerprint, leaf: &dyn Leaf, key: &AuthorityKey| {
        check.is_signed(print, leaf, key)
    };
    let signed = match SignedCertificate::of(presented, directory, is_signed)? {
        Ok(signed) => signed,
        Err(reason) => return refuse(reason),
    };
    let Some((credential, proof)) = holder(&signed, at.schemes, directory)? else {
        return newcomer(&signed, request, at, directory);
    };
    if request
        .name
        .as_ref()
        .is_some_and(|name| *name != credential.name)
    {
        return refuse(Reason::CertificateUnknown);
    }
    let certificate = match signed.judge(&proof, at.now) {
        Ok(certificate) => certificate,
        Err(reason) => return refuse(reason),
    };
    // There is no certificate without TLS, so a scheme that asks for TLS has it.
    let record = match proved::judge(&credential, request, at, true, directory)? {
        Ok(record) => record,
        Err(reason) => return refuse(reason),
    };
    Ok(Decision::Admit(Admission {
        identity: Identity::Certificate {
            credential,
            certificate,
        },
        record,
    }))
}

/// Judges a certificate that is nobody's: its authority may make a device of its client.
fn newcomer(
    signed: &SignedCertificate<'_>,
    request: &Request,
    at: &ConnectContext<'_>,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let unknown = Decision::Refuse(Reason::CertificateUnknown);
    let Some((authority, name)) = signed.named() else {
        return Ok(unknown);
    };
    let by = device::Registering {
        registrar: Registrar::Authority(authority.id),
        tenant: &authority.tenant,
        registers: authority.registers.as_ref(),
    };
    let decision = device::decide(&by, &name, request.name.as_ref(), at, directory)?;
    let decision = decision.unwrap_or(unknown);
    // Of one that proves nothing by now, nobody is made.
    Ok(
        match (decision, signed.judge(&CertificateProof::Named, at.now)) {
            (Decision::Register(_), Err(reason)) => Decision::Refuse(reason),
            (decision, _) => decision,
        },
    )
}

/// The credential that a certificate stands for, whether or not it lets anybody in; none
/// if it is nobody's, or if it can't be found out now whose it is.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up.
pub fn holder_of_certificate(
    presented: &PresentedCertificate,
    schemes: &Schemes,
    directory: &mut dyn Directory,
    is_signed: &mut IsSigned<'_>,
) -> Result<Option<Arc<Credential>>, StoreError> {
    let Ok(signed) = SignedCertificate::of(presented, directory, is_signed)? else {
        return Ok(None);
    };
    let holder = holder(&signed, schemes, directory)?;
    Ok(holder.map(|(credential, _)| credential))
}

/// Says whether the holder of a key signed a certificate; see [`SecretCheck::is_signed`].
pub type IsSigned<'a> = dyn FnMut(&Fingerprint, &dyn Leaf, &AuthorityKey) -> SignatureVerdict + 'a;

/// A certificate of which is known who signed it.
struct SignedCertificate<'a> {
    fingerprint: Fingerprint,
    validity: Validity,
    leaf: &'a dyn Leaf,
    /// The tenant's authority that did, if one did.
    authority: Option<AuthorityRecord>,
}

/// Why a certificate stands for a credential.
enum CertificateProof {
    /// There is a record of it.
    Recorded(CertificateRecord),
    /// Its authority names the credential.
    Named,
}

impl<'a> SignedCertificate<'a> {
    /// Finds out whose key signed a certificate. What it says of that only tells which
    /// keys are to be tried; there are not many that one could mean.
    fn of(
        presented: &'a PresentedCertificate,
        directory: &mut dyn Directory,
        is_signed: &mut IsSigned<'_>,
    ) -> Result<Result<Self, Reason>, StoreError> {
        let PresentedCertificate::Read {
            fingerprint,
            validity,
            leaf,
        } = presented
        else {
            return Ok(Err(Reason::CertificateUnknown));
        };
        let mut signed = Self {
            fingerprint: *fingerprint,
            validity: *validity,
            leaf: &**leaf,
            authority: None,
        };
        for authority in &*directory.authorities_like(&leaf.signer())? {
            match is_signed(fingerprint, &**leaf, &authority.key) {
                SignatureVerdict::Valid => {
                    signed.authority = Some(authority.clone());
                    break;
                }
                SignatureVerdict::Invalid => {}
                SignatureVerdict::OverBudget => return Ok(Err(Reason::OverBudget)),
            }
        }
        Ok(Ok(signed))
    }

    /// The authority that signed it, and the name that it says; none where it says none.
    fn named(&self) -> Option<(&AuthorityRecord, String)> {
        let authority = self.authority.as_ref()?;
        let value = self.leaf.identity(authority.identity)?;
        let name = authority.pattern.name_in(&value)?;
        Some((authority, name.to_owned()))
    }

    /// What it proves at `now`, or why it proves nothing.
    fn judge(
        &self,
        standing: &CertificateProof,
        now: Timestamp,
    ) -> Result<ProvedCertificate, Reason> {
        match (standing, &self.authority) {
            (CertificateProof::Recorded(record), _) => record.admits(self.validity, now),
            (CertificateProof::Named, Some(authority)) => {
                authority.admits(self.fingerprint, self.validity, now)
            }
            (CertificateProof::Named, None) => Err(Reason::CertificateUnknown),
        }
    }
}

/// The credential that a certificate stands for: by its fingerprint, else by what it is
/// named by its authority. One of an authority stands for a credential of that one's
/// tenant alone, whoever has added its fingerprint elsewhere.
fn holder(
    signed: &SignedCertificate<'_>,
    schemes: &Schemes,
    directory: &mut dyn Directory,
) -> Result<Option<(Arc<Credential>, CertificateProof)>, StoreError> {
    let is_its = |credential: &Credential| {
        let authority = signed.authority.as_ref();
        authority.is_none_or(|authority| credential.tenant.as_ref() == Some(&authority.tenant))
    };
    if let Some(record) = directory.certificate(&signed.fingerprint)?
        && let Some(credential) = directory.credential_by_id(record.credential)?
        && is_its(&credential)
    {
        return Ok(Some((credential, CertificateProof::Recorded(record))));
    }
    let Some((authority, name)) = signed.named() else {
        return Ok(None);
    };
    let credential = proved::device_meant(&name, &authority.tenant, schemes, directory)?;
    Ok(credential.map(|credential| (credential, CertificateProof::Named)))
}
