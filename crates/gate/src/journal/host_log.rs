//! What a host's log gets, and how much of it.

use std::time::Duration;

use countersign_core::time::Timestamp;

use crate::host::{Directive, LogLevel};

/// Counts the lines of a minute that refusals bring about. Anybody can bring
/// those about, as often as they like; the audit counts them all.
#[derive(Debug, Default)]
pub(crate) struct HostLog {
    since: Option<Timestamp>,
    written: u32,
    left_out: u64,
    /// When the store was last said to be unavailable.
    complained: Option<Timestamp>,
    /// Lines for the next poll.
    notices: Vec<String>,
}

impl HostLog {
    /// Has a line written at the next poll.
    pub(crate) fn say(&mut self, line: String) {
        self.notices.push(line);
    }

    /// Says whether there are lines for a poll.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// The lines for this poll.
    pub(crate) fn take_notices(&mut self) -> impl Iterator<Item = Directive> {
        let level = LogLevel::Notice;
        let lines = core::mem::take(&mut self.notices).into_iter();
        lines.map(move |line| Directive::Log { level, line })
    }

    /// Says whether it is time to complain about the store again.
    pub(crate) fn complain(&mut self, now: Timestamp) -> bool {
        let is_time = self.complained.is_none_or(|last| is_over(last, now));
        if is_time {
            self.complained = Some(now);
        }
        is_time
    }

    /// Says whether one more line of a refusal may be written; counts it.
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
        let mut host_log = HostLog::default();
        let admitted = (0..1_000).filter(|_| host_log.admit(START)).count();
        assert_eq!(admitted, 120);
        assert_eq!(host_log.summary(START.plus(Duration::from_secs(59))), None);
        let later = START.plus(MINUTE);
        let line = host_log.summary(later).unwrap();
        assert!(line.contains("880 more"), "{line}");
        assert_eq!(host_log.summary(later), None);
        assert!(host_log.admit(later));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing() {
        let mut host_log = HostLog::default();
        while host_log.admit(START) {}
        assert!(host_log.admit(START.minus(Duration::from_secs(3_600))));
    }
}
