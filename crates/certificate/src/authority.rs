//! Certificates of authorities.

use countersign_core::certificate::{
    AuthorityKey, Fingerprint, KeyAlgorithm, SignerHints, Validity,
};
use countersign_core::jwt::VerifyingKey;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};
use x509_cert::ext::pkix::{BasicConstraints, SubjectKeyIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::hints::hints;
use crate::leaf::{extension, written};
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
        "it is no certificate of an authority: no `CA:TRUE` in its basic constraints; take that \
         of whoever signs the devices' certificates"
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

/// Says whether it may sign others. The first version of X.509 does not tell.
fn may_sign(certificate: &Certificate) -> bool {
    let constraints: Option<BasicConstraints> = extension(certificate, BASIC_CONSTRAINTS);
    match constraints {
        Some(constraints) => constraints.ca,
        None => certificate.tbs_certificate().version() == Version::V1,
    }
}

/// The key, if it is of a kind that counts.
fn key_of(info: &SubjectPublicKeyInfoOwned) -> Option<AuthorityKey> {
    let parameters = info.algorithm.parameters.as_ref();
    let bytes = info.subject_public_key.as_bytes()?;
    let algorithm = match info.algorithm.oid {
        // None that anybody could sign under.
        ED25519 if parameters.is_none() => {
            VerifyingKey::from_bytes(bytes.try_into().ok()?)?;
            KeyAlgorithm::Ed25519
        }
        EC => match parameters?.decode_as().ok()? {
            P256 if is_point(bytes, 32) => KeyAlgorithm::P256,
            P384 if is_point(bytes, 48) => KeyAlgorithm::P384,
            _ => return None,
        },
        RSA if parameters.is_none_or(|it| it.tag() == Tag::Null) => {
            let (bits, exponent) = rsa(bytes)?;
            let is_good = (LEAST_BITS..=MOST_BITS).contains(&bits) && exponent >= LEAST_EXPONENT;
            is_good.then_some(KeyAlgorithm::Rsa)?
        }
        _ => return None,
    };
    Some(AuthorityKey {
        algorithm,
        bytes: bytes.into(),
    })
}

/// Says whether bytes are an uncompressed point (SEC 1 §2.3.3) of two numbers that long.
fn is_point(bytes: &[u8], length: usize) -> bool {
    bytes.first() == Some(&4) && bytes.len() == length.saturating_mul(2).saturating_add(1)
}

/// How many bits the modulus of a key has (RFC 8017 §A.1.1), and the exponent, as far as
/// it is one of 8 bytes at most.
fn rsa(bytes: &[u8]) -> Option<(usize, u64)> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let (modulus, exponent) = reader
        .sequence(|reader| {
            let modulus = UintRef::decode(reader)?;
            Ok::<_, x509_cert::der::Error>((modulus, UintRef::decode(reader)?))
        })
        .ok()?;
    reader.finish().ok()?;
    let first = modulus.as_bytes().first()?;
    let bits = modulus.as_bytes().len().checked_mul(8)?;
    let bits = bits.checked_sub(usize::try_from(first.leading_zeros()).ok()?)?;
    let mut wide = [0; 8];
    let exponent = exponent.as_bytes();
    let at = wide.len().checked_sub(exponent.len())?;
    wide.get_mut(at..)?.copy_from_slice(exponent);
    Some((bits, u64::from_be_bytes(wide)))
}

const LEAST_BITS: usize = 2_048;
const MOST_BITS: usize = 4_096;
const LEAST_EXPONENT: u64 = 65_537;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const SUBJECT_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
