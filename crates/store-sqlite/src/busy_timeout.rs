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

/// Which part of the time a connection has the write lock, off the host's thread.
///
/// A writer in a tight loop takes the lock again before others wake who nap in
/// [`busy_handler`], and a login waits its 20 ms in vain. So it leaves the lock to
/// others for a turn: an administrator's, each time that it had the lock for
/// [`LONGEST_HELD`] in all; a broker's journal, each time, which costs logins less.
#[derive(Debug, Default)]
pub(crate) struct WriteTurns {
    /// How long it had the lock since others last had a turn.
    held: Duration,
    /// When it last gave the lock back.
    given_back: Option<Instant>,
}

impl WriteTurns {
    /// Waits until others had a turn, if it is theirs; before the lock is taken. It is
    /// once this connection had the lock for `longest`.
    pub(crate) fn wait(&mut self, longest: Duration) {
        let idle = self.given_back.map(|at| at.elapsed());
        if self.is_over(idle, longest) {
            thread::sleep(TURN);
        }
    }

    /// Says whether the next turn is for others to take, after this connection left
    /// the lock alone for so long.
    fn is_over(&mut self, idle: Option<Duration>, longest: Duration) -> bool {
        let had_no_turn = idle.is_some_and(|idle| idle < TURN);
        if had_no_turn && self.held < longest {
            return false;
        }
        self.held = Duration::ZERO;
        had_no_turn
    }

    /// Takes note that the lock was given back, which was taken at `taken`.
    pub(crate) fn give_back(&mut self, taken: Instant) {
        self.held = self.held.saturating_add(taken.elapsed());
        self.given_back = Some(Instant::now());
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

/// A quarter of what a login waits: it gets a turn even if it sleeps through one.
pub(crate) const LONGEST_HELD: Duration = Duration::from_millis(5);

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
    #[test]
    fn a_connection_that_had_the_lock_for_long_leaves_it_to_others_for_a_turn() {
        let at_once = Some(Duration::ZERO);
        let half = Duration::from_micros(2_500);
        let mut turns = WriteTurns::default();
        assert!(!turns.is_over(None, LONGEST_HELD));
        turns.held = half;
        assert!(!turns.is_over(at_once, LONGEST_HELD));
        turns.held = LONGEST_HELD;
        assert!(turns.is_over(at_once, LONGEST_HELD));
        assert!(!turns.is_over(at_once, LONGEST_HELD));
        assert!(turns.is_over(at_once, Duration::ZERO));
        // Who leaves it alone for a turn has given others theirs.
        turns.held = LONGEST_HELD;
        assert!(!turns.is_over(Some(TURN), LONGEST_HELD));
        assert!(!turns.is_over(at_once, LONGEST_HELD));
    }

    #[test]
    fn the_time_that_the_lock_was_had_for_adds_up() {
        let mut turns = WriteTurns::default();
        let earlier = Instant::now()
            .checked_sub(Duration::from_micros(2_500))
            .unwrap();
        turns.give_back(earlier);
        turns.give_back(earlier);
        assert!(turns.held >= LONGEST_HELD);
    }
}
