//! How long a token lasts.

use core::time::Duration;

/// The time from a token's issue to its end: whole seconds, 1 s to 24 h.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ttl(Duration);

impl Ttl {
    /// One hour, where none is given.
    pub const DEFAULT: Self = Self(Duration::from_secs(3_600));
    /// 24 hours; more is an error and not cut down.
    pub const MOST: Self = Self(Duration::from_secs(86_400));

    /// Takes a time that a token may last.
    ///
    /// # Errors
    ///
    /// Returns [`TtlError`] for no time, for more than [`Ttl::MOST`], and for
    /// parts of a second.
    pub const fn new(duration: Duration) -> Result<Self, TtlError> {
        let seconds = duration.as_secs();
        let is_whole = duration.subsec_nanos() == 0;
        if is_whole && seconds > 0 && seconds <= Self::MOST.0.as_secs() {
            Ok(Self(duration))
        } else {
            Err(TtlError)
        }
    }

    /// The time as a duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

/// [`Ttl::DEFAULT`].
impl Default for Ttl {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A token can't last that long, or that short.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a token lasts from 1 second to 24 hours, in whole seconds")]
pub struct TtlError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_most_and_no_time_is_too_little() {
        for seconds in [1, 3_600, 86_400] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(Ttl::new(duration).unwrap().as_duration(), duration);
        }
        for bad in [
            Duration::ZERO,
            Duration::from_millis(999),
            Duration::from_millis(1_001),
            Duration::from_secs(86_401),
            Duration::new(86_400, 1),
            Duration::MAX,
        ] {
            assert_eq!(Ttl::new(bad), Err(TtlError), "{bad:?}");
        }
        assert_eq!(Ttl::default().as_duration(), Duration::from_secs(3_600));
    }
}
