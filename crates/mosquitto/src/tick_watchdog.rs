//! Whether ticks get through.
//!
//! Sessions are ended in ticks alone. A broker without ticks (Mosquitto 2.0.11
//! where `per_listener_settings` is true), or a tick that panics again and
//! again, would never end a session.

use core::cell::Cell;
use std::time::{Duration, Instant};

/// Remembers whether the last tick came to its end.
#[derive(Debug, Default)]
pub(crate) struct TickWatchdog {
    completed: Cell<bool>,
    /// When it was first felt and not found.
    missed: Cell<Option<Instant>>,
    complained: Cell<bool>,
}

/// Whether ticks get through.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum TickState {
    /// Ticks get through, or have not been missing for long.
    Alive,
    /// They don't.
    Missing {
        /// Whether the log does not say so yet.
        is_news: bool,
    },
}

impl TickWatchdog {
    /// A tick came to its end.
    pub(crate) fn tick_completed(&self) {
        self.completed.set(true);
        self.missed.set(None);
        self.complained.set(false);
    }

    /// A tick failed.
    pub(crate) fn tick_failed(&self) {
        self.completed.set(false);
    }

    /// Costs next to nothing while ticks get through.
    pub(crate) fn check(&self) -> TickState {
        if self.completed.get() {
            return TickState::Alive;
        }
        let now = Instant::now();
        let missed = self.missed.get().unwrap_or(now);
        self.missed.set(Some(missed));
        if now.saturating_duration_since(missed) < PATIENCE {
            return TickState::Alive;
        }
        TickState::Missing {
            is_news: !self.complained.replace(true),
        }
    }
}

/// A broker may be busy for a while between its first client and its first
/// tick.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_never_come_are_found_out_and_said_once() {
        let watchdog = TickWatchdog::default();
        assert_eq!(watchdog.check(), TickState::Alive);
        watchdog.missed.set(Instant::now().checked_sub(PATIENCE));
        assert_eq!(watchdog.check(), TickState::Missing { is_news: true });
        assert_eq!(watchdog.check(), TickState::Missing { is_news: false });
        watchdog.tick_completed();
        assert_eq!(watchdog.check(), TickState::Alive);
    }

    #[test]
    fn ticks_that_fail_are_as_good_as_none() {
        let watchdog = TickWatchdog::default();
        watchdog.tick_completed();
        watchdog.tick_failed();
        assert_eq!(watchdog.check(), TickState::Alive);
        watchdog.missed.set(Instant::now().checked_sub(PATIENCE));
        assert_eq!(watchdog.check(), TickState::Missing { is_news: true });
    }
}
