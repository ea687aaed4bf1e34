//! Lockout: how many wrong logins a user may make before waiting.
//!
//! Each full block of failures locks for one step longer than the one before,
//! up to a longest lock. A login during a lock is neither judged nor counted,
//! so repeated logins do not make a lock longer. A successful login resets the
//! count to [`Lockout::default`].

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::duration::{parse_duration, write_duration};
use crate::given::Given;
use crate::time::Timestamp;

/// When a user is locked, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockoutPolicy {
    failures: NonZeroU32,
    step: Duration,
    longest: Duration,
}

impl LockoutPolicy {
    /// Parses `failures=5,step=5m,longest=30m`, in this order.
    ///
    /// # Errors
    ///
    /// Returns [`LockoutPolicyError`] for another shape, for other than 1 to
    /// 100 failures, for a step or a longest lock of more than 24 hours, and
    /// for a step that is longer than the longest lock.
    pub fn parse(text: &str) -> Result<Self, LockoutPolicyError> {
        Self::read(text).ok_or_else(|| LockoutPolicyError(text.into()))
    }

    /// How many failures are a block.
    #[must_use]
    pub const fn failures(self) -> NonZeroU32 {
        self.failures
    }

    /// How much longer each block locks than the one before.
    #[must_use]
    pub const fn step(self) -> Duration {
        self.step
    }

    /// How long a block locks at most.
    #[must_use]
    pub const fn longest(self) -> Duration {
        self.longest
    }

    /// The stricter of both in every part.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            failures: self.failures.min(other.failures),
            step: self.step.max(other.step),
            longest: self.longest.max(other.longest),
        }
    }

    /// That of a user to whom tenants with these policies grant something: the strictest,
    /// where `default` is that of a tenant without one.
    #[must_use]
    pub fn of_tenants(policies: impl IntoIterator<Item = Option<Self>>, default: Self) -> Self {
        let policies = policies.into_iter();
        let strictest = policies
            .map(|policy| policy.unwrap_or(default))
            .reduce(Self::stricter);
        strictest.unwrap_or(default)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let failures = parts.next()?.strip_prefix("failures=")?;
        let step = parts.next()?.strip_prefix("step=")?;
        let longest = parts.next()?.strip_prefix("longest=")?;
        if parts.next().is_some() || !failures.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let failures: NonZeroU32 = failures.parse().ok()?;
        let step = parse_duration(step).ok()?;
        let longest = parse_duration(longest).ok()?;
        let sane = failures.get() <= MOST_FAILURES && step <= longest && longest <= LONGEST_OF_ALL;
        sane.then_some(Self {
            failures,
            step,
            longest,
        })
    }

    /// How long the lock is that the failure with this number brings.
    fn lock_after(self, failures: u32) -> Option<Duration> {
        if failures == u32::MAX {
            // The counter stands still here, and so would not come round.
            return Some(self.longest);
        }
        let is_full = failures.is_multiple_of(self.failures.get());
        let blocks = failures / self.failures;
        (is_full && blocks > 0).then(|| self.step.saturating_mul(blocks).min(self.longest))
    }
}

/// Five failures, five minutes longer each time, thirty at most.
impl Default for LockoutPolicy {
    fn default() -> Self {
        Self {
            failures: const { NonZeroU32::MIN.saturating_add(4) },
            step: Duration::from_secs(5 * 60),
            longest: Duration::from_secs(30 * 60),
        }
    }
}

impl fmt::Display for LockoutPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failures={},step=", self.failures)?;
        write_duration(f, self.step)?;
        f.write_str(",longest=")?;
        write_duration(f, self.longest)
    }
}

/// A text is not a valid lockout policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid lockout policy; write `failures=5,step=5m,longest=30m` (failures from 1 to 100, step and longest from 1s to 24h, step not above longest)"
)]
pub struct LockoutPolicyError(Given);

/// What is kept of a user's failures.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lockout {
    /// How many there were since the last successful login.
    pub failures: u32,
    /// The end of the lock that the last full block brought.
    pub locked_until: Option<Timestamp>,
}

impl Lockout {
    /// Says whether the user is locked at `now`.
    ///
    /// The lock ends at its instant and not after it. An end more than 24
    /// hours away is the end of no lock: no policy makes one, so the clock was
    /// set back since, and nobody stays locked until it has caught up. A clock
    /// that was set back by less makes a lock that much longer.
    #[must_use]
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until
            .is_some_and(|until| now < until && until.since(now) <= LONGEST_OF_ALL)
    }

    /// What is kept after one more failure at `now`.
    ///
    /// The nth full block of failures locks for n steps from `now`, or for the
    /// longest time if that is shorter. While the user is locked a failure
    /// changes nothing.
    #[must_use]
    pub fn after_failure(self, policy: &LockoutPolicy, now: Timestamp) -> Self {
        if self.is_locked(now) {
            return self;
        }
        let failures = self.failures.saturating_add(1);
        let lock = policy.lock_after(failures);
        Self {
            failures,
            locked_until: lock.map(|lock| now.plus(lock)),
        }
    }
}

const MOST_FAILURES: u32 = 100;
const LONGEST_OF_ALL: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    /// Fails at `now`, so many times.
    fn failed(mut lockout: Lockout, times: u32, now: Timestamp) -> Lockout {
        for _ in 0..times {
            lockout = lockout.after_failure(&LockoutPolicy::default(), now);
        }
        lockout
    }

    #[test]
    fn each_fifth_failure_locks_five_minutes_longer_up_to_thirty() {
        let mut lockout = Lockout::default();
        let mut now = START;
        for minutes in [5, 10, 15, 20, 25, 30, 30, 30] {
            lockout = failed(lockout, 4, now);
            assert!(!lockout.is_locked(now), "{minutes}");
            lockout = failed(lockout, 1, now);
            let lock = Duration::from_secs(minutes * 60);
            assert_eq!(lockout.locked_until, Some(now.plus(lock)), "{minutes}");
            assert!(lockout.is_locked(now));
            now = now.plus(lock);
            assert!(!lockout.is_locked(now));
        }
        assert_eq!(lockout.failures, 40);
    }

    #[test]
    fn a_lock_ends_at_its_instant_and_not_after() {
        let lockout = failed(Lockout::default(), 5, START);
        assert!(lockout.is_locked(after(4 * 60 + 59)));
        assert!(!lockout.is_locked(after(5 * 60)));
        assert!(!lockout.is_locked(after(5 * 60 + 1)));
    }

    #[test]
    fn failures_while_locked_are_not_counted() {
        let lockout = failed(Lockout::default(), 5, START);
        assert_eq!(failed(lockout, 100, after(299)), lockout);
        assert_eq!(failed(lockout, 1, after(300)).failures, 6);
    }

    /// The caller resets, and a reset is the default.
    #[test]
    fn a_success_in_between_begins_again() {
        let four = failed(Lockout::default(), 4, START);
        assert!(!four.is_locked(START));
        let reset = Lockout::default();
        assert!(!failed(reset, 4, START).is_locked(START));
        assert!(failed(four, 1, START).is_locked(START));
    }

    #[test]
    fn nobody_is_locked_who_never_failed() {
        assert!(!Lockout::default().is_locked(START));
        assert!(!Lockout::default().is_locked(Timestamp::from_millis(i64::MIN)));
    }

    #[test]
    fn a_clock_that_is_set_back_far_locks_nobody_forever() {
        let lockout = failed(Lockout::default(), 5, START);
        let hour_ago = START.minus(Duration::from_secs(3_600));
        assert!(lockout.is_locked(hour_ago));
        let year_ago = START.minus(Duration::from_secs(365 * 86_400));
        assert!(!lockout.is_locked(year_ago));
        // And what fails then counts on.
        let later = failed(lockout, 5, year_ago);
        assert_eq!(later.failures, 10);
        assert!(later.is_locked(year_ago));
    }

    #[test]
    fn a_counter_at_its_end_still_locks() {
        for text in [
            "failures=5,step=5m,longest=30m",
            "failures=7,step=5m,longest=30m",
        ] {
            let policy = LockoutPolicy::parse(text).unwrap();
            let mut lockout = Lockout {
                failures: u32::MAX - 1,
                locked_until: None,
            };
            let mut now = START;
            for _ in 0..3 {
                lockout = lockout.after_failure(&policy, now);
                assert_eq!(lockout.failures, u32::MAX);
                assert_eq!(lockout.locked_until, Some(now.plus(policy.longest())));
                now = now.plus(policy.longest());
            }
        }
    }

    #[test]
    fn a_policy_is_written_as_it_is_read() {
        assert_eq!(
            LockoutPolicy::default().to_string(),
            "failures=5,step=5m,longest=30m"
        );
        for text in [
            "failures=5,step=5m,longest=30m",
            "failures=1,step=1s,longest=1s",
            "failures=100,step=24h,longest=24h",
            "failures=3,step=90s,longest=2h",
        ] {
            let policy = LockoutPolicy::parse(text).unwrap();
            assert_eq!(policy.to_string(), text);
        }
        let default = LockoutPolicy::parse("failures=5,step=300s,longest=30m");
        assert_eq!(default, Ok(LockoutPolicy::default()));
        let day = LockoutPolicy::parse("failures=5,step=1d,longest=1d").unwrap();
        assert_eq!(day.to_string(), "failures=5,step=24h,longest=24h");
    }

    #[test]
    fn anything_else_is_no_policy() {
        for text in [
            "",
            "5",
            "failures=5",
            "failures=5,step=5m",
            "failures=5,step=5m,longest=30m,",
            "failures=5,step=5m,longest=30m,x=1",
            "step=5m,failures=5,longest=30m",
            "failures=0,step=5m,longest=30m",
            "failures=101,step=5m,longest=30m",
            "failures=+5,step=5m,longest=30m",
            "failures=-5,step=5m,longest=30m",
            "failures=99999999999,step=5m,longest=30m",
            "failures=,step=5m,longest=30m",
            "failures=5,step=0s,longest=30m",
            "failures=5,step=5m,longest=0s",
            "failures=5,step=31m,longest=30m",
            "failures=5,step=5m,longest=25h",
            "failures=5,step=5m,longest=86401s",
            "failures=5, step=5m, longest=30m",
            " failures=5,step=5m,longest=30m",
        ] {
            assert!(LockoutPolicy::parse(text).is_err(), "{text}");
        }
    }
}
