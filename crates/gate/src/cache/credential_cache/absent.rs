//! Names and digests that no credential has.

use std::collections::HashSet;

use countersign_core::name::LoginName;
use countersign_core::secret::SecretDigest;

/// Names and digests that no credential has. They are kept apart from what is
/// present, so that made-up names push no credential out.
#[derive(Debug, Default)]
pub(super) struct Absent {
    names: HashSet<LoginName>,
    digests: HashSet<[u8; 32]>,
}

impl Absent {
    /// Says whether no credential has this name, as far as is known.
    pub(super) fn has_name(&self, name: &LoginName) -> bool {
        self.names.contains(name)
    }

    /// Takes note that no credential has this name.
    pub(super) fn add_name(&mut self, name: &LoginName) {
        add(&mut self.names, name.clone());
    }

    /// Says whether no credential has a secret with this digest, as far as is known.
    pub(super) fn has_digest(&self, digest: &SecretDigest) -> bool {
        self.digests.contains(digest.as_bytes())
    }

    /// Takes note that no credential has a secret with this digest.
    pub(super) fn add_digest(&mut self, digest: &SecretDigest) {
        add(&mut self.digests, *digest.as_bytes());
    }

    /// Forgets all of it: a credential may be new.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.digests.clear();
    }

    /// How many names there are.
    #[cfg(test)]
    pub(super) fn names(&self) -> usize {
        self.names.len()
    }
}

/// Takes note of what is absent; of all that was before, if there is no room.
fn add<T: Eq + core::hash::Hash>(absent: &mut HashSet<T>, what: T) {
    if absent.len() >= MOST_ABSENT {
        absent.clear();
    }
    absent.insert(what);
}

pub(super) const MOST_ABSENT: usize = 1_024;
