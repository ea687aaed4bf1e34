//! The share of a host's time that slow checks may take.

use core::time::Duration;

use crate::options::Percent;
use crate::time::Timestamp;

/// A share of the host's time, kept as the instant at which what was spent is
/// earned again.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeShare {
    earned_at: Timestamp,
    /// How long it takes to earn one unit of time, in tenths of a percent.
    per_mille: u32,
    /// How long a check takes at worst, as far as the last ones show.
    longest: Duration,
    /// So many checks of one name may come at once.
    burst: u32,
}

impl TimeShare {
    pub(super) fn new(share: Percent, part: u32, burst: u32) -> Self {
        let per_mille = u32::from(share.get()).saturating_mul(part) / 10;
        Self {
            earned_at: Timestamp::from_millis(i64::MIN),
            per_mille: per_mille.max(1),
            longest: Duration::ZERO,
            burst,
        }
    }

    pub(super) fn has_time(&self, now: Timestamp) -> bool {
        self.debt(now) < self.most()
    }

    pub(super) fn spend(&mut self, time: Duration, now: Timestamp) {
        let time = time.min(LONGEST_CHECK);
        // Fades slowly: where other work slows some checks down, the burst must
        // still be as many as it promises.
        let faded = self.longest.mul_f64(FADING);
        self.longest = time.max(faded);
        let debt = self.debt(now).min(self.most());
        self.earned_at = now.plus(debt.saturating_add(self.price(time)));
    }

    fn debt(&self, now: Timestamp) -> Duration {
        let most = self.most().saturating_add(self.price(self.longest));
        self.earned_at.since(now).min(most)
    }

    /// How far ahead time may be spent: a second's share, and on top of it
    /// what the burst of one name takes.
    fn most(&self) -> Duration {
        let burst = self.longest.saturating_mul(self.burst);
        WINDOW.saturating_add(self.price(burst))
    }

    /// How long it takes to earn `time`.
    fn price(&self, time: Duration) -> Duration {
        time.saturating_mul(1_000)
            .checked_div(self.per_mille)
            .unwrap_or(Duration::MAX)
    }
}

/// So far ahead time may be spent.
const WINDOW: Duration = Duration::from_secs(1);
/// Of the longest check so much is remembered at the next one.
const FADING: f64 = 15.0 / 16.0;
/// What takes longer was no check but a clock that was set.
const LONGEST_CHECK: Duration = Duration::from_secs(10);
