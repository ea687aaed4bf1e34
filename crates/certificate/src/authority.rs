//! Certificates of authorities.

use countersign_core::certificate::{
    AuthorityKey, Fingerprint, KeyAlgorithm, SignerHints, Validity,
};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::referenced::OwnedToRef as _;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::hints::hints;
use crate::leaf::{extension, written};
use crate::public_key::PublicKey;
use crate::read::{CertificateError, certificate_of, validity_of};

/// What an authority's own certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadAuthority {
    /// The hash of the certificate.
    pub fingerprint: Fingerprint,
    /// Its name, as RFC 4514 writes it.
    pub subject: String,
    /// Its key.
    pub key: AuthorityKey,
    /// What its certificates say of who signed them.
    pub signer: SignerHints,
    /// When its certificate is valid.
    pub validity: Validity,
}

/// A certificate is not one of an authority that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// It can't be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// It is one of a client or a server.
    #[error(
        "it is no certificate of an authority: no `CA:TRUE` in its basic constraints, or a key \
         usage without `keyCertSign`; take that of whoever signs the devices' certificates"
    )]
    NoAuthority,
    /// Its key is of another kind.
    #[error("its key is none of RSA with 2048 to 4096 bits, P-256, P-384 and Ed25519")]
    Key,
}

/// Reads the certificate of an authority.
///
/// # Errors
///
/// Returns [`AuthorityError`] when it is none whose signatures count.
pub fn read_authority(der: &[u8]) -> Result<ReadAuthority, AuthorityError> {
    let certificate = certificate_of(der)?;
    if !may_sign(&certificate) {
        return Err(AuthorityError::NoAuthority);
    }
    let tbs = certificate.tbs_certificate();
    let key = key_of(tbs.subject_public_key_info()).ok_or(AuthorityError::Key)?;
    let key_id: Option<SubjectKeyIdentifier> = extension(&certificate, SUBJECT_KEY);
    Ok(ReadAuthority {
        fingerprint: Fingerprint::of(der),
        subject: written(tbs.subject()).unwrap_or_default(),
        key,
        signer: hints(key_id.as_ref().map(|id| &id.0), tbs.subject()),
        validity: validity_of(&certificate),
    })
}

/// Says whether it may sign others (RFC 5280 §4.2.1.3, §4.2.1.9). The first version of
/// X.509 does not tell.
fn may_sign(certificate: &Certificate) -> bool {
    let constraints: Option<BasicConstraints> = extension(certificate, BASIC_CONSTRAINTS);
    match constraints {
        Some(constraints) => constraints.ca && has_key_for_it(certificate),
        None => certificate.tbs_certificate().version() == Version::V1,
    }
}

/// Says whether its key is for signing certificates, as far as that is said.
fn has_key_for_it(certificate: &Certificate) -> bool {
    let mut extensions = certificate
        .tbs_certificate()
        .extensions()
        .into_iter()
        .flatten();
    let usage: Option<KeyUsage> = extension(certificate, KEY_USAGE);
    let is_silent = extensions.all(|it| it.extn_id != KEY_USAGE);
    is_silent || usage.is_some_and(|usage| usage.key_cert_sign())
}

/// The key, if it is of a kind that counts.
fn key_of(info: &SubjectPublicKeyInfoOwned) -> Option<AuthorityKey> {
    let algorithm = match PublicKey::of_info(&info.owned_to_ref()).ok()? {
        PublicKey::Ed25519(_) => KeyAlgorithm::Ed25519,
        PublicKey::P256(_) => KeyAlgorithm::P256,
        PublicKey::P384(_) => KeyAlgorithm::P384,
        PublicKey::Rsa(_) => KeyAlgorithm::Rsa,
    };
    Some(AuthorityKey {
        algorithm,
        bytes: info.subject_public_key.as_bytes()?.into(),
    })
}

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
