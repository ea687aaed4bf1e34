//! What sessions publish, counted against their limits.
//!
//! What is counted is what is left of a second: it runs off as fast as the limit allows,
//! so that there never is more than one second's worth of it. All sessions of a
//! principal count together, and all of a tenant. Counting takes no lock and allocates
//! nothing.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use countersign_core::credential::CredentialId;
use countersign_core::limit::{Limit, Rates, SessionLimits};
use countersign_core::name::TenantId;
use countersign_core::time::Timestamp;

/// What was published of late, by one session or by several together.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Until when it has run off.
    at: AtomicI64,
    /// Thousandths of messages.
    messages: AtomicU64,
    /// Thousandths of bytes.
    bytes: AtomicU64,
}

impl Bucket {
    /// What is in it, after what has run off by now at these rates.
    fn level(&self, rates: Rates, now: Timestamp) -> Level {
        let passed = now
            .as_millis()
            .saturating_sub(self.at.load(Ordering::Relaxed));
        let passed = u64::try_from(passed).unwrap_or_else(|_| {
            // The clock was set back: it runs off from here.
            self.at.store(now.as_millis(), Ordering::Relaxed);
            0
        });
        let passed = passed.min(SECOND);
        let left = |counted: &AtomicU64, limit: Option<Limit>| {
            let run_off = limit.map_or(u64::MAX, |limit| limit.get().saturating_mul(passed));
            counted.load(Ordering::Relaxed).saturating_sub(run_off)
        };
        Level {
            messages: left(&self.messages, rates.messages),
            bytes: left(&self.bytes, rates.bytes),
        }
    }

    /// What is in it with one message more; none if that is too much.
    fn with(&self, rates: Rates, payload: u64, now: Timestamp) -> Option<Level> {
        let level = self.level(rates, now);
        let after = Level {
            messages: level.messages.saturating_add(SECOND),
            bytes: level.bytes.saturating_add(payload.saturating_mul(SECOND)),
        };
        let is_within = |counted: u64, limit: Option<Limit>| {
            limit.is_none_or(|limit| counted <= limit.get().saturating_mul(SECOND))
        };
        let fits = is_within(after.messages, rates.messages) && is_within(after.bytes, rates.bytes);
        fits.then_some(after)
    }

    fn set(&self, level: Level, now: Timestamp) {
        self.at.store(now.as_millis(), Ordering::Relaxed);
        self.messages.store(level.messages, Ordering::Relaxed);
        self.bytes.store(level.bytes, Ordering::Relaxed);
    }

    /// Says whether all of it has run off, whatever the rates are.
    fn is_empty(&self, now: Timestamp) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        let second = i64::try_from(SECOND).unwrap_or(i64::MAX);
        now.as_millis().saturating_sub(at) >= second || now.as_millis() < at
    }
}

/// What is in a bucket.
#[derive(Clone, Copy)]
struct Level {
    messages: u64,
    bytes: u64,
}

/// What one session publishes, counted against all its limits.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: SessionLimits,
    /// Of all sessions of its principal.
    holder: Arc<Bucket>,
    /// Of all sessions of its tenant.
    tenant: Arc<Bucket>,
    /// Of this session, which takes a part of its tenant's alone.
    own: Bucket,
}

impl Meter {
    /// Counts one message, if it is within all limits; else nothing of it.
    pub(crate) fn admits(&self, payload: u64, now: Timestamp) -> bool {
        if self
            .limits
            .payload()
            .is_some_and(|most| payload > most.get())
        {
            return false;
        }
        let counted = [
            (&*self.holder, self.limits.holder.rates()),
            (&*self.tenant, self.limits.tenant.rates()),
            (&self.own, self.limits.share_of_tenant()),
        ];
        let after = counted.map(|(bucket, rates)| bucket.with(rates, payload, now));
        let [Some(holder), Some(tenant), Some(own)] = after else {
            return false;
        };
        for ((bucket, _), level) in counted.into_iter().zip([holder, tenant, own]) {
            bucket.set(level, now);
        }
        true
    }
}

/// What is counted together, for as long as it matters.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    holders: Buckets<CredentialId>,
    tenants: Buckets<TenantId>,
}

/// Whose session is metered, and by which limits.
pub(crate) struct Metered<'a> {
    pub(crate) limits: Option<&'a SessionLimits>,
    pub(crate) credential: Option<CredentialId>,
    pub(crate) tenant: Option<&'a TenantId>,
}

impl Meters {
    /// The meter of a session, if what it publishes is limited. What it published
    /// `before` counts on.
    pub(crate) fn meter_of(
        &mut self,
        session: &Metered<'_>,
        before: Option<Box<Meter>>,
        now: Timestamp,
    ) -> Option<Box<Meter>> {
        let limits = *session.limits?;
        if limits.leave_publishing() {
            return None;
        }
        let (own, alone) = before.map(|it| (it.own, it.holder)).unwrap_or_default();
        let holder = match &session.credential {
            Some(id) => self.holders.of(id, now),
            // Each client without a login is a holder of its own.
            None => alone,
        };
        let tenant = match session.tenant {
            Some(id) => self.tenants.of(id, now),
            None => Arc::default(),
        };
        Some(Box::new(Meter {
            limits,
            holder,
            tenant,
            own,
        }))
    }
}

/// Buckets that several sessions share. One that no session has any more is kept until
/// it has run off: who comes again has what is left.
#[derive(Debug)]
struct Buckets<K> {
    by_key: HashMap<K, Arc<Bucket>>,
    /// With so many it is time to drop those that are empty.
    most: usize,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            most: FEW,
        }
    }
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn of(&mut self, key: &K, now: Timestamp) -> Arc<Bucket> {
        if let Some(bucket) = self.by_key.get(key) {
            return Arc::clone(bucket);
        }
        if self.by_key.len() >= self.most {
            self.by_key
                .retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_empty(now));
            self.most = self.by_key.len().saturating_mul(2).max(FEW);
        }
        let bucket = Arc::default();
        self.by_key.insert(key.clone(), Arc::clone(&bucket));
        bucket
    }
}

/// In thousandths, and in milliseconds.
const SECOND: u64 = 1_000;
const FEW: usize = 64;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use countersign_core::limit::UseLimits;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn after(milliseconds: u64) -> Timestamp {
        NOW.plus(Duration::from_millis(milliseconds))
    }

    fn meter(holder: &str, tenant: &str) -> Meter {
        let limits = |text: &str| match text {
            "" => UseLimits::default(),
            text => UseLimits::parse(text).unwrap(),
        };
        Meter {
            limits: SessionLimits {
                holder: limits(holder),
                tenant: limits(tenant),
            },
            holder: Arc::default(),
            tenant: Arc::default(),
            own: Bucket::default(),
        }
    }

    fn beside(meter: &Meter) -> Meter {
        Meter {
            limits: meter.limits,
            holder: Arc::default(),
            tenant: Arc::clone(&meter.tenant),
            own: Bucket::default(),
        }
    }

    /// How many messages pass at once.
    fn burst(meter: &Meter, payload: u64, now: Timestamp) -> usize {
        (0..1_000)
            .take_while(|_| meter.admits(payload, now))
            .count()
    }

    #[test]
    fn a_second_holds_so_many_messages_and_gives_them_back_as_it_passes() {
        let meter = meter("messages-per-second=10", "");
        assert_eq!(burst(&meter, 0, NOW), 10);
        assert_eq!(burst(&meter, 0, after(99)), 0);
        assert_eq!(burst(&meter, 0, after(100)), 1);
        assert_eq!(burst(&meter, 0, after(600)), 5);
        assert_eq!(burst(&meter, 0, after(60_000)), 10);
        // A clock that was set back gives nothing and takes nothing.
        assert_eq!(burst(&meter, 0, NOW), 0);
        assert_eq!(burst(&meter, 0, after(100)), 1);
    }

    #[test]
    fn bytes_are_those_of_payloads_and_one_that_is_too_long_never_passes() {
        let meter = meter("bytes-per-second=1000 payload=600", "");
        assert!(!meter.admits(601, NOW));
        assert_eq!(burst(&meter, 400, NOW), 2);
        // What was denied took nothing.
        assert!(meter.admits(200, NOW));
        assert!(!meter.admits(1, NOW));
        assert_eq!(burst(&meter, 0, NOW), 1_000);
    }

    #[test]
    fn sessions_of_a_tenant_share_what_it_may_and_one_takes_half_at_most() {
        let one = meter("", "messages-per-second=10");
        let (two, three) = (beside(&one), beside(&one));
        assert_eq!(burst(&one, 0, NOW), 5);
        assert_eq!(burst(&two, 0, NOW), 5);
        assert_eq!(burst(&three, 0, NOW), 0);
        let alone = meter("", "messages-per-second=10 share=100");
        assert_eq!(burst(&alone, 0, NOW), 10);
        // What its own limit denies, its tenant keeps.
        let noisy = meter("messages-per-second=1", "messages-per-second=4 share=100");
        assert_eq!(burst(&noisy, 0, NOW), 1);
        assert_eq!(burst(&noisy, 0, NOW), 0);
        let quiet = Meter {
            limits: SessionLimits {
                holder: UseLimits::default(),
                ..noisy.limits
            },
            ..beside(&noisy)
        };
        assert_eq!(burst(&quiet, 0, NOW), 3);
    }

    #[test]
    fn what_is_shared_outlives_its_sessions_until_it_has_run_off_and_no_longer() {
        let rates = Rates {
            messages: Limit::new(1),
            bytes: None,
        };
        let mut buckets = Buckets::default();
        let used = buckets.of(&0_usize, NOW);
        let level = used.with(rates, 0, NOW).unwrap();
        used.set(level, NOW);
        drop(used);
        let held = buckets.of(&1, NOW);
        for number in 2..10_000 {
            drop(buckets.of(&number, after(999)));
            assert!(buckets.by_key.len() <= 2 * FEW);
        }
        let again = buckets.of(&0, after(999));
        assert!(again.with(rates, 0, after(999)).is_none());
        drop(again);
        for number in 0..10_000 {
            drop(buckets.of(&(20_000 + number), after(1_000)));
        }
        assert!(!buckets.by_key.contains_key(&0));
        assert!(Arc::ptr_eq(&held, &buckets.of(&1, after(1_000))));
    }

    proptest! {
        #[test]
        fn no_time_holds_more_than_its_length_and_one_second_allow(
            rate in 1_u64..50,
            gaps in proptest::collection::vec(0_u64..400, 1..300),
        ) {
            let meter = meter(&format!("messages-per-second={rate}"), "");
            let mut at = 0_u64;
            let mut passed = Vec::new();
            for gap in gaps {
                at = at.saturating_add(gap);
                if meter.admits(0, after(at)) {
                    passed.push(at);
                }
            }
            for (position, from) in passed.iter().enumerate() {
                for (more, until) in passed[position..].iter().enumerate() {
                    let so_many = u64::try_from(more).unwrap().saturating_add(1);
                    let time = until.saturating_sub(*from).saturating_add(SECOND);
                    prop_assert!(so_many.saturating_mul(SECOND) <= rate.saturating_mul(time));
                }
            }
        }
    }
}
