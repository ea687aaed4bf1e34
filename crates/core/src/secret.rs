//! Secrets: what a client presents, and what is kept to recognise it.
//!
//! Generated secrets carry 128 random bits, so one SHA-256 is enough to keep
//! them safe and a check costs nanoseconds. Chosen passwords are kept as
//! Argon2id (RFC 9106) PHC strings. After a password was verified once, a
//! [`TagKey`] recognises it again without hashing it twice.

use core::{fmt, iter};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::jwt::looks_like_token;
use crate::time::Timestamp;

pub use self::argon2_params::{Argon2Params, Argon2ParamsError};
pub use self::foreign::SaltReading;
pub use self::password::{HashMemory, PasswordHash, PasswordHashError};
pub use self::tag::{Tag, TagKey};

mod argon2_params;
mod foreign;
mod password;
mod tag;

/// The bytes that a client presents to prove who it is.
///
/// Wiped on drop, and neither shown, copied nor compared by `==`.
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes` as a secret.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A copy of what a client presents, as far as it can be right: no longer
    /// than one byte more than any secret is. What is longer is wrong however it
    /// goes on, costs what all that is wrong costs, and takes no more room.
    #[must_use]
    pub fn presented(bytes: &[u8]) -> Self {
        let is_whole = bytes.len() <= LONGEST_PRESENTED || looks_like_token(bytes);
        let kept = if is_whole {
            bytes
        } else {
            bytes.get(..=LONGEST_PRESENTED).unwrap_or(bytes)
        };
        Self::new(kept.to_vec())
    }

    /// Says whether this is longer than what is kept of a password.
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > LONGEST_PRESENTED
    }

    /// Makes a secret of recognisable shape, `cs_` and 32 hexadecimal digits,
    /// from 128 random bits.
    #[must_use]
    pub fn generate(random: [u8; 16]) -> Self {
        let mut text = Vec::with_capacity(35);
        text.extend_from_slice(b"cs_");
        for byte in random {
            for nibble in [byte >> 4, byte & 0x0f] {
                text.push(match nibble {
                    0..=9 => b'0'.saturating_add(nibble),
                    _ => b'a'.saturating_add(nibble.saturating_sub(10)),
                });
            }
        }
        Self::new(text)
    }

    /// The bytes, for hashing and for the one time they are shown.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The longest password that anybody may choose.
pub const LONGEST_PASSWORD: usize = 1_024;
/// The longest that a client presents, tokens apart: a password with the six
/// digits of a second factor.
const LONGEST_PRESENTED: usize = LONGEST_PASSWORD + 6;

/// `SHA-256("countersign/secret/v1" ‖ secret)`, what is kept of a generated
/// secret.
#[derive(Clone, Eq)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of `secret`.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/secret/v1");
        hasher.update(secret.expose());
        Self(hasher.finalize().into())
    }

    /// A digest read back from a store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Compares in constant time.
impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        is_same(&self.0, &other.0)
    }
}

/// Compares two hashes in constant time, a word at a time.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let words = iter::zip(one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let differing = words.fold(0, |bits, (one, other)| {
        bits | (u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other))
    });
    differing.ct_eq(&0).into()
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// What is kept to recognise a secret.
#[derive(Clone, Debug)]
pub enum Verifier {
    /// Of a generated secret: quick to check.
    Digest(SecretDigest),
    /// Of a chosen password: slow to check, on purpose.
    Password(PasswordHash),
}

/// Names one of a credential's secrets; never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SecretId(pub i64);

/// One of the at most two secrets of a credential.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// Its number in the store.
    pub id: SecretId,
    /// What recognises it.
    pub verifier: Verifier,
    /// When it stops to work, if it was rotated with an overlap.
    pub ends_at: Option<Timestamp>,
    /// Whether it also stops to work once a newer one was used.
    pub until_used: bool,
    /// What it begins with, where it serves as a name and people have to tell
    /// it from others.
    pub hint: Option<Box<str>>,
}

impl StoredSecret {
    /// Says whether it is the generated secret with this digest; in constant
    /// time.
    #[must_use]
    pub fn is_digest(&self, digest: &SecretDigest) -> bool {
        match &self.verifier {
            Verifier::Digest(known) => known == digest,
            Verifier::Password(_) => false,
        }
    }

    /// Says whether the secret still works at `now`.
    ///
    /// The overlap ends at its instant and not after it.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|ends_at| now < ends_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_has_its_shape_and_all_its_bits() {
        let random: [u8; 16] = core::array::from_fn(|index| u8::try_from(index * 17).unwrap());
        let secret = Secret::generate(random);
        assert_eq!(secret.expose(), b"cs_00112233445566778899aabbccddeeff");
    }

    #[test]
    fn a_secret_that_is_longer_than_any_takes_no_more_room_than_one_that_is_just_too_long() {
        let kept = |bytes: &[u8]| Secret::presented(bytes).expose().len();
        for length in [0, 1, LONGEST_PASSWORD, LONGEST_PRESENTED] {
            assert_eq!(kept(&vec![b'x'; length]), length);
        }
        assert_eq!(kept(&vec![b'x'; 65_535]), LONGEST_PRESENTED + 1);
        // With and without the digits of a code it is longer than a password.
        assert_eq!(kept(&vec![b'1'; 65_535]) - 6, LONGEST_PASSWORD + 1);
        let token = [b"eyJ..".as_slice(), &vec![b'A'; 4_000]].concat();
        assert_eq!(kept(&token), token.len());
    }

    #[test]
    fn a_digest_is_bound_to_its_purpose() {
        let secret = Secret::new(b"abc".to_vec());
        let plain: [u8; 32] = Sha256::digest(b"abc").into();
        let named: [u8; 32] = Sha256::digest(b"countersign/secret/v1abc").into();
        assert_ne!(SecretDigest::of(&secret).as_bytes(), &plain);
        assert_eq!(SecretDigest::of(&secret).as_bytes(), &named);
        assert_eq!(
            format!("{:?}", SecretDigest::of(&secret)),
            "SecretDigest(…)"
        );
    }

    #[test]
    fn the_overlap_ends_at_its_instant_and_not_after() {
        let ends_at = Timestamp::from_millis(1_000);
        let secret = StoredSecret {
            id: SecretId(1),
            verifier: Verifier::Digest(SecretDigest::from_bytes([0; 32])),
            ends_at: Some(ends_at),
            until_used: false,
            hint: None,
        };
        assert!(secret.is_usable(Timestamp::from_millis(999)));
        assert!(!secret.is_usable(ends_at));
    }
}
