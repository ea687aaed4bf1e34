//! Signatures of authorities.

use countersign_core::certificate::{AuthorityKey, KeyAlgorithm};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::{Tag, Tagged as _};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Says whether `signature` is one of `signed` by the holder of `key`. SHA-1 counts as no
/// signature.
pub(crate) fn is_valid(
    key: &AuthorityKey,
    algorithm: &AlgorithmIdentifierOwned,
    signed: &[u8],
    signature: &[u8],
) -> bool {
    way(key.algorithm, algorithm).is_some_and(|way| {
        UnparsedPublicKey::new(way, &key.bytes)
            .verify(signed, signature)
            .is_ok()
    })
}

/// How keys of this kind sign by `algorithm`, if they do.
fn way(
    key: KeyAlgorithm,
    algorithm: &AlgorithmIdentifierOwned,
) -> Option<&'static dyn VerificationAlgorithm> {
    let parameters = algorithm.parameters.as_ref();
    let has_none = parameters.is_none();
    let has_null = parameters.is_none_or(|it| it.tag() == Tag::Null);
    Some(match (key, algorithm.oid) {
        (KeyAlgorithm::Ed25519, ED25519_SIGNATURE) if has_none => &ED25519,
        (KeyAlgorithm::P256, ECDSA_SHA256) if has_none => &ECDSA_P256_SHA256_ASN1,
        (KeyAlgorithm::P256, ECDSA_SHA384) if has_none => &ECDSA_P256_SHA384_ASN1,
        (KeyAlgorithm::P384, ECDSA_SHA256) if has_none => &ECDSA_P384_SHA256_ASN1,
        (KeyAlgorithm::P384, ECDSA_SHA384) if has_none => &ECDSA_P384_SHA384_ASN1,
        (KeyAlgorithm::Rsa, RSA_SHA256) if has_null => &RSA_PKCS1_2048_8192_SHA256,
        (KeyAlgorithm::Rsa, RSA_SHA384) if has_null => &RSA_PKCS1_2048_8192_SHA384,
        (KeyAlgorithm::Rsa, RSA_SHA512) if has_null => &RSA_PKCS1_2048_8192_SHA512,
        (KeyAlgorithm::Rsa, RSA_PSS) => return by_pss(parameters?),
        _ => return None,
    })
}

/// RSA-PSS with one hash for all, and a salt as long as that.
fn by_pss(parameters: &Any) -> Option<&'static dyn VerificationAlgorithm> {
    let ways: [(u8, u8, &'static dyn VerificationAlgorithm); 3] = [
        (1, 32, &RSA_PSS_2048_8192_SHA256),
        (2, 48, &RSA_PSS_2048_8192_SHA384),
        (3, 64, &RSA_PSS_2048_8192_SHA512),
    ];
    let is_it = |hash, salt| {
        let mut written = PSS_OF_SHA256;
        for (at, byte) in [(HASH_AT, hash), (MASK_HASH_AT, hash), (SALT_AT, salt)] {
            if let Some(place) = written.get_mut(at) {
                *place = byte;
            }
        }
        parameters.tag() == Tag::Sequence && parameters.value() == written
    };
    let mut ways = ways.into_iter();
    ways.find(|(hash, salt, _)| is_it(*hash, *salt))
        .map(|(_, _, way)| way)
}

/// What stands in the parameters of RSA-PSS with SHA-256 (RFC 4055 §3.1).
const PSS_OF_SHA256: [u8; 52] = [
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0xa2,
    0x03, 0x02, 0x01, 0x20,
];
/// Where they say which hash, which one makes the mask, and how long the salt is.
const HASH_AT: usize = 14;
const MASK_HASH_AT: usize = 44;
const SALT_AT: usize = 51;

const ED25519_SIGNATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
