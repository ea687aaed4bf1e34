//! Keyed tags: how a secret that was verified is recognised again without
//! hashing it slowly twice.

use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Secret, is_same};

/// A random key that lives as long as the process and is never stored; what is
/// kept is HMAC's state after it.
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct TagKey(Hmac<Sha256>);

impl TagKey {
    /// Makes a key from 256 random bits.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        let random = Zeroizing::new(random);
        // HMAC takes a key of any length, so the refusal can't happen; were it
        // to, the key would be the empty one for making and checking alike.
        let keyed = Hmac::<Sha256>::new_from_slice(&*random);
        Self(keyed.unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default())))
    }

    /// `HMAC-SHA256(key, context parts ‖ secret)`, each part with its length in
    /// 32 bits, so that no two lists of parts give the same bytes. No part is
    /// longer than a client id or a login name.
    #[must_use]
    pub fn tag(&self, context: &[&[u8]], secret: &Secret) -> Tag {
        let mut mac = self.0.clone();
        for part in context {
            mac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            mac.update(part);
        }
        mac.update(secret.expose());
        Tag(mac.finalize().into_bytes().into())
    }
}

/// What [`TagKey::tag`] makes; compared in constant time.
#[derive(Clone, Copy, Eq)]
pub struct Tag([u8; 32]);

/// By bytes that nobody can choose who has not the key.
impl core::hash::Hash for Tag {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        is_same(&self.0, &other.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_depends_on_the_key_each_part_and_the_secret() {
        let key = TagKey::new([1; 32]);
        let secret = || Secret::new(b"s".to_vec());
        let tag = key.tag(&[b"a", b"bc"], &secret());
        assert_eq!(tag, key.tag(&[b"a", b"bc"], &secret()));
        assert_ne!(tag, key.tag(&[b"ab", b"c"], &secret()));
        assert_ne!(tag, key.tag(&[b"a", b"bc"], &Secret::new(b"t".to_vec())));
        assert_ne!(tag, TagKey::new([2; 32]).tag(&[b"a", b"bc"], &secret()));
        assert_eq!(format!("{tag:?}"), "Tag(…)");
    }
}
