//! What a store remembers of an object that an import made, so that the same
//! source changes nothing and a changed one changes only what it changed.

use core::fmt;
use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::secret::SecretId;

/// What a source said of an object when it was imported last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportMark {
    /// The kind of source, such as `mosquitto`.
    pub source: Box<str>,
    /// A digest of each part of the object: a rule, a role that it holds, its
    /// password hash.
    pub parts: BTreeSet<PartDigest>,
    /// The secret that the import stored; none where it stored none. While it is
    /// the credential's only one, the secret was not changed here.
    pub secret: Option<SecretId>,
}

/// The digest of one part of an imported object: 16 bytes of SHA-256 over the kind
/// of part and its text.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PartDigest([u8; PartDigest::LENGTH]);

impl PartDigest {
    /// Its length in bytes.
    pub const LENGTH: usize = 16;

    /// The digest of a part of this kind. The text must not be a secret that can
    /// be guessed.
    #[must_use]
    pub fn of(kind: &str, text: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update("countersign/import/v1\0");
        hasher.update(kind);
        hasher.update("\0");
        hasher.update(text);
        let mut digest = [0; Self::LENGTH];
        for (to, from) in digest.iter_mut().zip(hasher.finalize()) {
            *to = from;
        }
        Self(digest)
    }

    /// Takes over what [`PartDigest::as_bytes`] gave.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for PartDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_from_another_kind_and_from_another_text() {
        let digest = PartDigest::of("rule", "allow publish a");
        assert_eq!(digest, PartDigest::of("rule", "allow publish a"));
        for (kind, text) in [("role", "allow publish a"), ("rule", "allow publish b")] {
            assert_ne!(digest, PartDigest::of(kind, text));
        }
    }
}
