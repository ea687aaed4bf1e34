//! Which thread a plugin belongs to.
//!
//! The broker makes all its calls on the thread of `init`, with one exception:
//! 2.1 asks about what comes in by a listener with `protocol http_api` from a
//! thread of its own. A plugin shares nothing with that thread but this.

use core::sync::atomic::{AtomicBool, Ordering};

/// The thread that a plugin was made on.
#[derive(Debug)]
pub(crate) struct OwnThread {
    thread: libc::pthread_t,
    /// Whether another thread asked.
    called_from_elsewhere: AtomicBool,
}

impl OwnThread {
    /// The thread that calls this.
    pub(crate) fn new() -> Self {
        Self {
            thread: current(),
            called_from_elsewhere: AtomicBool::new(false),
        }
    }

    /// Says whether the caller is on it, and remembers that one was not.
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: both are threads that run: the caller's own and the broker's
        // first, which ends with the process.
        let is_own = unsafe { libc::pthread_equal(current(), self.thread) } != 0;
        if !is_own {
            self.called_from_elsewhere.store(true, Ordering::Relaxed);
        }
        is_own
    }

    /// Says whether another thread asked since the last time.
    pub(crate) fn take_foreign_call(&self) -> bool {
        self.called_from_elsewhere.load(Ordering::Relaxed)
            && self.called_from_elsewhere.swap(false, Ordering::Relaxed)
    }
}

fn current() -> libc::pthread_t {
    // SAFETY: it has no preconditions.
    unsafe { libc::pthread_self() }
}
