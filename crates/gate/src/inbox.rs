//! What waits to be written down: put in by the host's thread and others, taken
//! out by the writer's.
//!
//! Sessions that come and go while nobody takes anything out leave nothing but
//! the use of their credential, so most logins make no work for any other
//! thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::presence::Observation;

use crate::pending::Pending;

/// Where things wait that are to be written down.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    waiting: Mutex<Waiting<T>>,
    more: Condvar,
}

/// What waits, or was taken out.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    /// What became of sessions and credentials.
    pub(crate) pending: Pending,
    /// All else, in order.
    pub(crate) notes: Vec<T>,
    /// Whether nothing more will come.
    pub(crate) is_closed: bool,
    /// Whether somebody waits for an answer.
    is_urgent: bool,
    /// Whether the writer is to be woken for what comes.
    is_resting: bool,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            pending: Pending::default(),
            notes: Vec::new(),
            is_closed: false,
            is_urgent: false,
            is_resting: false,
        }
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            more: Condvar::new(),
        }
    }
}

impl<T> Inbox<T> {
    /// Puts in what became of a session or a credential. If the store can't be
    /// written for long, the newest of it is lost.
    pub(crate) fn observe(&self, observation: Observation) {
        let mut waiting = self.lock();
        if waiting.pending.len() < MOST_WAITING {
            waiting.pending.add(observation);
        }
        self.wake(waiting);
    }

    /// Puts in something else.
    pub(crate) fn put(&self, note: T) {
        self.put_below(MOST_NOTES, note, false);
    }

    /// Puts in something that anybody can bring about as often as they like,
    /// unless there is too much already.
    pub(crate) fn put_if_room(&self, note: T) {
        self.put_below(MOST_WAITING, note, false);
    }

    /// Puts in something that somebody waits for.
    pub(crate) fn put_urgent(&self, note: T) {
        self.put_below(MOST_NOTES, note, true);
    }

    fn put_below(&self, most: usize, note: T, is_urgent: bool) {
        let mut waiting = self.lock();
        if waiting.notes.len() < most {
            waiting.notes.push(note);
        }
        waiting.is_urgent |= is_urgent;
        self.wake(waiting);
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.is_urgent = true;
        self.wake(waiting);
    }

    /// Waits until something has come, and for a while until no more comes or
    /// somebody waits for it; then takes it all out, in exchange for what is
    /// empty. After `idle` it takes out nothing.
    pub(crate) fn take(&self, idle: Duration, taken: &mut Waiting<T>) {
        // Whoever was woken for what is gone by now goes on to rest, and is to be
        // woken again.
        let rests = |waiting: &mut Waiting<T>| {
            waiting.is_resting = waiting.is_empty();
            waiting.is_resting
        };
        let mut waiting = self
            .more
            .wait_timeout_while(self.lock(), idle, rests)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        waiting.is_resting = false;
        if waiting.is_empty() {
            return;
        }
        for _ in 0..GATHER_TIMES {
            if waiting.is_urgent {
                break;
            }
            drop(waiting);
            // Not for as long as nothing urgent comes: whoever brings that
            // would have to wake this thread then.
            std::thread::sleep(GATHER);
            waiting = self.lock();
        }
        core::mem::swap(&mut *waiting, taken);
        waiting.is_closed = taken.is_closed;
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting<T>>) {
        if core::mem::take(&mut waiting.is_resting) {
            drop(waiting);
            self.more.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // INVARIANT: what a panic could leave half changed here is an
        // observation, never a state.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.pending.len() == 0 && !self.is_closed
    }

    /// Makes it empty, with the memory that it has.
    pub(crate) fn clear(&mut self) {
        self.notes.clear();
        self.notes.shrink_to(KEPT);
        self.pending.clear();
        self.is_closed = false;
        self.is_urgent = false;
        self.is_resting = false;
    }
}

const GATHER: Duration = Duration::from_millis(50);
const GATHER_TIMES: usize = 5;
const MOST_WAITING: usize = 100_000;
/// So many notes there are at most, with those for which room is kept.
const MOST_NOTES: usize = 2 * MOST_WAITING;
/// There is room for so many notes that nothing need be asked of the allocator.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientIdTie;
    use countersign_core::credential::CredentialId;
    use countersign_core::presence::{Departure, Presence, SessionNumber};
    use countersign_core::time::Timestamp;

    use super::*;

    const NEVER: Duration = Duration::from_secs(60);

    #[test]
    fn nothing_is_taken_out_where_nothing_came() {
        let inbox = Inbox::<u8>::default();
        let mut taken = Waiting::default();
        inbox.take(Duration::from_millis(1), &mut taken);
        assert!(taken.is_empty());
    }

    #[test]
    fn what_was_put_in_is_taken_out_once_and_in_order() {
        let inbox = Inbox::default();
        let used = Observation::Used(CredentialId(7), Timestamp::from_millis(1));
        inbox.put(1);
        inbox.observe(used.clone());
        inbox.put_urgent(2);
        let mut taken = Waiting::default();
        inbox.take(NEVER, &mut taken);
        assert_eq!((&*taken.notes, taken.pending.len()), (&[1, 2][..], 1));
        taken.clear();
        inbox.take(Duration::from_millis(1), &mut taken);
        assert!(taken.is_empty());
        inbox.observe(used);
        inbox.take(NEVER, &mut taken);
        assert_eq!((taken.notes.len(), taken.pending.len()), (0, 1));
    }

    #[test]
    fn whoever_rests_is_woken_and_what_is_closed_stays_so() {
        let inbox = std::sync::Arc::new(Inbox::<u8>::default());
        let theirs = std::sync::Arc::clone(&inbox);
        let taker = std::thread::spawn(move || {
            let mut taken = Waiting::default();
            for _ in 0..2 {
                taken.clear();
                theirs.take(NEVER, &mut taken);
                assert!(taken.is_closed);
            }
        });
        inbox.close();
        taker.join().unwrap();
    }

    #[test]
    fn whoever_was_woken_for_what_is_gone_by_then_is_woken_again() {
        let inbox = std::sync::Arc::new(Inbox::<u8>::default());
        let theirs = std::sync::Arc::clone(&inbox);
        let (done, told) = std::sync::mpsc::channel();
        let taker = std::thread::spawn(move || {
            let mut taken = Waiting::default();
            theirs.take(NEVER, &mut taken);
            done.send(taken.notes).unwrap();
        });
        for number in 1..=20 {
            // Long enough to come to rest, and too short to be woken in between.
            std::thread::sleep(Duration::from_millis(2));
            inbox.observe(anonymous(number));
            let gone = Observation::Disconnected(Departure {
                session: SessionNumber(number),
                tie: ClientIdTie([0; 32]),
                credential: None,
                at: Timestamp::from_millis(2),
                is_kept: None,
            });
            inbox.observe(gone);
        }
        std::thread::sleep(Duration::from_millis(2));
        inbox.put_urgent(7);
        assert_eq!(told.recv_timeout(NEVER / 2).unwrap(), [7]);
        taker.join().unwrap();
    }

    /// A session that leaves no trace when it ends.
    fn anonymous(number: i64) -> Observation {
        Observation::Connected(Presence {
            session: SessionNumber(number),
            client_id: "c".into(),
            tie: ClientIdTie([0; 32]),
            username: None,
            credential: None,
            tenant: None,
            address: None,
            protocol: 4,
            connected_at: Timestamp::from_millis(1),
            authenticated: false,
            listener: None,
            stored: false,
        })
    }

    #[test]
    fn of_what_nobody_takes_out_there_is_an_end() {
        let inbox = Inbox::<u8>::default();
        for number in 0..i64::try_from(MOST_WAITING).unwrap() + 10 {
            let at = Timestamp::from_millis(1);
            inbox.observe(Observation::Used(CredentialId(number), at));
            inbox.put_if_room(0);
        }
        // What nobody can bring about at will has room of its own.
        inbox.put(1);
        inbox.put_urgent(2);
        let mut taken = Waiting::default();
        inbox.take(NEVER, &mut taken);
        assert_eq!(taken.pending.len(), MOST_WAITING);
        assert_eq!(taken.notes.len(), MOST_WAITING + 2);
        for _ in 0..=MOST_NOTES {
            inbox.put(1);
            inbox.put_urgent(2);
        }
        taken.clear();
        inbox.take(NEVER, &mut taken);
        assert_eq!(taken.notes.len(), MOST_NOTES);
    }
}
