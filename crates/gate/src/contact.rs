//! When the centre of a replica last answered, and what follows from that.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use countersign_core::options::{Options, WhenStale};
use countersign_core::store::ReplicaState;
use countersign_core::time::Timestamp;

/// What the store says of its centre, which the follower of the change log reads, and
/// what the host's options make of it.
///
/// A store that is no replica is never stale. A replica is judged by what it says itself,
/// so that one is stale whose `countersign follow` was killed.
pub(crate) struct Contact {
    at: AtomicI64,
    /// So many milliseconds may lie between then and now.
    most: AtomicU64,
    is_refusing: AtomicBool,
}

impl Contact {
    pub(crate) fn new(replica: Option<&ReplicaState>, options: &Options) -> Self {
        let contact = Self {
            at: AtomicI64::new(NEVER),
            most: AtomicU64::new(UNLIMITED),
            is_refusing: AtomicBool::new(false),
        };
        contact.note(replica);
        contact.obey(options);
        contact
    }

    /// Takes note of what the store says.
    pub(crate) fn note(&self, replica: Option<&ReplicaState>) {
        let at = match replica {
            None => NO_REPLICA,
            Some(replica) => replica.contact_at.map_or(NEVER, Timestamp::as_millis),
        };
        self.at.store(at, Ordering::Relaxed);
    }

    /// Goes by these options from now on.
    pub(crate) fn obey(&self, options: &Options) {
        let most = options.max_staleness.map_or(UNLIMITED, |most| {
            u64::try_from(most.as_millis()).unwrap_or(UNLIMITED)
        });
        let is_refusing = options.when_stale == WhenStale::RefuseNew;
        self.most.store(most, Ordering::Relaxed);
        self.is_refusing.store(is_refusing, Ordering::Relaxed);
    }

    /// Whether the centre was heard of too long ago, or by another clock than ours.
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        let at = self.at.load(Ordering::Relaxed);
        most != UNLIMITED && at != NO_REPLICA && at.abs_diff(now.as_millis()) > most
    }

    /// Whether clients that come now are refused for it.
    pub(crate) fn refuses(&self, now: Timestamp) -> bool {
        self.is_refusing() && self.is_stale(now)
    }

    /// Whether clients that come are refused while this is stale.
    pub(crate) fn is_refusing(&self) -> bool {
        self.is_refusing.load(Ordering::Relaxed)
    }
}

const NEVER: i64 = i64::MIN;
const NO_REPLICA: i64 = i64::MAX;
const UNLIMITED: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn options(more: &[(&str, &str)]) -> Options {
        let store = ("store", "/s.db");
        Options::parse(core::iter::once(store).chain(more.iter().copied())).unwrap()
    }

    fn heard_at(second: i64) -> ReplicaState {
        ReplicaState {
            source: "https://centre.example.com".into(),
            place: None,
            contact_at: Some(Timestamp::from_millis(second.saturating_mul(1_000))),
        }
    }

    #[test]
    fn a_replica_is_stale_when_it_heard_of_its_centre_too_long_ago() {
        let refusing = options(&[("max_staleness", "10s"), ("when_stale", "refuse-new")]);
        let at = |second: i64| Timestamp::from_millis(second.saturating_mul(1_000));
        let contact = Contact::new(Some(&heard_at(100)), &refusing);
        for (second, is_stale) in [
            (100, false),
            (110, false),
            (111, true),
            // A clock that was set back says nothing of how long ago that was.
            (90, false),
            (89, true),
        ] {
            assert_eq!(contact.refuses(at(second)), is_stale, "{second}");
        }
        contact.note(Some(&heard_at(200)));
        assert!(!contact.refuses(at(205)));
        let never = ReplicaState {
            contact_at: None,
            ..heard_at(0)
        };
        contact.note(Some(&never));
        assert!(contact.refuses(at(0)) && contact.refuses(at(1_000)));
        contact.note(None);
        assert!(!contact.refuses(at(1_000)));
    }

    #[test]
    fn options_say_when_that_is_and_what_follows() {
        let long_ago = heard_at(0);
        let now = Timestamp::from_millis(1_000_000);
        let contact = Contact::new(Some(&long_ago), &options(&[]));
        assert!(!contact.is_stale(now) && !contact.refuses(now));
        contact.obey(&options(&[("max_staleness", "10s")]));
        assert!(contact.is_stale(now) && !contact.refuses(now));
        contact.obey(&options(&[
            ("max_staleness", "10s"),
            ("when_stale", "refuse-new"),
        ]));
        assert!(contact.refuses(now));
        contact.obey(&options(&[
            ("max_staleness", "1d"),
            ("when_stale", "refuse-new"),
        ]));
        assert!(!contact.refuses(now));
    }
}
