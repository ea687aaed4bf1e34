//! How many lines of refusals a host's log gets.

use std::time::Duration;

use countersign_core::time::Timestamp;

/// Counts the lines of a minute. Anybody can bring refusals about, as often as
/// they like; the audit counts them all.
#[derive(Debug, Default)]
pub(crate) struct RefusalLogLimit {
    since: Option<Timestamp>,
    written: u32,
    left_out: u64,
}

impl RefusalLogLimit {
    /// Says whether one more line may be written; counts it.
    pub(crate) fn admit(&mut self, now: Timestamp) -> bool {
        if self.since.is_none_or(|since| is_over(since, now)) {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written < MOST_A_MINUTE {
            self.written = self.written.saturating_add(1);
            return true;
        }
        self.left_out = self.left_out.saturating_add(1);
        false
    }

    /// A line for those that were left out, once their minute is over.
    pub(crate) fn summary(&mut self, now: Timestamp) -> Option<String> {
        if self.left_out == 0 || !self.since.is_none_or(|since| is_over(since, now)) {
            return None;
        }
        let left_out = core::mem::take(&mut self.left_out);
        Some(format!(
            "refused {left_out} more logins in a minute; `countersign audit list` has them"
        ))
    }

    /// Says whether lines were left out and the log does not say so yet.
    pub(crate) fn has_more(&self) -> bool {
        self.left_out > 0
    }
}

/// Says whether a minute is over; a clock that was set back ends it.
fn is_over(since: Timestamp, now: Timestamp) -> bool {
    now < since || now.since(since) >= MINUTE
}

const MINUTE: Duration = Duration::from_secs(60);
const MOST_A_MINUTE: u32 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_flood_of_refusals_is_so_many_lines_a_minute_and_one_that_counts_the_rest() {
        let mut log_limit = RefusalLogLimit::default();
        let admitted = (0..1_000).filter(|_| log_limit.admit(START)).count();
        assert_eq!(admitted, 120);
        assert_eq!(log_limit.summary(START.plus(Duration::from_secs(59))), None);
        let later = START.plus(MINUTE);
        let line = log_limit.summary(later).unwrap();
        assert!(line.contains("880 more"), "{line}");
        assert_eq!(log_limit.summary(later), None);
        assert!(log_limit.admit(later));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing() {
        let mut log_limit = RefusalLogLimit::default();
        while log_limit.admit(START) {}
        assert!(log_limit.admit(START.minus(Duration::from_secs(3_600))));
    }
}
