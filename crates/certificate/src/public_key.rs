//! Public keys, as certificates and files of keys write them (RFC 5280 §4.1.2.7).

use countersign_core::jwt::VerifyingKey;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

/// A public key of a kind that counts.
#[derive(Clone, Debug)]
pub enum PublicKey<'a> {
    /// Ed25519 (RFC 8032): none that anybody could sign under.
    Ed25519(VerifyingKey),
    /// A point of P-256: both coordinates, 32 bytes each.
    P256(&'a [u8; 64]),
    /// A point of P-384: both coordinates, 48 bytes each.
    P384(&'a [u8; 96]),
    /// RSA.
    Rsa(RsaKey<'a>),
}

/// An RSA key: big-endian numbers without leading zeros.
#[derive(Clone, Copy, Debug)]
pub struct RsaKey<'a> {
    /// The modulus, of 2,048 to 4,096 bits.
    pub modulus: &'a [u8],
    /// The exponent, odd and from 65,537 on, of at most 32 bits.
    pub exponent: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Reads a `SubjectPublicKeyInfo` as bytes (DER).
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for what is none, and for a key that does not count.
    pub fn of_der(der: &'a [u8]) -> Result<Self, PublicKeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| PublicKeyError::Encoding)?;
        Self::of_info(&info)
    }

    pub(crate) fn of_info(info: &SubjectPublicKeyInfoRef<'a>) -> Result<Self, PublicKeyError> {
        let bytes = info
            .subject_public_key
            .as_bytes()
            .ok_or(PublicKeyError::Encoding)?;
        let parameters = info.algorithm.parameters;
        match info.algorithm.oid {
            ED25519 if parameters.is_none() => Self::ed25519(bytes),
            EC => match parameters.and_then(|curve| curve.decode_as().ok()) {
                Some(P256) => point(bytes).map(Self::P256),
                Some(P384) => point(bytes).map(Self::P384),
                Some(_) | None => Err(PublicKeyError::Kind),
            },
            RSA if parameters.is_none_or(|it| it.tag() == Tag::Null) => {
                let (modulus, exponent) = rsa_numbers(bytes).ok_or(PublicKeyError::Encoding)?;
                RsaKey::new(modulus, exponent).map(Self::Rsa)
            }
            _ => Err(PublicKeyError::Kind),
        }
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
}

impl<'a> RsaKey<'a> {
    /// A key of these numbers, big-endian.
    ///
    /// # Errors
    ///
    /// Returns [`PublicKeyError`] for others than an [`RsaKey`] has.
    pub fn new(modulus: &'a [u8], exponent: &'a [u8]) -> Result<Self, PublicKeyError> {
        let [modulus, exponent] = [modulus, exponent].map(without_zeros);
        let bits = bits_of(modulus);
        if !(2_048..=4_096).contains(&bits) {
            return Err(PublicKeyError::Modulus { bits });
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        if !is_odd(modulus) || !is_odd(exponent) || !(17..=32).contains(&bits_of(exponent)) {
            return Err(PublicKeyError::Number);
        }
        Ok(Self { modulus, exponent })
    }
}

/// Something is no public key that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// It is no public key in DER.
    #[error("it is no public key in DER")]
    Encoding,
    /// It is of a kind that is not used; of P-384 only authorities are.
    #[error("it is of another kind than RSA, P-256 and Ed25519")]
    Kind,
    /// An RSA key is too short or too long.
    #[error("an RSA key of {bits} bits is not taken; one has 2048 to 4096")]
    Modulus {
        /// How long it is.
        bits: usize,
    },
    /// The numbers of an RSA key are not those of one.
    #[error("the numbers in it are not those of an RSA key; its exponent is 65537 in most")]
    Number,
    /// It is no point of its curve that a key may be.
    #[error("the point in it is no key of its curve")]
    Point,
}

/// Both coordinates of an uncompressed point (SEC 1 §2.3.3). One that is not on the curve
/// has signed nothing.
fn point<const LENGTH: usize>(bytes: &[u8]) -> Result<&[u8; LENGTH], PublicKeyError> {
    let numbers = bytes.strip_prefix(&[UNCOMPRESSED]);
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or(PublicKeyError::Point)
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

/// How many bits a number without leading zeros has.
fn bits_of(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    let bits = number.len().saturating_mul(8);
    bits.saturating_sub(usize::try_from(unused).unwrap_or(0))
}

/// What an uncompressed point begins with.
pub const UNCOMPRESSED: u8 = 4;

/// RFC 3279 §2.3.1, RFC 5480 §2.1.1 and RFC 8410 §3.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rsa_key_has_so_many_bits_and_an_exponent_that_many_use() {
        let modulus = |bits: usize| {
            let mut number = vec![0xff; bits.div_ceil(8)];
            number[0] >>= (8 - bits % 8) % 8;
            number
        };
        for (bits, is_good) in [(2_047, false), (2_048, true), (4_096, true), (4_097, false)] {
            let modulus = modulus(bits);
            let zeros = [&[0, 0], &modulus[..]].concat();
            for number in [&modulus, &zeros] {
                let read = RsaKey::new(number, &[1, 0, 1]);
                assert_eq!(read.is_ok(), is_good, "{bits}");
                if let Ok(read) = read {
                    assert_eq!(read.modulus, modulus);
                } else {
                    assert_eq!(read.unwrap_err(), PublicKeyError::Modulus { bits });
                }
            }
        }
        for (exponent, is_good) in [
            (&[][..], false),
            (&[0], false),
            (&[1], false),
            (&[3], false),
            (&[0xff, 0xff], false),
            (&[1, 0, 0], false),
            (&[0, 1, 0, 1], true),
            (&[0xff, 0xff, 0xff, 0xff], true),
            (&[1, 0, 0, 0, 1], false),
        ] {
            let modulus = modulus(2_048);
            let read = RsaKey::new(&modulus, exponent);
            assert_eq!(read.is_ok(), is_good, "{exponent:?}");
        }
        let mut even = modulus(2_048);
        even[255] = 2;
        assert_eq!(
            RsaKey::new(&even, &[1, 0, 1]).unwrap_err(),
            PublicKeyError::Number
        );
    }
}
