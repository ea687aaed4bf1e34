//! Whether ticks get through.
//!
//! All that ends sessions happens in ticks. A broker without them (Mosquitto
//! 2.0.11 where `per_listener_settings` is true), or a tick that panics again
//! and again, would leave everybody in for ever.

use core::cell::Cell;
use std::time::{Duration, Instant};

/// Remembers whether the last tick came to its end.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: Cell<bool>,
    /// When it was first felt and not found.
    missed: Cell<Option<Instant>>,
    complained: Cell<bool>,
}

/// What feeling the pulse came to.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Feeling {
    /// Ticks get through, or have not been missing for long.
    Beating,
    /// They don't.
    Absent {
        /// Whether nobody was told yet.
        is_news: bool,
    },
}

impl Pulse {
    /// A tick came to its end.
    pub(crate) fn beat(&self) {
        self.beats.set(true);
        self.missed.set(None);
        self.complained.set(false);
    }

    /// A tick failed.
    pub(crate) fn skip(&self) {
        self.beats.set(false);
    }

    /// Costs next to nothing while ticks get through.
    pub(crate) fn feel(&self) -> Feeling {
        if self.beats.get() {
            return Feeling::Beating;
        }
        let now = Instant::now();
        let missed = self.missed.get().unwrap_or(now);
        self.missed.set(Some(missed));
        if now.saturating_duration_since(missed) < PATIENCE {
            return Feeling::Beating;
        }
        Feeling::Absent {
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
        let pulse = Pulse::default();
        assert_eq!(pulse.feel(), Feeling::Beating);
        pulse.missed.set(Instant::now().checked_sub(PATIENCE));
        assert_eq!(pulse.feel(), Feeling::Absent { is_news: true });
        assert_eq!(pulse.feel(), Feeling::Absent { is_news: false });
        pulse.beat();
        assert_eq!(pulse.feel(), Feeling::Beating);
    }

    #[test]
    fn ticks_that_fail_are_as_good_as_none() {
        let pulse = Pulse::default();
        pulse.beat();
        pulse.skip();
        assert_eq!(pulse.feel(), Feeling::Beating);
        pulse.missed.set(Instant::now().checked_sub(PATIENCE));
        assert_eq!(pulse.feel(), Feeling::Absent { is_news: true });
    }
}
