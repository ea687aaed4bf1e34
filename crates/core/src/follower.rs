//! Followers: brokers' machines that keep a replica of a centre's store.

use core::fmt;

use crate::given::Given;
use crate::hex;
use crate::hook::is_name_of_broker;
use crate::name::TenantId;
use crate::secret::SecretDigest;
use crate::time::Timestamp;

/// A follower, as its centre keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Follower {
    /// Its name, which is that of its broker too.
    pub name: FollowerName,
    /// The tenants that it is told of, by name; none is all, and operators with them.
    pub tenants: Option<Vec<TenantId>>,
    /// What its secret is known by.
    pub digest: SecretDigest,
    /// The key of its machine, once that has shown one with this secret.
    pub machine: Option<MachineKey>,
    /// Grows when it is told of other tenants than before: its replica is begun anew.
    pub era: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was given its secret.
    pub rotated_at: Timestamp,
    /// How far it has followed, and when it said so last.
    pub progress: Option<FollowerProgress>,
    /// How many changes came after that; none where nothing is known of it.
    pub lag: Option<u64>,
    /// How much of what it handed back and told was refused.
    pub refused: u64,
}

/// How far a follower has followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FollowerProgress {
    /// The last change that its replica has; none while it takes a snapshot.
    pub position: Option<i64>,
    /// When it said so.
    pub at: Timestamp,
    /// The schema of its replica, where it said.
    pub schema: Option<u32>,
    /// How much its broker wrote that was not handed back by then, where it said; counted
    /// up to [`MOST_WAITING`].
    pub waiting: Option<u32>,
}

/// The public key (X25519, RFC 7748) of a follower's machine, for which its centre seals
/// the seeds of second factors.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct MachineKey([u8; 32]);

impl MachineKey {
    /// A key by its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses 64 lower-case hexadecimal digits; none for any other text.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        hex::decode(digits)?.try_into().ok().map(Self)
    }
}

impl fmt::Display for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// What waits to be handed back is counted so far.
pub const MOST_WAITING: u32 = 1_000_000;

/// So many followers there are at most.
pub const MOST_FOLLOWERS: usize = 1_000;

/// A follower is told of so many tenants at most, if it is not told of all.
pub const MOST_FOLLOWED: usize = 1_000;

/// The name of a follower: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, beginning with a
/// letter or a digit.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FollowerName(Box<str>);

impl FollowerName {
    /// Parses a name.
    ///
    /// # Errors
    ///
    /// Returns [`FollowerNameError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, FollowerNameError> {
        if is_name_of_broker(text) {
            Ok(Self(text.into()))
        } else {
            Err(FollowerNameError(text.into()))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FollowerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text can't be the name of a follower.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid name of a follower; it is 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, \
     and begins with a letter or a digit"
)]
pub struct FollowerNameError(Given);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_broker() {
        for good in ["edge", "7-a_b.c", &"a".repeat(64)] {
            assert_eq!(FollowerName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "Edge", "-a", "a b", "ü", &"a".repeat(65)] {
            assert!(FollowerName::parse(bad).is_err(), "{bad}");
        }
    }
}
