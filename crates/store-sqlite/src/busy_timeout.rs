//! How long a connection waits for a lock that another one holds.
//!
//! SQLite's busy handler is a plain function, so the limit of the running call
//! is kept in a thread-local. The clock is read only when there is something to
//! wait for.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// What the calls of this thread may wait, all in all, until it is dropped.
pub(crate) struct BusyTimeout {
    before: WaitLimit,
}

impl BusyTimeout {
    /// Allows the calls that follow to wait for `limit` altogether.
    pub(crate) fn of(limit: Duration) -> Self {
        let allowance = WaitLimit { limit, until: None };
        Self {
            before: WAIT_LIMIT.replace(allowance),
        }
    }
}

impl Drop for BusyTimeout {
    fn drop(&mut self) {
        WAIT_LIMIT.set(self.before);
    }
}

/// SQLite's busy handler: sleeps a little and says whether to try again.
pub(crate) fn busy_handler(_tries: i32) -> bool {
    let mut allowance = WAIT_LIMIT.get();
    let now = Instant::now();
    let until = match allowance.until {
        Some(until) => until,
        None => match now.checked_add(allowance.limit) {
            Some(until) => until,
            None => return false,
        },
    };
    allowance.until = Some(until);
    WAIT_LIMIT.set(allowance);
    if now >= until {
        return false;
    }
    thread::sleep(NAP.min(until.duration_since(now)));
    true
}

/// Leaves others who nap in [`busy_handler`] a chance at the lock, if this
/// connection gave it back only just now.
///
/// Without it, a writer in a tight loop takes the lock again before anybody
/// wakes, and a login waits its 20 ms in vain.
pub(crate) fn yield_write_lock(last_write: Option<Instant>) {
    if last_write.is_some_and(|at| at.elapsed() < TURN) {
        thread::sleep(TURN);
    }
}

/// The limit of the running call, and its end once it had to wait.
#[derive(Clone, Copy)]
struct WaitLimit {
    limit: Duration,
    until: Option<Instant>,
}

thread_local! {
    static WAIT_LIMIT: Cell<WaitLimit> = const {
        Cell::new(WaitLimit { limit: Duration::ZERO, until: None })
    };
}

/// What a login and a look-up of a gate wait: they run on the broker's thread.
pub(crate) const GATE_WAIT: Duration = Duration::from_millis(20);

/// What a gate waits off the broker's thread.
pub(crate) const BATCH_WAIT: Duration = Duration::from_secs(1);

/// What an administrator's act waits.
pub(crate) const ADMIN_WAIT: Duration = Duration::from_secs(5);

const NAP: Duration = Duration::from_micros(250);

/// Longer than a nap takes, the sleeper's late waking included.
const TURN: Duration = Duration::from_micros(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_without_being_allowed_to() {
        assert!(!busy_handler(0));
    }

    #[test]
    fn the_wait_ends_with_its_limit_however_many_locks_it_meets() {
        let _patience = BusyTimeout::of(Duration::from_millis(5));
        let start = Instant::now();
        let mut tries = 0;
        while busy_handler(tries % 3) {
            tries += 1;
        }
        assert!(tries > 0);
        assert!(start.elapsed() >= Duration::from_millis(5));
    }
}
