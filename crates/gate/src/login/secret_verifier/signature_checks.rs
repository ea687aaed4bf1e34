//! Signatures of certificates and tokens: looked at once, and as far as the budget goes.
//!
//! That a key signed a certificate stays so, whatever changes in the store. So what was
//! found out is never found out again while it is remembered. An issuer's keys may change;
//! what was found out of a token holds for the keys that it had then.

use std::collections::HashMap;

use countersign_core::certificate::{AuthorityKey, Fingerprint, Leaf};
use countersign_core::connect::SignatureVerdict;
use countersign_core::issuer::{IssuerRecord, PresentedToken};

/// Remembers, in memory alone, whose key signed which certificate or token.
#[derive(Debug, Default)]
pub(crate) struct SignatureChecks {
    /// By the hash of what was signed, what is known of the key.
    signed_with: HashMap<[u8; 32], [u8; 32]>,
    /// Whether there is time for signatures that are not remembered.
    has_time: bool,
    /// How many were looked at since somebody last said whether there is time.
    looked_at: u32,
}

impl SignatureChecks {
    /// Says whether there is time to look at signatures for the login that is decided
    /// next.
    pub(crate) fn begin(&mut self, has_time: bool) {
        self.has_time = has_time;
        self.looked_at = 0;
    }

    /// Says whether any signature was looked at since.
    pub(crate) fn were_made(&self) -> bool {
        self.looked_at > 0
    }

    /// Says whether the holder of `key` signed a certificate.
    pub(crate) fn look(
        &mut self,
        fingerprint: &Fingerprint,
        leaf: &dyn Leaf,
        key: &AuthorityKey,
    ) -> SignatureVerdict {
        let digest = key.digest();
        if let Some(known) = self.signed_with.get(&fingerprint.0) {
            // One signature is one key's.
            return SignatureVerdict::of(*known == digest);
        }
        self.look_now(fingerprint.0, digest, || leaf.is_signed_with(key))
    }

    /// Says whether an issuer signed a token.
    pub(crate) fn look_at_token(
        &mut self,
        token: &dyn PresentedToken,
        issuer: &IssuerRecord,
    ) -> SignatureVerdict {
        let digest = token.digest();
        let keys = issuer.keys_digest();
        if self.signed_with.get(&digest) == Some(&keys) {
            return SignatureVerdict::Valid;
        }
        self.look_now(digest, keys, || token.is_signed_by(issuer))
    }

    fn look_now(
        &mut self,
        signed: [u8; 32],
        key: [u8; 32],
        is_valid: impl FnOnce() -> bool,
    ) -> SignatureVerdict {
        if !self.has_time {
            return SignatureVerdict::OverBudget;
        }
        self.looked_at = self.looked_at.saturating_add(1);
        let is_valid = is_valid();
        if is_valid {
            if self.signed_with.len() >= MOST_SIGNED {
                // Any one: whoever presents it costs one look more.
                if let Some(other) = self.signed_with.keys().next().copied() {
                    self.signed_with.remove(&other);
                }
            }
            self.signed_with.insert(signed, key);
        }
        SignatureVerdict::of(is_valid)
    }
}

/// Some 100 bytes each.
const MOST_SIGNED: usize = 10_240;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use countersign_core::certificate::{IdentityKind, KeyAlgorithm, SignerHints};

    use super::*;

    /// A certificate that the key with these bytes signed.
    #[derive(Debug)]
    struct Fake(u8, AtomicUsize);

    impl Leaf for Fake {
        fn signer(&self) -> SignerHints {
            SignerHints {
                key_id: None,
                name: [0; 32],
            }
        }

        fn is_signed_with(&self, key: &AuthorityKey) -> bool {
            self.1.fetch_add(1, Ordering::SeqCst);
            *key.bytes == [self.0]
        }

        fn identity(&self, _kind: IdentityKind) -> Option<String> {
            None
        }
    }

    fn key(byte: u8) -> AuthorityKey {
        AuthorityKey {
            algorithm: KeyAlgorithm::Ed25519,
            bytes: [byte].into(),
        }
    }

    #[test]
    fn a_signature_is_looked_at_once_and_only_while_there_is_time() {
        let mut checks = SignatureChecks::default();
        let leaf = Fake(1, AtomicUsize::new(0));
        let print = Fingerprint([1; 32]);
        let of = |checks: &mut SignatureChecks, byte| checks.look(&print, &leaf, &key(byte));
        checks.begin(false);
        assert_eq!(of(&mut checks, 1), SignatureVerdict::OverBudget);
        assert!(!checks.were_made());
        checks.begin(true);
        assert_eq!(of(&mut checks, 2), SignatureVerdict::Invalid);
        assert_eq!(of(&mut checks, 1), SignatureVerdict::Valid);
        assert!(checks.were_made());
        // It is known by now, and so is that it is nobody else's.
        checks.begin(false);
        assert_eq!(of(&mut checks, 1), SignatureVerdict::Valid);
        assert_eq!(of(&mut checks, 2), SignatureVerdict::Invalid);
        assert!(!checks.were_made());
        assert_eq!(leaf.1.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut checks = SignatureChecks::default();
        checks.begin(true);
        let leaf = Fake(1, AtomicUsize::new(0));
        for number in 0..MOST_SIGNED + 5 {
            let mut print = [0; 32];
            print[..8].copy_from_slice(&number.to_le_bytes());
            let verdict = checks.look(&Fingerprint(print), &leaf, &key(1));
            assert_eq!(verdict, SignatureVerdict::Valid);
            assert!(checks.signed_with.len() <= MOST_SIGNED);
        }
    }
}
