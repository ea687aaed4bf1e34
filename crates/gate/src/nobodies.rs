//! Those who tried to log in and are not let in: a host may still ask about
//! them, about their Will above all.
//!
//! Of each there are a few bytes, however long its client id is, and there is a
//! bound to their number. Where there are more, everybody of whom nothing is
//! known is nobody for as long.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use countersign_core::time::Timestamp;

use crate::host::{Handle, Peer};

/// Clients that are nobody.
#[derive(Default)]
pub(crate) struct Nobodies {
    by_handle: HashMap<Handle, Nobody>,
    /// How many of them are forgotten at some time.
    passing: usize,
    /// Until when there are more than are kept.
    crowded_until: Option<Timestamp>,
    hasher: RandomState,
}

/// One of them.
#[derive(Clone, Copy)]
struct Nobody {
    /// Stands for its client id.
    print: u64,
    /// Until when it may be asked about; with none until its handle is
    /// another's.
    until: Option<Timestamp>,
}

impl Nobodies {
    /// Takes note that a client is nobody, and until when. Says whether there
    /// was room.
    pub(crate) fn insert(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        self.remove(handle);
        if self.by_handle.len() >= MOST {
            self.crowded_until = self.crowded_until.max(Some(now.plus(REMEMBERED)));
            return false;
        }
        if until.is_some() {
            self.passing = self.passing.saturating_add(1);
        }
        let print = self.hasher.hash_one(client_id);
        self.by_handle.insert(handle, Nobody { print, until });
        true
    }

    /// Says whether one more would be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.by_handle.len() < MOST
    }

    /// Takes note that whoever has this handle now is another, or was let in.
    pub(crate) fn remove(&mut self, handle: Handle) {
        if let Some(Nobody { until: Some(_), .. }) = self.by_handle.remove(&handle) {
            self.passing = self.passing.saturating_sub(1);
        }
    }

    /// Says until when a client is nobody that is; see [`Self::insert`].
    pub(crate) fn until(&self, handle: Handle) -> Option<Option<Timestamp>> {
        self.by_handle.get(&handle).map(|nobody| nobody.until)
    }

    /// Takes note that a client is gone, and is not asked about for long.
    pub(crate) fn leaves(&mut self, handle: Handle, now: Timestamp) {
        if let Some(nobody) = self.by_handle.get_mut(&handle) {
            if nobody.until.is_none() {
                self.passing = self.passing.saturating_add(1);
            }
            nobody.until = Some(now.plus(REMEMBERED));
        }
    }

    /// Says whether a client is nobody. Costs next to nothing when none is.
    pub(crate) fn has(&self, peer: &Peer<'_>) -> bool {
        if self.crowded_until.is_some() {
            return true;
        }
        !self.by_handle.is_empty()
            && self.by_handle.get(&peer.handle).is_some_and(|nobody| {
                peer.client_id
                    .is_none_or(|id| self.hasher.hash_one(id) == nobody.print)
            })
    }

    /// Says whether time changes nothing here.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.passing == 0 && self.crowded_until.is_none()
    }

    /// Forgets whom no host asks about any more.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        // A clock that was set back keeps nobody for longer.
        let is_over = |until: Timestamp| now >= until || until.since(now) > REMEMBERED;
        if self.passing > 0 {
            self.by_handle
                .retain(|_, nobody| nobody.until.is_none_or(|until| !is_over(until)));
            let passing = self.by_handle.values().filter(|it| it.until.is_some());
            self.passing = passing.count();
            self.by_handle
                .shrink_to(self.by_handle.len().saturating_mul(2).max(KEPT));
        }
        self.crowded_until = self.crowded_until.filter(|until| !is_over(*until));
    }
}

/// Some 40 bytes each.
const MOST: usize = 65_536;
/// A host asks about a Will soon after its client is gone.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(60);
/// There is room for so many that nothing need be asked of the allocator.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn peer(handle: usize, client_id: &[u8]) -> Peer<'_> {
        Peer {
            handle: Handle(handle),
            client_id: Some(client_id),
            ..Peer::default()
        }
    }

    #[test]
    fn nobody_is_nobody_at_first() {
        let nobodies = Nobodies::default();
        assert!(!nobodies.has(&peer(1, b"a")) && nobodies.is_at_rest());
    }

    #[test]
    fn a_nobody_is_told_by_handle_and_client_id_and_forgotten_in_time() {
        let mut nobodies = Nobodies::default();
        assert!(nobodies.insert(Handle(1), b"a", Some(NOW.plus(REMEMBERED)), NOW));
        assert!(nobodies.insert(Handle(2), b"b", None, NOW));
        assert!(nobodies.has(&peer(1, b"a")) && !nobodies.has(&peer(1, b"b")));
        nobodies.tidy(NOW.plus(REMEMBERED));
        assert!(!nobodies.has(&peer(1, b"a")) && nobodies.has(&peer(2, b"b")));
        assert!(nobodies.is_at_rest());
        nobodies.leaves(Handle(2), NOW);
        assert!(!nobodies.is_at_rest());
        nobodies.tidy(NOW.plus(REMEMBERED));
        assert!(!nobodies.has(&peer(2, b"b")) && nobodies.is_at_rest());
    }

    #[test]
    fn where_there_are_more_than_are_kept_all_whom_nothing_is_known_of_are_nobody() {
        let mut nobodies = Nobodies::default();
        let client_id = vec![b'x'; 1_024];
        let until = Some(NOW.plus(REMEMBERED));
        for number in 0..MOST {
            assert!(nobodies.insert(Handle(number), &client_id, until, NOW));
        }
        assert!(!nobodies.has(&peer(MOST, b"a")) && !nobodies.has_room());
        assert!(!nobodies.insert(Handle(MOST), b"a", until, NOW));
        assert!(nobodies.has(&peer(MOST + 1, b"z")));
        assert_eq!(nobodies.by_handle.len(), MOST);
        assert!(size_of::<(Handle, Nobody)>() <= 40);
        nobodies.tidy(NOW.plus(REMEMBERED));
        assert!(!nobodies.has(&peer(MOST + 1, b"z")) && nobodies.is_at_rest());
        assert!(nobodies.by_handle.capacity() <= 2 * KEPT);
    }
}
