//! The public keys that tokens are verified with.

use countersign_core::issuer::Algorithm;
use countersign_core::jwt::VerifyingKey;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use x509_cert::der::asn1::{AnyRef, BitStringRef, UintRef};
use x509_cert::der::{Decode as _, Reader as _, SliceReader};
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfo};

/// A public key of a kind that one of the [`Algorithm`]s uses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PublicKey {
    /// Ed25519 (RFC 8032).
    Ed25519(VerifyingKey),
    /// A point of P-256: both coordinates, 32 bytes each.
    P256([u8; 64]),
    /// RSA: modulus and exponent, big-endian without leading zeros.
    Rsa {
        /// The modulus, of 2,048 to 4,096 bits.
        modulus: Vec<u8>,
        /// The exponent, odd and from 3 on, of at most 32 bits.
        exponent: Vec<u8>,
    },
}

impl PublicKey {
    /// An RSA key of these numbers, big-endian.
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for another modulus or exponent than a
    /// [`PublicKey::Rsa`] has.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        let [modulus, exponent] = [modulus, exponent].map(without_zeros);
        let leading = modulus.first().map_or(0, |byte| byte.leading_zeros());
        let bits = modulus
            .len()
            .saturating_mul(8)
            .saturating_sub(leading as usize);
        if !(2_048..=4_096).contains(&bits) {
            return Err(PublicKeyError::Modulus { bits });
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        let is_one = exponent == [1];
        if !is_odd(exponent) || is_one || exponent.len() > 4 || !is_odd(modulus) {
            return Err(PublicKeyError::Number);
        }
        Ok(Self::Rsa {
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
        })
    }

    /// An Ed25519 key of these bytes.
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for what is no point, or one that anybody could sign
    /// under.
    pub fn ed25519(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let bytes = bytes.try_into().map_err(|_| PublicKeyError::Point)?;
        VerifyingKey::from_bytes(bytes)
            .map(Self::Ed25519)
            .ok_or(PublicKeyError::Point)
    }

    /// A key of P-256 of these coordinates.
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for coordinates of another length. A point that is not
    /// on the curve has signed nothing.
    pub fn p256(x: &[u8], y: &[u8]) -> Result<Self, PublicKeyError> {
        if x.len() != 32 || y.len() != 32 {
            return Err(PublicKeyError::Point);
        }
        let mut point = [0; 64];
        for (to, from) in point.iter_mut().zip(x.iter().chain(y)) {
            *to = *from;
        }
        Ok(Self::P256(point))
    }

    /// The key of a `SubjectPublicKeyInfo` (RFC 5280 §4.1), as bytes (DER).
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for what is none, and for a key of another kind.
    pub fn of_spki(der: &[u8]) -> Result<Self, PublicKeyError> {
        let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(der)
            .map_err(|_| PublicKeyError::Encoding)?;
        let bytes = info
            .subject_public_key
            .as_bytes()
            .ok_or(PublicKeyError::Encoding)?;
        if info.algorithm.oid == RSA {
            let (modulus, exponent) = rsa_numbers(bytes).ok_or(PublicKeyError::Encoding)?;
            return Self::rsa(modulus, exponent);
        }
        if info.algorithm.oid == ED25519 {
            return Self::ed25519(bytes);
        }
        let is_p256 = info.algorithm.oid == EC
            && info
                .algorithm
                .parameters
                .and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok())
                .is_some_and(|curve| curve == P256);
        if !is_p256 {
            return Err(PublicKeyError::Kind);
        }
        let point = bytes.strip_prefix(&[UNCOMPRESSED]);
        let (x, y) = point
            .and_then(|point| point.split_at_checked(32))
            .ok_or(PublicKeyError::Point)?;
        Self::p256(x, y)
    }

    /// Says whether an algorithm uses keys of this kind.
    #[must_use]
    pub const fn is_for(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa),
            Self::P256(_) => matches!(algorithm, Algorithm::Es256),
            Self::Rsa { .. } => matches!(algorithm, Algorithm::Ps256 | Algorithm::Rs256),
        }
    }

    /// Says whether this key has signed a message by an algorithm. Of a key of another
    /// kind than the algorithm uses, nothing is signed.
    #[must_use]
    pub fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Ed25519(key), Algorithm::EdDsa) => signature
                .try_into()
                .is_ok_and(|signature| key.has_signed(message, signature)),
            (Self::P256(point), Algorithm::Es256) => {
                let point = [&[UNCOMPRESSED], point.as_slice()].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok()
            }
            (Self::Rsa { modulus, exponent }, Algorithm::Ps256 | Algorithm::Rs256) => {
                let parameters = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256 => {
                        &RSA_PKCS1_2048_8192_SHA256
                    }
                };
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(parameters, message, signature).is_ok()
            }
            (Self::Ed25519(_) | Self::P256(_) | Self::Rsa { .. }, _) => false,
        }
    }
}

/// What is given is no public key that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// It is no public key in DER.
    #[error("it is no public key in DER")]
    Encoding,
    /// It is of a kind that is not used.
    #[error("it is of another kind than RSA, P-256 and Ed25519")]
    Kind,
    /// An RSA key is too short or too long.
    #[error("an RSA key of {bits} bits is not taken; one has 2048 to 4096")]
    Modulus {
        /// How long it is.
        bits: usize,
    },
    /// The numbers of an RSA key are not those of one.
    #[error("the numbers in it are not those of an RSA key")]
    Number,
    /// It is no point of its curve that a key may be.
    #[error("the point in it is no key of its curve")]
    Point,
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 §A.1.1).
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(der).ok()?;
    let numbers = reader
        .sequence(|inside| {
            let modulus = UintRef::decode(inside)?;
            let exponent = UintRef::decode(inside)?;
            Ok::<_, x509_cert::der::Error>((modulus.as_bytes(), exponent.as_bytes()))
        })
        .ok()?;
    reader.is_finished().then_some(numbers)
}

fn without_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

/// What an uncompressed point begins with (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

/// RFC 3279 §2.3.1, RFC 5480 §2.1.1 and RFC 8410 §3.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
