//! What is remembered of followers between their requests.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use countersign_core::follower::FollowerName;
use countersign_core::secret::SecretDigest;

use super::answers::MOST_KNOWN;

/// What is remembered of followers.
#[derive(Default)]
pub(super) struct RememberedFollowers {
    /// The digests of secrets that were a follower's.
    pub(super) secrets: HashSet<[u8; 32]>,
    /// What was written down of each last, and when.
    noted: HashMap<FollowerName, (Option<i64>, Instant)>,
}

impl RememberedFollowers {
    /// Remembers a follower; says whether it is time to write down how far it is.
    pub(super) fn remember(
        &mut self,
        secret: &SecretDigest,
        name: &FollowerName,
        position: Option<i64>,
        instant: Instant,
    ) -> bool {
        if self.secrets.len().max(self.noted.len()) >= MOST_KNOWN {
            *self = Self::default();
        }
        self.secrets.insert(*secret.as_bytes());
        let is_due = self.noted.get(name).is_none_or(|(noted, at)| {
            let rested = instant.saturating_duration_since(*at);
            rested >= NOTED_EVERY || (*noted != position && rested >= NOTED_AT_MOST_EVERY)
        });
        if is_due {
            self.noted.insert(name.clone(), (position, instant));
        }
        is_due
    }
}

/// So often it is written down that a follower asks,
const NOTED_EVERY: Duration = Duration::from_secs(10);
/// and so often at most how far it is.
const NOTED_AT_MOST_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use countersign_core::secret::Secret;

    use super::*;

    #[test]
    fn what_is_known_of_followers_ends_and_is_written_down_at_times() {
        let mut known = RememberedFollowers::default();
        let begun = Instant::now();
        for number in 0..5_000_u32 {
            let secret = SecretDigest::of(&Secret::new(number.to_le_bytes().to_vec()));
            let name = FollowerName::parse(&format!("f{number}")).unwrap();
            assert!(known.remember(&secret, &name, None, begun));
            assert!(known.secrets.len() <= MOST_KNOWN && known.noted.len() <= MOST_KNOWN);
        }
        let secret = SecretDigest::of(&Secret::new(b"s".to_vec()));
        let name = FollowerName::parse("edge").unwrap();
        let mut asks = |position, millis| {
            let at = begun + Duration::from_millis(millis);
            known.remember(&secret, &name, position, at)
        };
        assert!(asks(Some(1), 0));
        assert!(!asks(Some(2), 900));
        assert!(asks(Some(2), 1_000));
        assert!(!asks(Some(2), 9_000));
        assert!(asks(Some(2), 11_000));
    }
}
