//! Uses of client ids that ended a moment ago, kept until the store surely has
//! them.

use std::collections::VecDeque;
use std::time::Duration;

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::ownership::{Holder, Holding, Kept, StoredSession};
use countersign_core::time::Timestamp;

use crate::connection::principal::Principal;
use crate::connection::session::Session;
use crate::digest_map::DigestMap;

/// What ended a moment ago.
#[derive(Debug, Default)]
pub(crate) struct RecentUses {
    ended: DigestMap<ClientIdTie, EndedUse>,
    /// In the order in which they are forgotten; perhaps with some that were in
    /// use again.
    order: VecDeque<(Timestamp, ClientIdTie)>,
}

/// The end of a use of a client id.
#[derive(Clone, Debug)]
pub(crate) struct EndedUse {
    /// The principal; none for one that proved nothing.
    pub(crate) credential: Option<CredentialId>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) began: Timestamp,
    pub(crate) at: Timestamp,
    /// Whether the host may keep a session; none where only the store knows.
    pub(crate) is_stored: Option<bool>,
}

impl EndedUse {
    /// The end of a session; with none the host does not say whether it keeps it.
    pub(crate) fn of(session: &Session, is_kept: Option<bool>, now: Timestamp) -> Self {
        Self {
            credential: session.credential(),
            tenant: session.tenant.clone(),
            began: session.began,
            at: now,
            is_stored: match (is_kept, &session.principal) {
                (Some(false), _) => Some(false),
                // What its session says is about its handle alone.
                (None, Principal::External { .. }) => None,
                (Some(true), Principal::External { .. }) => Some(true),
                (None | Some(true), _) => Some(session.stored),
            },
        }
    }

    /// What the session of an unauthenticated client will leave behind.
    pub(crate) fn unproved(session: &Session) -> Self {
        Self {
            credential: None,
            tenant: session.tenant.clone(),
            began: session.began,
            at: session.began,
            is_stored: Some(true),
        }
    }

    /// Adds it to what a store says about its client id.
    pub(crate) fn add_to(&self, holding: &mut Holding) {
        let holder = self
            .credential
            .map_or(Holder::Unauthenticated, Holder::Credential);
        match &mut holding.stored_session {
            Some(stored) if stored.holder == holder => {
                // What was written at this instant or later knows of it.
                if stored.last_used_at >= self.at {
                    return;
                }
                stored.last_used_at = self.at;
                // What a client left that came later and proved nothing is not its own.
                if stored.kept != Kept::Unproved
                    && let Some(is_stored) = self.is_stored
                {
                    stored.kept = Kept::own_if(is_stored);
                }
                if self.credential.is_none() {
                    stored.tenant.clone_from(&self.tenant);
                }
            }
            // The id was free, so nothing else is stored under it.
            Some(stored) if self.credential.is_none() && stored.last_used_at <= self.at => {
                let is_stored = self.is_stored.unwrap_or(true);
                stored.kept = match stored.kept {
                    Kept::Nothing | Kept::Unproved if is_stored => Kept::Unproved,
                    Kept::Nothing | Kept::Unproved => Kept::Nothing,
                    Kept::Own => Kept::Own,
                };
            }
            // It is another's by now.
            Some(_) => {}
            None => {
                holding.stored_session = Some(StoredSession {
                    holder,
                    username: None,
                    tenant: self.tenant.clone(),
                    first_used_at: self.began,
                    last_used_at: self.at,
                    kept: Kept::own_if(self.is_stored.unwrap_or(true)),
                })
                .filter(|stored| stored.is_stored() || self.credential.is_some());
            }
        }
    }
}

impl RecentUses {
    /// Takes note of an end. Those for which there is no room are not held.
    pub(crate) fn add(&mut self, tie: ClientIdTie, ended: EndedUse) {
        self.forget(ended.at);
        if self.order.len() < MOST {
            self.order.push_back((ended.at, tie));
            self.ended.insert(tie, ended);
        }
    }

    /// Adds what ended a moment ago to what a store says about a client id.
    pub(crate) fn add_to(&self, holding: &mut Holding, tie: &ClientIdTie, now: Timestamp) {
        let Some(ended) = self.ended.get(tie).filter(|ended| !is_over(ended.at, now)) else {
            return;
        };
        ended.add_to(holding);
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, tie)) = self
            .order
            .front()
            .copied()
            .filter(|(at, _)| is_over(*at, now))
        {
            self.order.pop_front();
            if self.ended.get(&tie).is_some_and(|ended| ended.at == at) {
                self.ended.remove(&tie);
            }
        }
    }
}

/// Says whether what ended then is written down by now, or the clock was set.
fn is_over(at: Timestamp, now: Timestamp) -> bool {
    now < at || now.since(at) >= RECENTLY
}

/// The writer takes a second at most, where the store can be written.
const RECENTLY: Duration = Duration::from_secs(10);
const MOST: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn ended(credential: Option<i64>, is_stored: bool) -> EndedUse {
        EndedUse {
            credential: credential.map(CredentialId),
            tenant: Some(TenantId::parse("acme").unwrap()),
            began: NOW.minus(Duration::from_secs(5)),
            at: NOW,
            is_stored: Some(is_stored),
        }
    }

    fn tie(number: u32) -> ClientIdTie {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_le_bytes());
        ClientIdTie(hash)
    }

    fn holding(
        recent_uses: &RecentUses,
        tie: &ClientIdTie,
        now: Timestamp,
    ) -> Option<StoredSession> {
        let mut holding = Holding::default();
        recent_uses.add_to(&mut holding, tie, now);
        holding.stored_session
    }

    #[test]
    fn what_ended_a_moment_ago_is_known_before_it_is_written_and_for_a_moment() {
        let mut recent_uses = RecentUses::default();
        assert_eq!(holding(&recent_uses, &tie(1), NOW), None);
        recent_uses.add(tie(1), ended(Some(7), false));
        let found = holding(&recent_uses, &tie(1), NOW).unwrap();
        assert_eq!(found.holder, Holder::Credential(CredentialId(7)));
        assert_eq!(holding(&recent_uses, &tie(2), NOW), None);
        assert_eq!(holding(&recent_uses, &tie(1), NOW.plus(RECENTLY)), None);
        // A clock that was set back says nothing about what is to come.
        assert_eq!(holding(&recent_uses, &tie(1), NOW.minus(RECENTLY)), None);
    }

    #[test]
    fn a_client_that_proved_nothing_holds_nothing_unless_a_session_is_stored() {
        let mut recent_uses = RecentUses::default();
        recent_uses.add(tie(1), ended(None, false));
        recent_uses.add(tie(2), ended(None, true));
        assert_eq!(holding(&recent_uses, &tie(1), NOW), None);
        let found = holding(&recent_uses, &tie(2), NOW).unwrap();
        assert_eq!(found.tenant.unwrap().as_str(), "acme");
    }

    #[test]
    fn what_was_written_since_is_not_taken_back_by_what_ended_before() {
        let mut holding = Holding {
            stored_session: Some(StoredSession {
                holder: Holder::Credential(CredentialId(7)),
                username: None,
                tenant: ended(None, true).tenant,
                first_used_at: NOW,
                last_used_at: NOW.minus(Duration::from_millis(1)),
                kept: Kept::Nothing,
            }),
            ..Holding::default()
        };
        let mut later = holding.clone();
        ended(Some(7), true).add_to(&mut holding);
        assert_eq!(holding.stored_session.unwrap().kept, Kept::Own);
        for stored in later.stored_session.iter_mut() {
            stored.last_used_at = NOW;
        }
        ended(Some(7), true).add_to(&mut later);
        assert_eq!(later.stored_session.unwrap().kept, Kept::Nothing);
    }

    #[test]
    fn what_a_client_left_that_proved_nothing_is_not_its_ids_holders() {
        let used = |at: Timestamp| Holding {
            stored_session: Some(StoredSession {
                holder: Holder::Credential(CredentialId(7)),
                username: None,
                tenant: ended(None, true).tenant,
                first_used_at: at,
                last_used_at: at,
                kept: Kept::Nothing,
            }),
            ..Holding::default()
        };
        let kept = |ended: EndedUse, mut holding: Holding| {
            ended.add_to(&mut holding);
            holding.stored_session.unwrap().kept
        };
        let before = NOW.minus(Duration::from_secs(9));
        assert_eq!(kept(ended(None, true), used(before)), Kept::Unproved);
        assert_eq!(kept(ended(None, false), used(before)), Kept::Nothing);
        // Its holder has used it since.
        let after = NOW.plus(Duration::from_secs(1));
        assert_eq!(kept(ended(None, true), used(after)), Kept::Nothing);
    }

    #[test]
    fn there_is_an_end_of_what_is_remembered() {
        let mut recent_uses = RecentUses::default();
        for number in 0..20_000 {
            recent_uses.add(tie(number), ended(Some(7), false));
        }
        assert_eq!(
            (recent_uses.ended.len(), recent_uses.order.len()),
            (MOST, MOST)
        );
        let later = NOW.plus(RECENTLY);
        recent_uses.add(
            tie(0),
            EndedUse {
                at: later,
                ..ended(Some(7), false)
            },
        );
        assert_eq!((recent_uses.ended.len(), recent_uses.order.len()), (1, 1));
    }
}
