//! Presence events that are not written yet, without those that cancel each
//! other out.

use std::collections::hash_map::Entry;

use countersign_core::client_id::{ClientIdTie, is_made_up};
use countersign_core::credential::CredentialId;
use countersign_core::number_map::NumberMap;
use countersign_core::presence::{ClientIdUse, Presence, PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::time::Timestamp;

use crate::digest_map::DigestMap;

/// Sessions that began and ended, and credentials that were used.
#[derive(Debug, Default)]
pub(crate) struct JournalBuffer {
    /// In the order in which it happened; nothing where a session came and
    /// went.
    observations: Vec<Option<PresenceEvent>>,
    /// Where the beginnings of sessions stand that may yet go without a trace.
    begun: NumberMap<SessionNumber, usize>,
    /// Only the last use counts.
    used: NumberMap<CredentialId, Timestamp>,
    /// Of client ids with which somebody came and went.
    visits: DigestMap<ClientIdTie, ClientIdUse>,
}

impl JournalBuffer {
    /// How much there is to write at most.
    pub(crate) fn len(&self) -> usize {
        self.observations
            .len()
            .saturating_add(self.used.len())
            .saturating_add(self.visits.len())
    }

    /// Adds what happened.
    pub(crate) fn add(&mut self, observation: PresenceEvent) {
        match &observation {
            PresenceEvent::Connected(presence) => {
                self.use_by(presence);
                // The end of a stored session is worth knowing for itself.
                if !presence.stored {
                    self.begun.insert(presence.session, self.observations.len());
                }
            }
            PresenceEvent::Disconnected(departure) => {
                let began = self.begun.remove(&departure.session);
                if let Some(slot) = began.and_then(|at| self.observations.get_mut(at)) {
                    if let Some(PresenceEvent::Connected(presence)) = slot.take() {
                        self.pass(presence, departure);
                    }
                    while self.observations.pop_if(|last| last.is_none()).is_some() {}
                    return;
                }
            }
            PresenceEvent::Joined(..) | PresenceEvent::Passed(_) => {}
            PresenceEvent::Used(id, at) => {
                self.use_at(*id, *at);
                return;
            }
        }
        self.observations.push(Some(observation));
    }

    /// Adds a session whose beginning was told before. That may be on its way to
    /// the store still, so its end is told as well.
    pub(crate) fn add_again(&mut self, presence: Presence) {
        self.use_by(&presence);
        self.begun.remove(&presence.session);
        self.observations
            .push(Some(PresenceEvent::Connected(presence)));
    }

    /// Hands over what is to be written, and keeps its memory.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = PresenceEvent> + '_ {
        self.begun.clear();
        let mut used: Vec<_> = self.used.drain().collect();
        // By number, for those lie together in most stores.
        used.sort_unstable_by_key(|(id, _)| *id);
        let used = used.into_iter().map(|(id, at)| PresenceEvent::Used(id, at));
        let visits = self
            .visits
            .drain()
            .map(|(_, visit)| PresenceEvent::Passed(visit));
        self.observations
            .drain(..)
            .flatten()
            .chain(used)
            .chain(visits)
    }

    /// Takes note of somebody who came and went.
    fn pass(&mut self, presence: Presence, departure: &SessionEnd) {
        let is_named = |_: &CredentialId| !is_made_up(&presence.client_id);
        let Some(credential) = presence.credential.filter(is_named) else {
            return;
        };
        let visit = ClientIdUse {
            tie: presence.tie,
            credential,
            tenant: presence.tenant,
            began: presence.connected_at,
            ended: departure.at,
        };
        match self.visits.entry(visit.tie) {
            Entry::Vacant(entry) => {
                entry.insert(visit);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let is_same = known.credential == credential && known.tenant == visit.tenant;
                let began = if is_same { known.began } else { visit.began };
                *known = ClientIdUse { began, ..visit };
            }
        }
    }

    /// Forgets all of it, and gives back the memory that many sessions took.
    pub(crate) fn clear(&mut self) {
        self.observations.clear();
        self.observations.shrink_to(KEPT);
        self.begun.clear();
        self.begun.shrink_to(KEPT);
        self.used.clear();
        self.used.shrink_to(KEPT);
        self.visits.clear();
        self.visits.shrink_to(KEPT);
    }

    fn use_by(&mut self, presence: &Presence) {
        if let Some(id) = presence.credential {
            self.use_at(id, presence.connected_at);
        }
    }

    fn use_at(&mut self, id: CredentialId, at: Timestamp) {
        let last = self.used.entry(id).or_insert(at);
        *last = at.max(*last);
    }
}

/// There is room for so much that nothing need be asked of the allocator.
const KEPT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn connected(number: i64, credential: Option<i64>, stored: bool) -> PresenceEvent {
        PresenceEvent::Connected(presence(number, credential, stored))
    }

    fn presence(number: i64, credential: Option<i64>, stored: bool) -> Presence {
        Presence {
            session: SessionNumber(number),
            client_id: "c".into(),
            tie: ClientIdTie([u8::try_from(number).unwrap(); 32]),
            username: None,
            credential: credential.map(CredentialId),
            tenant: None,
            address: None,
            protocol: 4,
            connected_at: at(number),
            authenticated: credential.is_some(),
            listener: None,
            stored,
        }
    }

    fn gone(number: i64) -> PresenceEvent {
        PresenceEvent::Disconnected(SessionEnd {
            began: Timestamp::from_millis(0),
            session: SessionNumber(number),
            tie: ClientIdTie([u8::try_from(number).unwrap(); 32]),
            credential: None,
            at: at(100),
            is_kept: None,
        })
    }

    fn written(observations: impl IntoIterator<Item = PresenceEvent>) -> Vec<String> {
        let mut pending = JournalBuffer::default();
        for observation in observations {
            pending.add(observation);
        }
        taken(&mut pending)
    }

    fn taken(pending: &mut JournalBuffer) -> Vec<String> {
        pending
            .take()
            .map(|observation| match observation {
                PresenceEvent::Connected(presence) => format!("+{}", presence.session.0),
                PresenceEvent::Disconnected(departure) => format!("-{}", departure.session.0),
                PresenceEvent::Passed(visit) => format!(
                    "v{}@{}-{}",
                    visit.credential,
                    visit.began.as_millis(),
                    visit.ended.as_millis()
                ),
                PresenceEvent::Joined(number, _) => format!("j{}", number.0),
                PresenceEvent::Used(id, at) => format!("u{id}@{}", at.as_millis()),
            })
            .collect()
    }

    #[test]
    fn nothing_is_pending_at_first() {
        assert!(written([]).is_empty());
    }

    #[test]
    fn who_came_and_went_leaves_the_use_of_a_name_and_of_a_client_id_alone() {
        assert_eq!(
            written([
                connected(1, Some(7), false),
                connected(2, None, false),
                gone(1),
            ]),
            ["+2", "u7@1", "v7@1-100"]
        );
    }

    #[test]
    fn those_who_come_and_go_take_no_room_beside_those_who_stay() {
        let mut pending = JournalBuffer::default();
        for number in 2..50 {
            pending.add(connected(number, None, false));
            pending.add(gone(number));
        }
        assert_eq!(pending.len(), 0);
        pending.add(connected(1, None, false));
        pending.add(connected(2, None, false));
        pending.add(connected(3, None, false));
        pending.add(gone(2));
        assert_eq!(pending.len(), 3);
        pending.add(gone(3));
        assert_eq!(pending.len(), 1);
        pending.add(gone(1));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn a_stored_session_and_one_that_was_there_before_end_in_writing() {
        assert_eq!(
            written([gone(3), connected(1, None, true), gone(1), gone(1)]),
            ["-3", "+1", "-1", "-1"]
        );
    }

    #[test]
    fn a_session_that_another_store_is_told_of_ends_in_writing() {
        // Its beginning is not taken out yet.
        let mut pending = JournalBuffer::default();
        pending.add(connected(1, Some(7), false));
        pending.add_again(presence(1, Some(7), false));
        pending.add(gone(1));
        assert_eq!(taken(&mut pending), ["+1", "+1", "-1", "u7@1"]);
        // It is, and may be in the writer's hands.
        pending.add(connected(2, Some(7), false));
        assert_eq!(taken(&mut pending), ["+2", "u7@2"]);
        pending.add_again(presence(2, Some(7), false));
        pending.add(gone(2));
        assert_eq!(taken(&mut pending), ["+2", "-2", "u7@2"]);
    }

    #[test]
    fn of_many_uses_the_last_is_written() {
        let used = |millis| PresenceEvent::Used(CredentialId(7), at(millis));
        assert_eq!(written([used(3), used(9), used(5)]), ["u7@9"]);
    }

    #[test]
    fn what_was_handed_over_is_not_taken_back() {
        let mut pending = JournalBuffer::default();
        pending.add(connected(1, None, false));
        assert_eq!(pending.take().count(), 1);
        pending.add(gone(1));
        assert_eq!(pending.take().count(), 1);
        assert_eq!(pending.len(), 0);
    }
}
