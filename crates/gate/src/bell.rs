//! Calling the host's thread, and what waits for it.
//!
//! The gate's own threads put what they found into a [`Mailbox`] and ring the
//! [`Bell`]. A host may miss that: a wake-up can come between its last look and
//! its sleep. So one thread, the follower's, rings again and again until the
//! host has looked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wakes the host until it has looked.
pub(crate) struct Bell {
    /// Set while some mailbox holds something, so that a poll costs one load.
    ringing: AtomicBool,
    wake: Arc<dyn Fn() + Send + Sync>,
    stop: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(crate) fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            ringing: AtomicBool::new(false),
            wake,
            stop: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    /// Says whether there is something for the host to take.
    pub(crate) fn is_ringing(&self) -> bool {
        self.ringing.load(Ordering::Acquire)
    }

    /// Says whether there is something to take, all of which the host takes
    /// now.
    pub(crate) fn answer(&self) -> bool {
        self.is_ringing() && self.ringing.swap(false, Ordering::AcqRel)
    }

    /// Wakes the host, now and until it answers.
    fn ring(&self) {
        if !self.ringing.swap(true, Ordering::AcqRel) {
            (self.wake)();
            // Under the lock, so that whoever is about to rest hears of it.
            let _stop = self.lock();
            self.changed.notify_all();
        }
    }

    /// Rests, and rings again as long as nobody has answered. Says whether to
    /// stop.
    pub(crate) fn rest(&self, idle: Duration) -> bool {
        let mut stop = self.lock();
        if !*stop && !self.is_ringing() {
            stop = self
                .changed
                .wait_timeout_while(stop, idle, |stop| !*stop && !self.is_ringing())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if *stop || !self.is_ringing() {
            return *stop;
        }
        let (stop, _timed_out) = self
            .changed
            .wait_timeout_while(stop, AGAIN, |stop| !*stop)
            .unwrap_or_else(PoisonError::into_inner);
        if !*stop && self.is_ringing() {
            (self.wake)();
        }
        *stop
    }

    /// Ends the rest of the thread that rings again.
    pub(crate) fn stop(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // INVARIANT: no code panics between two changes of the state.
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for the host's thread.
pub(crate) struct Mailbox<T> {
    bell: Arc<Bell>,
    queue: Mutex<VecDeque<T>>,
}

impl<T> Mailbox<T> {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        Self {
            bell,
            queue: Mutex::default(),
        }
    }

    /// Puts something in, and rings the bell.
    pub(crate) fn put(&self, found: impl IntoIterator<Item = T>) {
        let mut queue = self.lock();
        let before = queue.len();
        queue.extend(found);
        let is_more = queue.len() > before;
        drop(queue);
        if is_more {
            self.bell.ring();
        }
    }

    /// How much is in it.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Takes all that is in it, once the bell was answered.
    pub(crate) fn take(&self) -> VecDeque<T> {
        core::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // INVARIANT: no code panics between two changes of the queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So soon a host that did not look is woken again.
const AGAIN: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Instant;

    use super::*;

    fn bell() -> (Arc<Bell>, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let wake = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        (Arc::new(Bell::new(Arc::new(wake))), wakes)
    }

    #[test]
    fn nothing_rings_at_first() {
        let (bell, wakes) = bell();
        assert!(!bell.answer());
        assert!(!bell.rest(Duration::from_millis(1)));
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_host_that_misses_the_bell_is_woken_again_until_it_looks() {
        let (bell, wakes) = bell();
        let mailbox = Mailbox::new(Arc::clone(&bell));
        mailbox.put([1, 2]);
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        for _ in 0..3 {
            assert!(!bell.rest(Duration::from_secs(60)));
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 4);
        assert!(bell.answer());
        assert_eq!(mailbox.take(), [1, 2]);
        assert!(!bell.answer());
        assert!(!bell.rest(Duration::from_millis(1)));
        assert_eq!(wakes.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn a_ring_ends_a_long_rest() {
        let (bell, _) = bell();
        let mailbox = Mailbox::new(Arc::clone(&bell));
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| bell.rest(Duration::from_secs(60)));
            std::thread::sleep(Duration::from_millis(20));
            mailbox.put(["news"]);
        });
        assert!(start.elapsed() < Duration::from_secs(30));
        bell.stop();
        assert!(bell.rest(Duration::from_secs(60)));
    }
}
