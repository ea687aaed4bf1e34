//! The public keys that tokens are verified with.

use countersign_certificate::{PublicKey as AnyKey, PublicKeyError, RsaKey, UNCOMPRESSED};
use countersign_core::issuer::Algorithm;
use countersign_core::jwt::VerifyingKey;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

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
        /// The exponent, odd and from 65,537 on, of at most 32 bits.
        exponent: Vec<u8>,
    },
}

impl PublicKey {
    /// An RSA key of these numbers, big-endian.
    ///
    /// # Errors
    ///
    /// As [`RsaKey::new`].
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        RsaKey::new(modulus, exponent).map(Self::of_rsa)
    }

    /// An Ed25519 key of these bytes.
    ///
    /// # Errors
    ///
    /// As [`AnyKey::ed25519`].
    pub fn ed25519(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        Self::of_any(AnyKey::ed25519(bytes)?)
    }

    /// A key of P-256 of these coordinates.
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for coordinates of another length. A point that is not
    /// on the curve has signed nothing.
    pub fn p256(x: &[u8], y: &[u8]) -> Result<Self, PublicKeyError> {
        let point = [x, y].concat().try_into();
        let point = point.map_err(|_| PublicKeyError::Point)?;
        if x.len() == 32 {
            Ok(Self::P256(point))
        } else {
            Err(PublicKeyError::Point)
        }
    }

    /// The key of a `SubjectPublicKeyInfo` (RFC 5280 §4.1), as bytes (DER).
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for what is none, and for a key of another kind.
    pub fn of_spki(der: &[u8]) -> Result<Self, PublicKeyError> {
        Self::of_any(AnyKey::of_der(der)?)
    }

    fn of_any(key: AnyKey<'_>) -> Result<Self, PublicKeyError> {
        match key {
            AnyKey::Ed25519(key) => Ok(Self::Ed25519(key)),
            AnyKey::P256(point) => Ok(Self::P256(*point)),
            AnyKey::P384(_) => Err(PublicKeyError::Kind),
            AnyKey::Rsa(key) => Ok(Self::of_rsa(key)),
        }
    }

    fn of_rsa(key: RsaKey<'_>) -> Self {
        Self::Rsa {
            modulus: key.modulus.to_vec(),
            exponent: key.exponent.to_vec(),
        }
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
