//! Sealing: what must be readable again is stored under XChaCha20-Poly1305
//! (RFC 8439, with the nonce of 24 bytes of draft-irtf-cfrg-xchacha).
//!
//! What is sealed is bound to a purpose and a subject: bytes that are copied
//! to another row or column do not open there.

use core::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The key of a store, from the file beside it.
///
/// Wiped on drop, and neither shown, copied nor compared by `==`.
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// Makes a key from 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// Parses what stands in a key file: 64 lower-case hexadecimal digits and
    /// a line feed.
    ///
    /// # Errors
    ///
    /// Returns [`SealKeyError`] for anything else.
    pub fn parse(content: &[u8]) -> Result<Self, SealKeyError> {
        let digits = content.strip_suffix(b"\n").ok_or(SealKeyError)?;
        if digits.len() != 64 {
            return Err(SealKeyError);
        }
        let mut key = Zeroizing::new([0; 32]);
        let (pairs, _) = digits.as_chunks::<2>();
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(key))
    }

    /// What tells this key from others and helps nobody to guess it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/seal-key/v1");
        hasher.update(*self.0);
        let digest: [u8; 32] = hasher.finalize().into();
        digest
            .iter()
            .take(FINGERPRINT_BYTES)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// 256 bits that follow from this key for a purpose, and help nobody to guess it or
    /// those of another purpose.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/derived/v1");
        hasher.update(associated_data(purpose, b""));
        hasher.update(*self.0);
        Zeroizing::new(hasher.finalize().into())
    }

    /// Seals `plaintext` for a purpose and a subject.
    ///
    /// `nonce` is 192 random bits that were used for nothing else.
    ///
    /// # Errors
    ///
    /// Returns [`SealError::TooLong`] for more than the cipher takes at once,
    /// which is 256 GiB.
    pub fn seal(
        &self,
        purpose: &str,
        subject: &[u8],
        nonce: [u8; 24],
        plaintext: &[u8],
    ) -> Result<Sealed, SealError> {
        let payload = Payload {
            msg: plaintext,
            aad: &associated_data(purpose, subject),
        };
        let ciphertext = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| SealError::TooLong)?;
        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(&ciphertext);
        Ok(Sealed(sealed))
    }

    /// Opens what [`SealKey::seal`] made for the same purpose and subject.
    ///
    /// # Errors
    ///
    /// Returns [`SealError::Unreadable`] when the key, the purpose, the subject
    /// or any bit of `sealed` is another one.
    pub fn open(
        &self,
        purpose: &str,
        subject: &[u8],
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, ciphertext) = sealed
            .0
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Unreadable)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &associated_data(purpose, subject),
        };
        self.cipher()
            .decrypt(XNonce::from_slice(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError::Unreadable)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(&*self.0))
    }
}

/// Sealed bytes: `nonce (24) ‖ ciphertext ‖ tag (16)`.
#[derive(Clone, Eq, PartialEq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Sealed bytes read back from a store; whether they open is not looked at.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// It is more than can be sealed at once.
    #[error("too long to be sealed")]
    TooLong,
    /// It is damaged, or was sealed under another key or for something else.
    #[error("sealed under another key, or damaged")]
    Unreadable,
}

/// A file is not a valid key file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no key file; it holds 64 lower-case hexadecimal digits and a line feed")]
pub struct SealKeyError;

/// The purpose and the subject, each with its length, so that no two pairs give
/// the same bytes.
fn associated_data(purpose: &str, subject: &[u8]) -> Vec<u8> {
    let mut data = b"countersign/seal/v1".to_vec();
    for part in [purpose.as_bytes(), subject] {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        data.extend_from_slice(&length.to_le_bytes());
        data.extend_from_slice(part);
    }
    data
}

fn nibble(digit: u8) -> Result<u8, SealKeyError> {
    match digit {
        b'0'..=b'9' => Ok(digit.saturating_sub(b'0')),
        b'a'..=b'f' => Ok(digit.saturating_sub(b'a').saturating_add(10)),
        _ => Err(SealKeyError),
    }
}

const NONCE_BYTES: usize = 24;

/// Of a hash of 256 random bits.
const FINGERPRINT_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 24] = [9; 24];

    fn key() -> SealKey {
        SealKey::new([1; 32])
    }

    fn sealed() -> Sealed {
        key().seal("totp", b"jane", NONCE, b"secret").unwrap()
    }

    #[test]
    fn what_was_sealed_opens() {
        for plaintext in [&b""[..], b"secret", &[0xa5; 5_000]] {
            let sealed = key().seal("totp", b"jane", NONCE, plaintext).unwrap();
            assert_eq!(sealed.as_bytes().len(), 24 + plaintext.len() + 16);
            assert!(sealed.as_bytes().starts_with(&NONCE));
            let read = Sealed::from_bytes(sealed.as_bytes().to_vec());
            assert_eq!(*key().open("totp", b"jane", &read).unwrap(), plaintext);
        }
    }

    /// Computed by an implementation of the specification that is not ours and
    /// gives the vector of its appendix A.3.1: what stores hold stays readable.
    #[test]
    fn sealed_bytes_are_these() {
        let sealed = sealed();
        let (nonce, rest) = sealed.as_bytes().split_at(24);
        assert_eq!(nonce, NONCE);
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(rest, "8088dce43bb2e92500b3cec497b0e06ca79e5db130ca");
    }

    #[test]
    fn a_fingerprint_tells_keys_apart_and_shows_none() {
        let fingerprint = key().fingerprint();
        assert_eq!(fingerprint, "914147d240f1555f91491484c185a9f9");
        assert_ne!(fingerprint, SealKey::new([2; 32]).fingerprint());
    }

    #[test]
    fn nothing_opens_under_another_key_purpose_or_subject() {
        let refused = Err(SealError::Unreadable);
        let opened = |key: &SealKey, purpose: &str, subject: &[u8]| {
            key.open(purpose, subject, &sealed()).map(|_| ())
        };
        assert_eq!(opened(&key(), "totp", b"jane"), Ok(()));
        assert_eq!(opened(&SealKey::new([2; 32]), "totp", b"jane"), refused);
        assert_eq!(opened(&key(), "jwt", b"jane"), refused);
        assert_eq!(opened(&key(), "totp", b"joan"), refused);
        assert_eq!(opened(&key(), "totp", b""), refused);
        // The same bytes, cut elsewhere.
        assert_eq!(opened(&key(), "totpj", b"ane"), refused);
        assert_eq!(opened(&key(), "tot", b"pjane"), refused);
    }

    #[test]
    fn no_bit_may_be_another_and_no_byte_missing_or_added() {
        let whole = sealed().as_bytes().to_vec();
        let opens = |bytes: Vec<u8>| {
            let sealed = Sealed::from_bytes(bytes);
            key().open("totp", b"jane", &sealed).is_ok()
        };
        assert!(opens(whole.clone()));
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(changed), "{bit}");
        }
        for length in 0..whole.len() {
            assert!(!opens(whole[..length].to_vec()), "{length}");
        }
        assert!(!opens([&whole[..], b"\0"].concat()));
    }

    #[test]
    fn nothing_sealed_is_shown() {
        assert_eq!(format!("{:?}", sealed()), "Sealed(…)");
    }

    #[test]
    fn a_key_file_is_64_digits_and_a_line_feed() {
        let digits = "00112233445566778899aabbccddeeff".repeat(2);
        let key = SealKey::parse(format!("{digits}\n").as_bytes()).unwrap();
        let half: [u8; 16] = core::array::from_fn(|index| u8::try_from(index * 17).unwrap());
        assert_eq!(key.0[..16], half);
        assert_eq!(key.0[16..], half);
        let (_, shorter) = digits.split_at(1);
        for bad in [
            String::new(),
            "\n".into(),
            digits.clone(),
            format!("{digits}\r\n"),
            format!("{digits}\n\n"),
            format!(" {digits}\n"),
            format!("{}\n", digits.to_uppercase()),
            format!("{shorter}\n"),
            format!("{digits}0\n"),
            format!("{digits}00\n"),
            format!("g{shorter}\n"),
            format!("é{}\n", digits.split_at(2).1),
        ] {
            assert!(SealKey::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
