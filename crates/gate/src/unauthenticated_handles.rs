//! Connections that tried to log in and were not let in. A host may still ask
//! about them, above all about their Wills.
//!
//! Each takes a few bytes, however long its client id is, and their number is
//! bounded. While there are more than fit, every client that the gate does not
//! know has no rights.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use countersign_core::time::Timestamp;

use crate::host::{ClientRef, Handle};

/// Handles of clients that have no rights.
#[derive(Default)]
pub(crate) struct UnauthenticatedHandles {
    by_handle: HashMap<Handle, UnauthenticatedHandle>,
    /// How many of them are forgotten at some time.
    expiring: usize,
    /// Until when there are more than are kept.
    overflow_until: Option<Timestamp>,
    hasher: RandomState,
}

/// One of them.
#[derive(Clone, Copy)]
struct UnauthenticatedHandle {
    /// Stands for its client id.
    client_id_hash: u64,
    /// Until when it may be asked about; with none until its handle is
    /// another's.
    until: Option<Timestamp>,
}

impl UnauthenticatedHandles {
    /// Takes note that a client has no rights, and until when. Says whether
    /// there was room.
    pub(crate) fn insert(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        self.remove(handle);
        if self.by_handle.len() >= MOST {
            self.overflow_until = self.overflow_until.max(Some(now.plus(REMEMBERED)));
            return false;
        }
        if until.is_some() {
            self.expiring = self.expiring.saturating_add(1);
        }
        let client_id_hash = self.hasher.hash_one(client_id);
        self.by_handle.insert(
            handle,
            UnauthenticatedHandle {
                client_id_hash,
                until,
            },
        );
        true
    }

    /// Says whether one more would be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.by_handle.len() < MOST
    }

    /// Takes note that this handle belongs to another client now, or that its
    /// client was let in.
    pub(crate) fn remove(&mut self, handle: Handle) {
        if let Some(UnauthenticatedHandle { until: Some(_), .. }) = self.by_handle.remove(&handle) {
            self.expiring = self.expiring.saturating_sub(1);
        }
    }

    /// Says until when a client has no rights; see [`Self::insert`].
    pub(crate) fn until(&self, handle: Handle) -> Option<Option<Timestamp>> {
        self.by_handle.get(&handle).map(|nobody| nobody.until)
    }

    /// Takes note that a client is gone, and is not asked about for long.
    pub(crate) fn leaves(&mut self, handle: Handle, now: Timestamp) {
        if let Some(nobody) = self.by_handle.get_mut(&handle) {
            if nobody.until.is_none() {
                self.expiring = self.expiring.saturating_add(1);
            }
            nobody.until = Some(now.plus(REMEMBERED));
        }
    }

    /// Says whether a client has no rights. Costs next to nothing while there
    /// is none.
    pub(crate) fn has(&self, client: &ClientRef<'_>) -> bool {
        if self.overflow_until.is_some() {
            return true;
        }
        !self.by_handle.is_empty()
            && self.by_handle.get(&client.handle).is_some_and(|nobody| {
                client
                    .client_id
                    .is_none_or(|id| self.hasher.hash_one(id) == nobody.client_id_hash)
            })
    }

    /// Says whether time changes nothing here.
    pub(crate) fn is_idle(&self) -> bool {
        self.expiring == 0 && self.overflow_until.is_none()
    }

    /// Forgets handles that no host asks about any more.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        // A clock that was set back keeps nobody for longer.
        let is_over = |until: Timestamp| now >= until || until.since(now) > REMEMBERED;
        if self.expiring > 0 {
            self.by_handle
                .retain(|_, nobody| nobody.until.is_none_or(|until| !is_over(until)));
            let expiring = self.by_handle.values().filter(|it| it.until.is_some());
            self.expiring = expiring.count();
            self.by_handle
                .shrink_to(self.by_handle.len().saturating_mul(2).max(KEPT));
        }
        self.overflow_until = self.overflow_until.filter(|until| !is_over(*until));
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

    fn client(handle: usize, client_id: &[u8]) -> ClientRef<'_> {
        ClientRef {
            handle: Handle(handle),
            client_id: Some(client_id),
            ..ClientRef::default()
        }
    }

    #[test]
    fn nobody_is_nobody_at_first() {
        let unauthenticated = UnauthenticatedHandles::default();
        assert!(!unauthenticated.has(&client(1, b"a")) && unauthenticated.is_idle());
    }

    #[test]
    fn a_nobody_is_told_by_handle_and_client_id_and_forgotten_in_time() {
        let mut unauthenticated = UnauthenticatedHandles::default();
        assert!(unauthenticated.insert(Handle(1), b"a", Some(NOW.plus(REMEMBERED)), NOW));
        assert!(unauthenticated.insert(Handle(2), b"b", None, NOW));
        assert!(unauthenticated.has(&client(1, b"a")) && !unauthenticated.has(&client(1, b"b")));
        unauthenticated.tidy(NOW.plus(REMEMBERED));
        assert!(!unauthenticated.has(&client(1, b"a")) && unauthenticated.has(&client(2, b"b")));
        assert!(unauthenticated.is_idle());
        unauthenticated.leaves(Handle(2), NOW);
        assert!(!unauthenticated.is_idle());
        unauthenticated.tidy(NOW.plus(REMEMBERED));
        assert!(!unauthenticated.has(&client(2, b"b")) && unauthenticated.is_idle());
    }

    #[test]
    fn where_there_are_more_than_are_kept_all_whom_nothing_is_known_of_are_nobody() {
        let mut unauthenticated = UnauthenticatedHandles::default();
        let client_id = vec![b'x'; 1_024];
        let until = Some(NOW.plus(REMEMBERED));
        for number in 0..MOST {
            assert!(unauthenticated.insert(Handle(number), &client_id, until, NOW));
        }
        assert!(!unauthenticated.has(&client(MOST, b"a")) && !unauthenticated.has_room());
        assert!(!unauthenticated.insert(Handle(MOST), b"a", until, NOW));
        assert!(unauthenticated.has(&client(MOST + 1, b"z")));
        assert_eq!(unauthenticated.by_handle.len(), MOST);
        assert!(size_of::<(Handle, UnauthenticatedHandle)>() <= 40);
        unauthenticated.tidy(NOW.plus(REMEMBERED));
        assert!(!unauthenticated.has(&client(MOST + 1, b"z")) && unauthenticated.is_idle());
        assert!(unauthenticated.by_handle.capacity() <= 2 * KEPT);
    }
}
