//! Web sessions: users who signed in at the service. The digest of what their browser
//! presents is kept.

use core::time::Duration;

use crate::credential::{CredentialId, Generation};
use crate::name::TenantId;
use crate::time::Timestamp;

/// What is kept of a web session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebSession {
    /// Its number in the store.
    pub id: WebSessionId,
    /// Whose it is.
    pub user: CredentialId,
    /// The user's generation when it began. It is over once that is another.
    pub generation: Generation,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used, to within [`WebSession::USE_KEPT_EVERY`].
    pub last_used_at: Timestamp,
    /// Where it began.
    pub address: Option<String>,
    /// In which tenant it works, of those of its user, since it switched there. It gives
    /// no right in it.
    pub tenant: Option<TenantId>,
}

impl WebSession {
    /// How often a use is written down at most.
    pub const USE_KEPT_EVERY: Duration = Duration::from_secs(60);
    /// How long it lasts, however much it is used.
    pub const LONGEST: Duration = Duration::from_secs(12 * 3_600);
    /// How long it lasts without being used.
    pub const IDLE: Duration = Duration::from_secs(30 * 60);

    /// When it ends unless it is used.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        let whole = self.created_at.plus(Self::LONGEST);
        whole.min(self.last_used_at.plus(Self::IDLE))
    }

    /// Says whether time has not ended it by `now`. One from the future, which a clock
    /// that was set back makes, is over.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let is_begun = self.created_at <= now.plus(Self::USE_KEPT_EVERY);
        is_begun && now < self.ends_at()
    }

    /// Says whether a use at `now` is to be written down.
    #[must_use]
    pub fn keeps_use(&self, now: Timestamp) -> bool {
        now.since(self.last_used_at) >= Self::USE_KEPT_EVERY
    }
}

/// Names a web session; never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WebSessionId(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    fn session(created: i64, used: i64) -> WebSession {
        WebSession {
            id: WebSessionId(1),
            user: CredentialId(1),
            generation: Generation(1),
            created_at: Timestamp::from_millis(created),
            last_used_at: Timestamp::from_millis(used),
            address: None,
            tenant: None,
        }
    }

    #[test]
    fn a_session_ends_after_half_an_hour_without_use_and_after_half_a_day() {
        let at = Timestamp::from_millis;
        const MINUTE: i64 = 60_000;
        let is_alive = |used, now| session(0, used).is_alive(at(now));
        assert!(is_alive(0, 30 * MINUTE - 1) && !is_alive(0, 30 * MINUTE));
        let end = 12 * 60 * MINUTE;
        assert!(is_alive(end - MINUTE, end - 1) && !is_alive(end - MINUTE, end));
        assert!(!session(2 * MINUTE, 2 * MINUTE).is_alive(at(0)));
    }
}
