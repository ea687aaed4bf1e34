//! Client-id ownership: whose stored session an id names.
//!
//! A broker hands a stored session, with its queue, to the next client that
//! connects with its client id. So an id that a principal holds, live or
//! stored, is refused to every other principal. An id that was held before is
//! given to another principal only with a clean start, which discards the
//! stored session.
//!
//! Between tenants, the use of an id counts whether a session is stored or not:
//! after its last use, an id stays with its tenant for as long as it was in use
//! there, within bounds.

use core::time::Duration;
use std::sync::Arc;

use crate::credential::CredentialId;
use crate::lifecycle::State;
use crate::name::TenantId;
use crate::time::Timestamp;

/// What is recorded about a client id: who used it last, for how long, and
/// whether it may name a stored session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredSession {
    /// Whose it is.
    pub holder: Holder,
    /// What the host was given as its user name.
    pub username: Option<Arc<str>>,
    /// The tenant whose topics it used.
    pub tenant: Option<TenantId>,
    /// Since when it is used in that tenant.
    pub first_used_at: Timestamp,
    /// When it was last connected.
    pub last_used_at: Timestamp,
    /// What the host may keep under it.
    pub kept: Kept,
}

/// What a host may keep under a client id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// A session of the one who is recorded.
    Own,
    /// A session of an unauthenticated client. It used the id after the
    /// credential that is recorded, in the same tenant.
    Unproved,
}

impl Kept {
    /// The holder's session, or nothing.
    #[must_use]
    pub const fn own_if(is_stored: bool) -> Self {
        if is_stored { Self::Own } else { Self::Nothing }
    }
}

/// The holder of a client id, as recorded in a store.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holding {
    /// The credential that is bound to exactly this id.
    pub bound_to: Option<CredentialId>,
    /// What is recorded about the session that is stored under it.
    pub stored_session: Option<StoredSession>,
}

impl Holding {
    /// Says whether what `claimant` may do with the id follows from this until
    /// a store counts a change ([`LogPosition::session_changes`]) or a
    /// credential is bound to the id: it is the last who used the id, and so
    /// time changes nothing.
    ///
    /// [`LogPosition::session_changes`]: crate::store::LogPosition::session_changes
    #[must_use]
    pub fn stays_for(&self, claimant: CredentialId) -> bool {
        let is_own = |stored: &StoredSession| stored.holder == Holder::Credential(claimant);
        self.stored_session.as_ref().is_some_and(is_own)
            && self.bound_to.is_none_or(|bound| bound == claimant)
    }
}

/// Whose stored session it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// A principal that was deleted or revoked, or that gave it up.
    Former,
    /// An unauthenticated client. It does not hold its id against any other
    /// client.
    Unauthenticated,
    /// This credential.
    Credential(CredentialId),
}

impl Holder {
    /// The holder where a credential is recorded, whose state this is by now; it has
    /// none if it was deleted.
    #[must_use]
    pub const fn recorded(credential: CredentialId, state: Option<State>) -> Self {
        match state {
            Some(State::Inactive | State::Active | State::Suspended) => {
                Self::Credential(credential)
            }
            Some(State::Revoked) | None => Self::Former,
        }
    }
}

/// What a client may do with a client id that it did not hold before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientIdClaim {
    /// Take it.
    Free,
    /// Take it if it starts clean.
    FreeIfClean,
    /// Leave it to its holder.
    Held,
}

impl StoredSession {
    /// What is left of the record of a session that was not used for long.
    #[must_use]
    pub const fn pruned(holder: Holder) -> Self {
        let long_ago = Timestamp::from_millis(i64::MIN);
        Self {
            holder,
            username: None,
            tenant: None,
            first_used_at: long_ago,
            last_used_at: long_ago,
            kept: Kept::Own,
        }
    }

    /// Says whether no more is left of its record than whose it is.
    #[must_use]
    pub fn is_pruned(&self) -> bool {
        self.last_used_at == Timestamp::from_millis(i64::MIN)
    }

    /// Says whether the host may keep a session.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.kept != Kept::Nothing
    }

    /// Says whether the host may keep a session of an unauthenticated client.
    #[must_use]
    pub fn is_unproved(&self) -> bool {
        match self.kept {
            Kept::Nothing => false,
            Kept::Own => self.holder == Holder::Unauthenticated,
            Kept::Unproved => true,
        }
    }

    /// Says what a claimant may do with this id at `now`, when ids are held for
    /// at most `hold` after their last use.
    ///
    /// `claimant` is none for an unauthenticated client, `tenant` for one that
    /// stands outside of all tenants or has none yet.
    #[must_use]
    pub fn claim(
        &self,
        claimant: Option<CredentialId>,
        tenant: Option<&TenantId>,
        hold: Duration,
        now: Timestamp,
    ) -> ClientIdClaim {
        let without_holder = if self.is_stored() {
            ClientIdClaim::FreeIfClean
        } else {
            ClientIdClaim::Free
        };
        let is_own_tenant = self.tenant.as_ref() == tenant;
        match (self.holder, claimant) {
            (Holder::Credential(holder), Some(claimant)) if holder == claimant => match self.kept {
                Kept::Nothing | Kept::Own => ClientIdClaim::Free,
                Kept::Unproved => ClientIdClaim::FreeIfClean,
            },
            (Holder::Credential(_), _) => {
                let held_for = if !is_own_tenant {
                    let used_for = self.last_used_at.since(self.first_used_at);
                    used_for.max(SHORTEST_BETWEEN_TENANTS).min(hold)
                } else if self.kept == Kept::Own {
                    hold
                } else {
                    Duration::ZERO
                };
                // A last use that is yet to come was a clock's that was ahead.
                if now.since(self.last_used_at) < held_for {
                    ClientIdClaim::Held
                } else if claimant.is_none() && is_own_tenant && self.is_unproved() {
                    ClientIdClaim::Free
                } else {
                    without_holder
                }
            }
            (Holder::Former, _) => without_holder,
            // Nobody's messages but those of a tenant that asks for no login.
            (Holder::Unauthenticated, None)
                if is_own_tenant || tenant.is_none() || self.tenant.is_none() =>
            {
                ClientIdClaim::Free
            }
            (Holder::Unauthenticated, _) => without_holder,
        }
    }
}

/// How long an id that was in use in one tenant is kept from all others at least.
pub const SHORTEST_BETWEEN_TENANTS: Duration = Duration::from_secs(60);

/// How long an id is held after its last use, unless a setting says otherwise.
pub const DEFAULT_HOLD: Duration = Duration::from_secs(30 * 86_400);

/// How many client ids of one credential are remembered at once, and how many
/// more an hour, unless a setting says otherwise.
pub const DEFAULT_LIMIT: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: CredentialId = CredentialId(1);
    const OTHER: CredentialId = CredentialId(2);
    const HOLD: Duration = Duration::from_secs(3_600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds.saturating_mul(1_000))
    }

    fn tenant(id: &str) -> Option<TenantId> {
        Some(TenantId::parse(id).unwrap())
    }

    /// Used in `acme`, from the instant 0 on for so many seconds.
    fn used(holder: Holder, seconds: i64, is_stored: bool) -> StoredSession {
        StoredSession {
            holder,
            username: None,
            tenant: tenant("acme"),
            first_used_at: at(0),
            last_used_at: at(seconds),
            kept: Kept::own_if(is_stored),
        }
    }

    /// What somebody else of a tenant may do so many seconds after the last use.
    fn claim(session: &StoredSession, of: Option<TenantId>, later: i64) -> ClientIdClaim {
        let later = at(later).since(at(0));
        let now = session.last_used_at.plus(later);
        let claims = [Some(OTHER), None].map(|it| session.claim(it, of.as_ref(), HOLD, now));
        assert_eq!(claims[0], claims[1]);
        claims[0]
    }

    #[test]
    fn within_a_tenant_a_stored_sessions_id_is_its_holders_until_the_hold_ends() {
        let session = used(Holder::Credential(ONE), 0, true);
        for later in [0, 3_599, 3_600, 1_000_000] {
            let own = session.claim(Some(ONE), None, HOLD, at(later));
            assert_eq!(own, ClientIdClaim::Free);
        }
        assert_eq!(claim(&session, tenant("acme"), 3_599), ClientIdClaim::Held);
        assert_eq!(
            claim(&session, tenant("acme"), 3_600),
            ClientIdClaim::FreeIfClean
        );
        let clean = used(Holder::Credential(ONE), 1_000, false);
        assert_eq!(claim(&clean, tenant("acme"), 0), ClientIdClaim::Free);
    }

    #[test]
    fn between_tenants_an_id_is_held_for_as_long_as_it_was_in_use() {
        for (seconds, held_for) in [
            (0, 60),
            (59, 60),
            (600, 600),
            (3_600, 3_600),
            (9_999, 3_600),
        ] {
            for of in [tenant("other"), None] {
                let clean = used(Holder::Credential(ONE), seconds, false);
                assert_eq!(claim(&clean, of.clone(), held_for - 1), ClientIdClaim::Held);
                assert_eq!(claim(&clean, of.clone(), held_for), ClientIdClaim::Free);
                let stored = used(Holder::Credential(ONE), seconds, true);
                assert_eq!(
                    claim(&stored, of.clone(), held_for - 1),
                    ClientIdClaim::Held
                );
                assert_eq!(claim(&stored, of, held_for), ClientIdClaim::FreeIfClean);
            }
        }
    }

    #[test]
    fn what_was_used_while_the_clock_was_ahead_counts_as_used_now() {
        let session = used(Holder::Credential(ONE), 9_999_999, false);
        let now = session.claim(Some(OTHER), tenant("other").as_ref(), HOLD, at(5));
        assert_eq!(now, ClientIdClaim::Held);
    }

    #[test]
    fn a_holder_inherits_no_session_of_a_client_that_proved_nothing_and_keeps_its_id_from_others() {
        let left = StoredSession {
            kept: Kept::Unproved,
            ..used(Holder::Credential(ONE), 600, false)
        };
        let claim = |claimant, of, later| left.claim(claimant, of, HOLD, at(later));
        let (own, other) = (tenant("acme"), tenant("other"));
        assert_eq!(
            claim(Some(ONE), own.as_ref(), 600),
            ClientIdClaim::FreeIfClean
        );
        assert_eq!(
            claim(Some(OTHER), own.as_ref(), 600),
            ClientIdClaim::FreeIfClean
        );
        assert_eq!(claim(None, own.as_ref(), 600), ClientIdClaim::Free);
        for claimant in [Some(OTHER), None] {
            assert_eq!(claim(claimant, other.as_ref(), 1_199), ClientIdClaim::Held);
            assert_eq!(
                claim(claimant, other.as_ref(), 1_200),
                ClientIdClaim::FreeIfClean
            );
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
            for of in [tenant("acme"), tenant("other"), None] {
                let stored = used(holder, 0, true);
                let claim = stored.claim(Some(OTHER), of.as_ref(), HOLD, now);
                assert_eq!(claim, ClientIdClaim::FreeIfClean, "{holder:?} {of:?}");
            }
        }
        let nobodys = used(Holder::Unauthenticated, 0, true);
        let claims = [
            (tenant("acme"), ClientIdClaim::Free),
            (tenant("other"), ClientIdClaim::FreeIfClean),
        ];
        for (of, claim) in claims {
            assert_eq!(nobodys.claim(None, of.as_ref(), HOLD, now), claim);
        }
    }
}
