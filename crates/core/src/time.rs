//! Instants. The core never reads a clock; it is told what time it is.

use core::time::Duration;

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `duration` later, or the last one there is.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The instant `duration` earlier, or the first one there is.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "what a host's clock says is taken over; no clock is read here"
)]
impl From<std::time::SystemTime> for Timestamp {
    /// What a host's clock says, to the millisecond; years beyond what fits
    /// are the last or the first instant there is.
    fn from(time: std::time::SystemTime) -> Self {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Self(millis(after)),
            Err(before) => Self(millis(before.duration()).saturating_neg()),
        }
    }
}

/// Says when it is time again for what is done at most every so often.
#[derive(Debug, Default)]
pub struct Interval {
    last: Option<Timestamp>,
}

impl Interval {
    /// Says whether `length` has passed since it last said so, or the clock was set
    /// back.
    pub fn is_over(&mut self, length: Duration, now: Timestamp) -> bool {
        let is_over = self
            .last
            .is_none_or(|last| now < last || now.since(last) >= length);
        if is_over {
            self.last = Some(now);
        }
        is_over
    }
}

/// An instant as RFC 3339 in UTC. What lies outside of its years is shown as
/// the first or last instant it can write.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    let nearest = if time.as_millis() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    };
    jiff::Timestamp::from_millisecond(time.as_millis())
        .unwrap_or(nearest)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_types, reason = "no clock is read here")]
    fn a_clock_before_1970_is_before_1970() {
        let epoch = std::time::SystemTime::UNIX_EPOCH;
        let second = Duration::from_secs(1);
        assert_eq!(Timestamp::from(epoch + second).as_millis(), 1_000);
        assert_eq!(Timestamp::from(epoch - second).as_millis(), -1_000);
    }

    #[test]
    fn an_interval_is_over_at_first_and_then_once_each_time() {
        let mut interval = Interval::default();
        let second = Duration::from_secs(1);
        let times = [
            (0, true),
            (999, false),
            (1_000, true),
            (1_999, false),
            (5, true),
        ];
        for (millis, is_over) in times {
            let now = Timestamp::from_millis(millis);
            assert_eq!(interval.is_over(second, now), is_over, "{millis}");
        }
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        let last = Timestamp::from_millis(i64::MAX);
        assert_eq!(last.plus(Duration::from_secs(1)), last);
        let first = Timestamp::from_millis(i64::MIN);
        assert_eq!(first.minus(Duration::MAX), first);
        assert_eq!(first.since(last), Duration::ZERO);
    }

    #[test]
    fn an_instant_is_written_in_utc_and_never_fails() {
        let text = |millis| rfc3339(Timestamp::from_millis(millis));
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(1_500), "1970-01-01T00:00:01.500Z");
        assert!(text(i64::MAX).starts_with("9999-"));
        assert!(text(i64::MIN).starts_with("-9999-"));
    }
}
