//! The keys that sign tokens, and the ids that tokens name them by.

use core::fmt;

use crate::given::Given;

use ed25519_dalek::{Signature, Signer as _};
use zeroize::Zeroizing;

/// The id of a key, the `kid` of RFC 7515 §4.1.4: 1 to 64 of `a-z 0-9 -`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// Makes an id of recognisable shape, `k-` and 16 hexadecimal digits, from
    /// 64 random bits.
    #[must_use]
    pub fn generate(random: [u8; 8]) -> Self {
        Self(format!("k-{:016x}", u64::from_be_bytes(random)).into())
    }

    /// Parses the id of a key.
    ///
    /// # Errors
    ///
    /// Returns [`KeyIdError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, KeyIdError> {
        let good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=LONGEST_KEY_ID).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            Err(KeyIdError(text.into()))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a valid id of a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a valid key id; use 1 to 64 of `a-z`, `0-9` and `-`")]
pub struct KeyIdError(Given);

/// A private key of Ed25519 (RFC 8032 §5.1.5).
///
/// Wiped on drop, and neither shown, copied nor compared by `==`.
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes a key from 256 random bits, or from what [`SigningKey::seed`] gave.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The seed, for sealing.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// A public key of Ed25519 (RFC 8032 §5.1.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// A key read back from a store.
    ///
    /// `None` unless the bytes are the one encoding of a point on the curve
    /// that has no small order: under such a key anybody could sign.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).ok()?;
        let is_canonical = key.to_edwards().compress().as_bytes() == bytes;
        (is_canonical && !key.is_weak()).then_some(Self(key))
    }

    /// The 32 bytes, for a store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Says whether this key has signed a message (RFC 8032 §5.1.7, with the strict
    /// reading that gives each message one signature).
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

const LONGEST_KEY_ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        assert!(rest.is_empty(), "{hex}");
        let read = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = pairs.iter().map(|pair| read(pair)).collect();
        bytes.try_into().unwrap()
    }

    #[test]
    fn a_key_id_has_its_shape() {
        assert_eq!(
            KeyId::generate([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]).as_str(),
            "k-00010203fcfdfeff"
        );
        assert!(KeyId::parse(KeyId::generate([0xff; 8]).as_str()).is_ok());
        for good in ["a", "0", "-", "k-1", &"k".repeat(64)] {
            assert_eq!(KeyId::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "K",
            "a_b",
            "a.b",
            "../k",
            "k\0",
            "k ",
            "k'--;",
            "ü",
            &"k".repeat(65),
        ] {
            assert!(KeyId::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// RFC 8032 §7.1, tests 1 and 2.
    #[test]
    fn the_vectors_of_ed25519_hold() {
        for (seed, public, message, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                &[][..],
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                &[0x72],
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
        ] {
            let key = SigningKey::from_seed(bytes(seed));
            assert_eq!(key.seed(), &bytes::<32>(seed));
            assert_eq!(key.verifying_key().as_bytes(), &bytes::<32>(public));
            assert_eq!(key.sign(message), bytes::<64>(signature));
            let public = VerifyingKey::from_bytes(&bytes(public)).unwrap();
            assert_eq!(public, key.verifying_key());
            assert!(public.has_signed(message, &bytes(signature)));
            assert!(!public.has_signed(b"other", &bytes(signature)));
        }
    }

    #[test]
    fn a_key_of_small_order_or_of_a_second_spelling_is_none() {
        for key in [
            // All points of small order.
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            // And their second spellings.
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            // y = 3 + p, of a large order, but spelled without reduction.
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // On no point of the curve.
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert_eq!(VerifyingKey::from_bytes(&bytes(key)), None, "{key}");
        }
        let three = "0300000000000000000000000000000000000000000000000000000000000000";
        assert!(VerifyingKey::from_bytes(&bytes(three)).is_some());
    }
}
