//! Waking the host's thread, and what waits for it.
//!
//! The gate's own threads put what they found into an [`Inbound`] and raise the
//! [`WakeSignal`]. A host may miss one wake-up: it can come between the host's
//! last poll and its sleep. So the follower's thread raises the signal again
//! and again until the host has polled.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wakes the host until it has polled.
pub(crate) struct WakeSignal {
    /// Set while some [`Inbound`] holds something, so that a poll costs one
    /// load.
    raised: AtomicBool,
    wake: Arc<dyn Fn() + Send + Sync>,
    stop: Mutex<bool>,
    changed: Condvar,
}

impl WakeSignal {
    pub(crate) fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            raised: AtomicBool::new(false),
            wake,
            stop: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    /// Says whether there is something for the host to take.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Says whether there is something to take, all of which the host takes
    /// now.
    pub(crate) fn acknowledge(&self) -> bool {
        self.is_raised() && self.raised.swap(false, Ordering::AcqRel)
    }

    /// Wakes the host, now and until it answers.
    fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            (self.wake)();
            // Under the lock, so that whoever is about to rest hears of it.
            let _stop = self.lock();
            self.changed.notify_all();
        }
    }

    /// Waits, and raises the signal again until the host acknowledges it.
    pub(crate) fn wait(&self, idle: Duration) {
        let mut stop = self.lock();
        if !*stop && !self.is_raised() {
            stop = self
                .changed
                .wait_timeout_while(stop, idle, |stop| !*stop && !self.is_raised())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if *stop || !self.is_raised() {
            return;
        }
        let (stop, _timed_out) = self
            .changed
            .wait_timeout_while(stop, AGAIN, |stop| !*stop)
            .unwrap_or_else(PoisonError::into_inner);
        if !*stop && self.is_raised() {
            (self.wake)();
        }
    }

    /// Says whether to stop raising it.
    pub(crate) fn is_stopped(&self) -> bool {
        *self.lock()
    }

    /// Ends the wait of the job that raises the signal again.
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
pub(crate) struct Inbound<T> {
    wake_signal: Arc<WakeSignal>,
    queue: Mutex<VecDeque<T>>,
}

impl<T> Inbound<T> {
    pub(crate) fn new(wake_signal: Arc<WakeSignal>) -> Self {
        Self {
            wake_signal,
            queue: Mutex::default(),
        }
    }

    /// Puts something in, and raises the signal.
    pub(crate) fn put(&self, found: impl IntoIterator<Item = T>) {
        let mut queue = self.lock();
        let before = queue.len();
        queue.extend(found);
        let is_more = queue.len() > before;
        drop(queue);
        if is_more {
            self.wake_signal.raise();
        }
    }

    /// The number of items.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Takes all that is in it, once the wake signal was acknowledged.
    pub(crate) fn take(&self) -> VecDeque<T> {
        core::mem::take(&mut *self.lock())
    }

    /// Takes so much of it at most, once the wake signal was acknowledged. For what is
    /// left, the signal is raised again.
    pub(crate) fn take_most(&self, most: usize) -> VecDeque<T> {
        let mut queue = self.lock();
        if queue.len() <= most {
            return core::mem::take(&mut *queue);
        }
        let taken = queue.drain(..most).collect();
        drop(queue);
        self.wake_signal.raise();
        taken
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

    fn wake_signal() -> (Arc<WakeSignal>, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let wake = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        (Arc::new(WakeSignal::new(Arc::new(wake))), wakes)
    }

    #[test]
    fn nothing_rings_at_first() {
        let (wake_signal, wakes) = wake_signal();
        assert!(!wake_signal.acknowledge());
        wake_signal.wait(Duration::from_millis(1));
        assert!(!wake_signal.is_stopped());
        assert_eq!(wakes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_host_that_misses_the_bell_is_woken_again_until_it_looks() {
        let (wake_signal, wakes) = wake_signal();
        let inbound = Inbound::new(Arc::clone(&wake_signal));
        inbound.put([1, 2]);
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        for _ in 0..3 {
            wake_signal.wait(Duration::from_secs(60));
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 4);
        assert!(wake_signal.acknowledge());
        assert_eq!(inbound.take(), [1, 2]);
        assert!(!wake_signal.acknowledge());
        wake_signal.wait(Duration::from_millis(1));
        assert_eq!(wakes.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn what_is_left_behind_rings_again() {
        let (wake_signal, wakes) = wake_signal();
        let inbound = Inbound::new(Arc::clone(&wake_signal));
        inbound.put([1, 2, 3]);
        for (taken, is_more) in [(&[1, 2][..], true), (&[3], false), (&[], false)] {
            let was_raised = wake_signal.acknowledge();
            assert_eq!(was_raised, !taken.is_empty());
            assert_eq!(inbound.take_most(2), taken);
            assert_eq!(wake_signal.is_raised(), is_more);
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_ring_ends_a_long_rest() {
        let (wake_signal, _) = wake_signal();
        let inbound = Inbound::new(Arc::clone(&wake_signal));
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| wake_signal.wait(Duration::from_secs(60)));
            inbound.put(["news"]);
        });
        wake_signal.stop();
        wake_signal.wait(Duration::from_secs(60));
        assert!(wake_signal.is_stopped() && start.elapsed() < Duration::from_secs(30));
    }
}
