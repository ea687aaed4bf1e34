//! Client-id ownership: whose stored session an id names.
//!
//! A broker hands a stored session, with its queue, to whoever connects with
//! its client id. So an id that a principal holds, live or stored, is refused
//! to everybody else, and one that it held is given to somebody else only with
//! a clean start, which throws away what was stored.

use core::time::Duration;

use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::time::Timestamp;

/// What is recorded about a client id that names a stored session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredSession {
    /// Whose it is.
    pub holder: Holder,
    /// What the host was given as its user name.
    pub username: Option<String>,
    /// The tenant whose topics it used.
    pub tenant: Option<TenantId>,
    /// When it was last connected.
    pub last_used_at: Timestamp,
}

/// Who holds a client id, as far as a store knows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holding {
    /// The credential that is bound to exactly this id.
    pub bound_to: Option<CredentialId>,
    /// What is recorded about the session that is stored under it.
    pub stored_session: Option<StoredSession>,
}

impl Holding {
    /// Says whether what `claimant` may do with the id follows from this
    /// without regard to time: nothing is stored under it but, perhaps, a
    /// session of its own.
    #[must_use]
    pub fn is_timeless_for(&self, claimant: CredentialId) -> bool {
        self.stored_session
            .as_ref()
            .is_none_or(|stored| stored.holder == Holder::Credential(claimant))
    }
}

/// Whose stored session it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// A principal's that is no more, is revoked, or gave it up.
    Former,
    /// A client's that proved nothing. It holds its id against nobody.
    Unauthenticated,
    /// This credential's.
    Credential(CredentialId),
}

/// What a client may do with a client id that it did not hold before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// Take it.
    Free,
    /// Take it if it starts clean.
    FreeIfClean,
    /// Leave it to its holder.
    Held,
}

impl StoredSession {
    /// Says what `claimant`, none being a client that proved nothing, may do
    /// with this id at `now`, when ids are held for `hold` after their last
    /// use.
    #[must_use]
    pub fn claim(&self, claimant: Option<CredentialId>, hold: Duration, now: Timestamp) -> Claim {
        match (self.holder, claimant) {
            (Holder::Credential(holder), Some(claimant)) if holder == claimant => Claim::Free,
            (Holder::Credential(_), _) => {
                if now.since(self.last_used_at) < hold {
                    Claim::Held
                } else {
                    Claim::FreeIfClean
                }
            }
            (Holder::Former, _) => Claim::FreeIfClean,
            // Nobody's messages but those of a tenant that asks for no login.
            (Holder::Unauthenticated, None) => Claim::Free,
            (Holder::Unauthenticated, Some(_)) => Claim::FreeIfClean,
        }
    }
}

/// How long an id is held after its last use, unless a setting says otherwise.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: CredentialId = CredentialId(1);
    const OTHER: CredentialId = CredentialId(2);
    const HOLD: Duration = Duration::from_secs(60);

    fn stored(holder: Holder) -> StoredSession {
        StoredSession {
            holder,
            username: None,
            tenant: None,
            last_used_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn an_id_is_its_holders_until_the_hold_ends() {
        let session = stored(Holder::Credential(ONE));
        let during = Timestamp::from_millis(59_999);
        let after = Timestamp::from_millis(60_000);
        assert_eq!(session.claim(Some(ONE), HOLD, during), Claim::Free);
        assert_eq!(session.claim(Some(ONE), HOLD, after), Claim::Free);
        for claimant in [Some(OTHER), None] {
            assert_eq!(session.claim(claimant, HOLD, during), Claim::Held);
            assert_eq!(session.claim(claimant, HOLD, after), Claim::FreeIfClean);
        }
    }

    #[test]
    fn nobody_inherits_what_was_stored_for_somebody_else() {
        let now = Timestamp::from_millis(i64::MAX);
        for holder in [
            Holder::Former,
            Holder::Unauthenticated,
            Holder::Credential(ONE),
        ] {
            let claim = stored(holder).claim(Some(OTHER), HOLD, now);
            assert_eq!(claim, Claim::FreeIfClean, "{holder:?}");
        }
        assert_eq!(
            stored(Holder::Unauthenticated).claim(None, HOLD, now),
            Claim::Free
        );
    }
}
