//! The queue of the journal: the host's thread and others put entries in, the
//! writer takes them out.
//!
//! A session that begins and ends before the writer looks leaves nothing but
//! the use of its credential and of its client id.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::presence::{Presence, PresenceEvent};
use countersign_core::time::Timestamp;

use crate::journal::buffer::JournalBuffer;
use crate::journal::denied_uses::{DeniedUse, DeniedUses};

/// Entries that are to be written to the store.
#[derive(Debug)]
pub(crate) struct JournalQueue<T> {
    waiting: Mutex<QueueContent<T>>,
    more: Condvar,
}

/// What is in the queue, or was taken out.
#[derive(Debug)]
pub(crate) struct QueueContent<T> {
    /// What became of sessions and credentials.
    pub(crate) buffer: JournalBuffer,
    /// What sessions wanted to do with topics, and may not.
    pub(crate) denied: DeniedUses,
    /// All else, in order.
    pub(crate) entries: Vec<T>,
    /// Whether nothing more will come.
    pub(crate) is_closed: bool,
    /// Whether somebody waits for an answer.
    is_urgent: bool,
    /// Whether the writer is to be woken for what comes.
    is_resting: bool,
}

impl<T> Default for QueueContent<T> {
    fn default() -> Self {
        Self {
            buffer: JournalBuffer::default(),
            denied: DeniedUses::of_host(),
            entries: Vec::new(),
            is_closed: false,
            is_urgent: false,
            is_resting: false,
        }
    }
}

impl<T> Default for JournalQueue<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            more: Condvar::new(),
        }
    }
}

impl<T> JournalQueue<T> {
    /// Puts in what became of a session or a credential. If the store can't be
    /// written for long, the newest of it is lost.
    pub(crate) fn observe(&self, observation: PresenceEvent) {
        self.observe_with(|buffer| buffer.add(observation));
    }

    /// Puts in a session whose beginning was put in before; see
    /// [`JournalBuffer::add_again`].
    pub(crate) fn observe_again(&self, presence: Presence) {
        self.observe_with(|buffer| buffer.add_again(presence));
    }

    fn observe_with(&self, add: impl FnOnce(&mut JournalBuffer)) {
        let mut waiting = self.lock();
        if waiting.buffer.len() < MOST_WAITING {
            add(&mut waiting.buffer);
        }
        self.wake(waiting);
    }

    /// Counts a use of a topic that was denied.
    pub(crate) fn deny(&self, denied: DeniedUse, now: Timestamp) {
        let mut waiting = self.lock();
        waiting.denied.add(denied, now);
        self.wake(waiting);
    }

    /// Puts in something else.
    pub(crate) fn put(&self, entry: T) {
        self.put_below(MOST_ENTRIES, entry, false);
    }

    /// Puts in something that anybody can bring about as often as they like,
    /// unless there is too much already.
    pub(crate) fn put_if_room(&self, entry: T) {
        self.put_below(MOST_WAITING, entry, false);
    }

    /// Puts in something that somebody waits for.
    pub(crate) fn put_urgent(&self, entry: T) {
        self.put_below(MOST_ENTRIES, entry, true);
    }

    fn put_below(&self, most: usize, entry: T, is_urgent: bool) {
        let mut waiting = self.lock();
        if waiting.entries.len() < most {
            waiting.entries.push(entry);
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

    /// Waits until something has come, but not for longer than `idle`, and then
    /// for a while until no more comes or somebody waits for it.
    pub(crate) fn wait(&self, idle: Duration) {
        // Whoever was woken for what is gone by now goes on to rest, and is to be
        // woken again.
        let rests = |waiting: &mut QueueContent<T>| {
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
    }

    /// Takes all out that has come, in exchange for what is empty; says whether
    /// that is anything.
    pub(crate) fn take(&self, taken: &mut QueueContent<T>) -> bool {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            return false;
        }
        core::mem::swap(&mut *waiting, taken);
        waiting.is_closed = taken.is_closed;
        true
    }

    fn wake(&self, mut waiting: MutexGuard<'_, QueueContent<T>>) {
        if core::mem::take(&mut waiting.is_resting) {
            drop(waiting);
            self.more.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueContent<T>> {
        // INVARIANT: what a panic could leave half changed here is an
        // observation, never a state.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> QueueContent<T> {
    fn is_empty(&self) -> bool {
        let is_quiet = self.entries.is_empty() && self.denied.is_empty();
        is_quiet && self.buffer.len() == 0 && !self.is_closed
    }

    /// Makes it empty, with the memory that it has.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(KEPT);
        self.buffer.clear();
        self.denied.clear();
        self.is_closed = false;
        self.is_urgent = false;
        self.is_resting = false;
    }
}

const GATHER: Duration = Duration::from_millis(50);
const GATHER_TIMES: usize = 5;
const MOST_WAITING: usize = 100_000;
/// So many notes there are at most, with those for which room is kept.
const MOST_ENTRIES: usize = 2 * MOST_WAITING;
/// There is room for so many notes that nothing need be asked of the allocator.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientIdTie;
    use countersign_core::credential::CredentialId;
    use countersign_core::presence::{SessionEnd, SessionNumber};
    use countersign_core::time::Timestamp;

    use super::*;

    const NEVER: Duration = Duration::from_secs(60);

    #[test]
    fn nothing_is_taken_out_where_nothing_came() {
        let inbox = JournalQueue::<u8>::default();
        let mut taken = QueueContent::default();
        inbox.wait(Duration::from_millis(1));
        assert!(!inbox.take(&mut taken) && taken.is_empty());
    }

    #[test]
    fn what_was_put_in_is_taken_out_once_and_in_order() {
        let inbox = JournalQueue::default();
        let used = PresenceEvent::Used(CredentialId(7), Timestamp::from_millis(1));
        inbox.put(1);
        inbox.observe(used.clone());
        inbox.put_urgent(2);
        let mut taken = QueueContent::default();
        assert!(inbox.take(&mut taken));
        assert_eq!((&*taken.entries, taken.buffer.len()), (&[1, 2][..], 1));
        taken.clear();
        assert!(!inbox.take(&mut taken));
        inbox.observe(used);
        assert!(inbox.take(&mut taken));
        assert_eq!((taken.entries.len(), taken.buffer.len()), (0, 1));
    }

    #[test]
    fn whoever_rests_is_woken_and_what_is_closed_stays_so() {
        let inbox = std::sync::Arc::new(JournalQueue::<u8>::default());
        let theirs = std::sync::Arc::clone(&inbox);
        let taker = std::thread::spawn(move || {
            let mut taken = QueueContent::default();
            for _ in 0..2 {
                taken.clear();
                theirs.wait(NEVER);
                assert!(theirs.take(&mut taken) && taken.is_closed);
            }
        });
        inbox.close();
        taker.join().unwrap();
    }

    #[test]
    fn whoever_was_woken_for_what_is_gone_by_then_is_woken_again() {
        let inbox = std::sync::Arc::new(JournalQueue::<u8>::default());
        let theirs = std::sync::Arc::clone(&inbox);
        let (done, told) = std::sync::mpsc::channel();
        let taker = std::thread::spawn(move || {
            let mut taken = QueueContent::default();
            while taken.entries.is_empty() {
                taken.clear();
                theirs.wait(NEVER);
                theirs.take(&mut taken);
            }
            done.send(taken.entries).unwrap();
        });
        for number in 1..=20 {
            // Long enough to come to rest, and too short to be woken in between.
            std::thread::sleep(Duration::from_millis(2));
            inbox.observe(anonymous(number));
            let gone = PresenceEvent::Disconnected(SessionEnd {
                began: Timestamp::from_millis(0),
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
    fn anonymous(number: i64) -> PresenceEvent {
        PresenceEvent::Connected(Presence {
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
        let inbox = JournalQueue::<u8>::default();
        for number in 0..i64::try_from(MOST_WAITING).unwrap() + 10 {
            let at = Timestamp::from_millis(1);
            inbox.observe(PresenceEvent::Used(CredentialId(number), at));
            inbox.put_if_room(0);
        }
        // What nobody can bring about at will has room of its own.
        inbox.put(1);
        inbox.put_urgent(2);
        let mut taken = QueueContent::default();
        inbox.take(&mut taken);
        assert_eq!(taken.buffer.len(), MOST_WAITING);
        assert_eq!(taken.entries.len(), MOST_WAITING + 2);
        for _ in 0..=MOST_ENTRIES {
            inbox.put(1);
            inbox.put_urgent(2);
        }
        taken.clear();
        inbox.take(&mut taken);
        assert_eq!(taken.entries.len(), MOST_ENTRIES);
    }
}
