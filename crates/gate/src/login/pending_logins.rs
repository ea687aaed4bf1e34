//! Logins that wait for a slow check.
//!
//! Some are held by the host: their clients wait for a CONNACK. The others were
//! refused because there was no time, and are checked so that the next try
//! needs none.
//!
//! A host that can hold a CONNECT names it by its client id alone, and says
//! nothing when its client goes away. So a hash result counts only for the last
//! attempt with a client id. A client that was held and not let in has no
//! rights until its handle belongs to another client.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::backoff::Origin;
use countersign_core::connect::Request;
use countersign_core::reason::Reason;
use countersign_core::secret::Secret;
use countersign_core::time::{Interval, Timestamp};

use crate::host::{Handle, OwnedConnectSource, Ticket};
use crate::login::fair_queue::Priority;
use crate::login::slow_check::CredentialVersion;
use crate::login::unadmitted::{Stage, Unadmitted};

/// All logins that wait.
#[derive(Default)]
pub(crate) struct PendingLogins {
    waiting: HashMap<Ticket, PendingLogin>,
    /// The last attempt of each client id, if it is held.
    held_ids: HashMap<Arc<str>, Ticket>,
    per_origin: HashMap<Origin, usize>,
    per_priority: [usize; Priority::COUNT],
    /// What became of the connections whose logins wait or waited.
    pub(crate) unadmitted: Unadmitted,
    last: u64,
    tidied: Interval,
}

/// One login that waits.
pub(crate) struct PendingLogin {
    pub(crate) handle: Handle,
    pub(crate) request: Arc<Request>,
    pub(crate) about: Option<CredentialVersion>,
    /// What is compared.
    pub(crate) presented: Arc<Secret>,
    /// See [`HashRequest::failed`](crate::login::slow_check::HashRequest::failed).
    pub(crate) failed: Option<Reason>,
    pub(crate) source: OwnedConnectSource,
    pub(crate) origin: Origin,
    pub(crate) priority: Priority,
    pub(crate) since: Timestamp,
    pub(crate) purpose: Purpose,
}

/// What is done with the answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// It is remembered, for the next try.
    ForRetry,
    /// The login is decided.
    Held {
        /// What the host has as the user name meanwhile.
        username: Option<Arc<str>>,
    },
}

impl PendingLogins {
    /// Says whether one more may wait: each priority has places of its own, and
    /// an origin has at most an eighth of them. Of each client id at most one
    /// is held, for a new one supersedes it; and what is checked ahead is
    /// checked once.
    pub(crate) fn has_room_for(
        &self,
        origin: Origin,
        priority: Priority,
        client_id: &str,
        purpose: &Purpose,
    ) -> bool {
        let waiting = self
            .per_priority
            .get(priority.index())
            .copied()
            .unwrap_or(PLACES);
        let of_origin = self.per_origin.get(&origin).copied().unwrap_or(0);
        waiting < PLACES
            && of_origin < PLACES_PER_ORIGIN
            && (of_origin == 0
                || *purpose != Purpose::ForRetry
                || !self.is_checked_for_retry(origin, client_id))
    }

    /// Says whether it could be kept who was held and not let in.
    pub(crate) fn remembers(&self) -> bool {
        self.unadmitted.has_room_to_hold()
    }

    /// Says whether anything waits that came from there.
    pub(crate) fn waits(&self, origin: Origin) -> bool {
        self.per_origin.contains_key(&origin)
    }

    /// The priority of an origin without recent failures. Where many wait in
    /// it, none has more than one place there.
    pub(crate) fn priority_of_clean(&self, origin: Origin) -> Priority {
        let waiting = self.per_priority.get(Priority::CleanOrigin.index());
        let is_crowded = waiting.is_none_or(|waiting| *waiting >= PLACES / 2);
        if is_crowded && self.waits(origin) {
            Priority::Other
        } else {
            Priority::CleanOrigin
        }
    }

    /// Takes note that something failed at an origin; see
    /// [`FairQueue::demote`](crate::login::fair_queue::FairQueue::demote).
    pub(crate) fn demote(&mut self, origin: Origin) {
        if !self.waits(origin) {
            return;
        }
        let [_, unblemished, anyone] = &mut self.per_priority;
        let demoted = self.waiting.values_mut().filter(|waiting| {
            waiting.origin == origin && waiting.priority == Priority::CleanOrigin
        });
        for waiting in demoted {
            waiting.priority = Priority::Other;
            *unblemished = unblemished.saturating_sub(1);
            *anyone = anyone.saturating_add(1);
        }
    }

    fn is_checked_for_retry(&self, origin: Origin, client_id: &str) -> bool {
        self.waiting.values().any(|waiting| {
            waiting.purpose == Purpose::ForRetry
                && waiting.origin == origin
                && waiting.request.client_id.as_str() == client_id
        })
    }

    /// Takes in a login.
    pub(crate) fn enter(&mut self, waiting: PendingLogin) -> Ticket {
        self.last = self.last.wrapping_add(1);
        let ticket = Ticket(self.last);
        self.enter_again(ticket, waiting);
        ticket
    }

    /// Takes in a login that has left and has to wait on.
    pub(crate) fn enter_again(&mut self, ticket: Ticket, waiting: PendingLogin) {
        if let Purpose::Held { .. } = waiting.purpose {
            // Of a handle and of a client id one is held, the last.
            self.supersede(waiting.request.client_id.as_str(), waiting.since);
            self.forget_handle(waiting.handle, waiting.since);
            let client_id = waiting.request.client_id.shared();
            let bytes = client_id.as_bytes();
            let held = Stage::Held(ticket);
            self.unadmitted
                .insert(waiting.handle, bytes, held, waiting.since);
            self.held_ids.insert(client_id, ticket);
        }
        let of_origin = self.per_origin.entry(waiting.origin).or_default();
        *of_origin = of_origin.saturating_add(1);
        if let Some(of_lane) = self.per_priority.get_mut(waiting.priority.index()) {
            *of_lane = of_lane.saturating_add(1);
        }
        self.waiting.insert(ticket, waiting);
    }

    /// Lets a login go, for its answer has come.
    pub(crate) fn leave(&mut self, ticket: Ticket, now: Timestamp) -> Option<PendingLogin> {
        let waiting = self.waiting.remove(&ticket)?;
        if let Some(of_lane) = self.per_priority.get_mut(waiting.priority.index()) {
            *of_lane = of_lane.saturating_sub(1);
        }
        if let Some(of_origin) = self.per_origin.get_mut(&waiting.origin) {
            *of_origin = of_origin.saturating_sub(1);
            if *of_origin == 0 {
                self.per_origin.remove(&waiting.origin);
            }
        }
        if let Purpose::Held { .. } = waiting.purpose {
            self.release(
                waiting.handle,
                waiting.request.client_id.as_str(),
                ticket,
                now,
            );
        }
        Some(waiting)
    }

    /// Takes note that the connection with this handle is gone, or another's:
    /// what was held there is held no more.
    pub(crate) fn forget_handle(&mut self, handle: Handle, now: Timestamp) {
        if let Some(Stage::Held(ticket)) = self.unadmitted.stage(handle) {
            self.let_go(*ticket, now);
        }
    }

    /// Takes note of another attempt with this client id, by which the host
    /// says that it holds none any more.
    pub(crate) fn supersede(&mut self, client_id: &str, now: Timestamp) {
        if let Some(ticket) = self.held_ids.get(client_id).copied() {
            self.let_go(ticket, now);
        }
    }

    /// Says whether no login waits, and no handle is kept for a while.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.unadmitted.is_idle()
    }

    /// Says whose answer will never come.
    pub(crate) fn tidy(&mut self, now: Timestamp) -> HashSet<Ticket> {
        if !self.tidied.is_over(TIDY_EVERY, now) {
            return HashSet::new();
        }
        self.waiting
            .iter()
            .filter(|(_, waiting)| now.since(waiting.since) >= LONGEST)
            .map(|(ticket, _)| *ticket)
            .collect()
    }

    fn let_go(&mut self, ticket: Ticket, now: Timestamp) {
        let Some(waiting) = self.waiting.get_mut(&ticket) else {
            return;
        };
        waiting.purpose = Purpose::ForRetry;
        let handle = waiting.handle;
        let request = Arc::clone(&waiting.request);
        self.release(handle, request.client_id.as_str(), ticket, now);
    }

    fn release(&mut self, handle: Handle, client_id: &str, ticket: Ticket, now: Timestamp) {
        if self.held_ids.get(client_id) == Some(&ticket) {
            self.held_ids.remove(client_id);
        }
        if matches!(self.unadmitted.stage(handle), Some(Stage::Held(held)) if *held == ticket) {
            self.unadmitted.let_go(handle, now);
        }
    }
}

/// So many logins wait at most; as many again from where their names last
/// logged in.
const PLACES: usize = 512;
const PLACES_PER_ORIGIN: usize = PLACES / 8;
/// Every job is answered, so this is for what should not happen.
const LONGEST: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use countersign_core::connect::SessionUse;

    use super::*;
    use crate::host::ClientRef;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn waiting(handle: usize, client_id: &str, address: &str, purpose: Purpose) -> PendingLogin {
        let session = SessionUse::of(4, true);
        let request = Request::parse(client_id.as_bytes(), Some(b"u"), Some(b"p"), session);
        PendingLogin {
            handle: Handle(handle),
            request: Arc::new(request.unwrap()),
            about: None,
            presented: Arc::new(Secret::new(b"p".to_vec())),
            failed: None,
            source: OwnedConnectSource::default(),
            origin: Origin::of(Some(address)),
            priority: Priority::Other,
            since: NOW,
            purpose,
        }
    }

    fn held() -> Purpose {
        Purpose::Held { username: None }
    }

    fn client(handle: usize, client_id: Option<&str>) -> ClientRef<'_> {
        ClientRef {
            handle: Handle(handle),
            client_id: client_id.map(str::as_bytes),
            connected: false,
            ..ClientRef::default()
        }
    }

    #[test]
    fn nobody_waits_at_first() {
        let mut room = PendingLogins::default();
        assert_eq!(room.waiting.len(), 0);
        assert!(room.leave(Ticket(1), NOW).is_none());
        assert!(!room.unadmitted.has(&client(1, Some("a"))));
        assert!(room.has_room_for(Origin::default(), Priority::Other, "a", &Purpose::ForRetry));
    }

    #[test]
    fn only_the_last_attempt_with_a_client_id_is_held() {
        let mut room = PendingLogins::default();
        let first = room.enter(waiting(1, "a", "192.0.2.1", held()));
        room.supersede("a", NOW);
        let second = room.enter(waiting(2, "a", "192.0.2.2", held()));
        assert_eq!(room.leave(first, NOW).unwrap().purpose, Purpose::ForRetry);
        assert_eq!(room.leave(second, NOW).unwrap().purpose, held());
    }

    #[test]
    fn whoever_is_held_under_a_client_id_or_a_handle_is_held_alone() {
        for (handle, client_id) in [(2, "a"), (1, "b")] {
            let mut room = PendingLogins::default();
            let first = room.enter(waiting(1, "a", "192.0.2.1", held()));
            let second = room.enter(waiting(handle, client_id, "192.0.2.1", held()));
            assert_eq!(room.leave(first, NOW).unwrap().purpose, Purpose::ForRetry);
            assert!(room.unadmitted.has(&client(handle, Some(client_id))));
            assert_eq!(room.leave(second, NOW).unwrap().purpose, held());
        }
    }

    #[test]
    fn whose_handle_is_another_s_is_held_no_more() {
        let mut room = PendingLogins::default();
        let ticket = room.enter(waiting(1, "a", "192.0.2.1", held()));
        room.forget_handle(Handle(2), NOW);
        room.forget_handle(Handle(1), NOW);
        assert_eq!(room.leave(ticket, NOW).unwrap().purpose, Purpose::ForRetry);
        assert!(
            room.held_ids.is_empty()
                && !matches!(room.unadmitted.stage(Handle(1)), Some(Stage::Held(_)))
        );
    }

    #[test]
    fn who_is_held_is_nobody_and_stays_so_until_let_in_or_long_gone() {
        let mut room = PendingLogins::default();
        let one = room.enter(waiting(1, "a", "192.0.2.1", held()));
        room.enter(waiting(2, "b", "192.0.2.1", held()));
        assert!(
            room.unadmitted.has(&client(1, Some("a"))) && room.unadmitted.has(&client(1, None))
        );
        assert!(!room.unadmitted.has(&client(1, Some("b"))));
        room.leave(one, NOW);
        assert!(room.unadmitted.has(&client(1, Some("a"))));
        room.unadmitted.remove(Handle(2));
        assert!(!room.unadmitted.has(&client(2, Some("b"))));
        let later = NOW.plus(crate::login::unadmitted::REMEMBERED);
        assert!(room.unadmitted.tidy(later));
        assert!(!room.unadmitted.has(&client(1, Some("a"))));
    }

    #[test]
    fn an_origin_has_an_eighth_of_the_places_and_one_for_each_client_id() {
        fn has_room_for(
            room: &PendingLogins,
            address: &str,
            priority: Priority,
            client_id: &str,
        ) -> bool {
            room.has_room_for(
                Origin::of(Some(address)),
                priority,
                client_id,
                &Purpose::ForRetry,
            )
        }
        let mut room = PendingLogins::default();
        let priority = Priority::Other;
        room.enter(waiting(1, "a", "192.0.2.1", Purpose::ForRetry));
        assert!(!has_room_for(&room, "192.0.2.1", priority, "a"));
        assert!(has_room_for(&room, "192.0.2.2", priority, "a"));
        let mut tickets = Vec::new();
        for number in 1..PLACES_PER_ORIGIN {
            let client_id = format!("c{number}");
            assert!(has_room_for(&room, "192.0.2.1", priority, &client_id));
            tickets.push(room.enter(waiting(1, &client_id, "192.0.2.1", Purpose::ForRetry)));
        }
        assert!(!has_room_for(&room, "192.0.2.1", priority, "more"));
        for number in 0..PLACES {
            let address = format!("198.51.{}.{}", number / 250, number % 250);
            if has_room_for(&room, &address, priority, "x") {
                room.enter(waiting(1, "x", &address, Purpose::ForRetry));
            }
        }
        assert_eq!(room.waiting.len(), PLACES);
        assert!(!has_room_for(&room, "203.0.113.1", priority, "x"));
        // Unknown origins can't fill the places of known ones.
        assert!(has_room_for(
            &room,
            "203.0.113.1",
            Priority::KnownOrigin,
            "x"
        ));
        for ticket in tickets {
            room.leave(ticket, NOW);
        }
        assert!(has_room_for(&room, "192.0.2.1", priority, "more"));
    }

    #[test]
    fn whoever_comes_back_soon_is_held_though_the_last_try_is_still_checked() {
        let mut room = PendingLogins::default();
        room.enter(waiting(1, "a", "192.0.2.1", held()));
        room.supersede("a", NOW);
        let origin = Origin::of(Some("192.0.2.1"));
        assert!(room.has_room_for(origin, Priority::Other, "a", &held()));
    }

    #[test]
    fn what_is_never_answered_is_found() {
        let mut room = PendingLogins::default();
        let ticket = room.enter(waiting(1, "a", "192.0.2.1", held()));
        assert!(room.tidy(NOW).is_empty());
        assert_eq!(room.tidy(NOW.plus(LONGEST)), HashSet::from([ticket]));
    }
}
