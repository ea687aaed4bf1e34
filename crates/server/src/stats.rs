//! What happened in the last hour, minute by minute: logins, refusals, sessions.
//!
//! Brokers tell what they counted since they started. What each counted between two looks
//! belongs to the minute of the second look. The service looks once a minute, and whenever
//! somebody asks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::metrics::{BrokerMetrics, UseCounts};
use countersign_core::name::TenantId;
use countersign_core::time::Timestamp;

/// What was counted in the last hour.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<Hour>);

#[derive(Debug, Default)]
struct Hour {
    /// What each broker that is alive had counted at the last look.
    last: BTreeMap<String, Counted>,
    minutes: VecDeque<Minute>,
}

/// Logins that were let in and those that were refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Logins {
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    all: Logins,
    by_tenant: BTreeMap<TenantId, Logins>,
}

#[derive(Debug)]
struct Minute {
    /// Which one, counted from 1970.
    number: i64,
    counted: Counted,
    sessions: u64,
}

/// A minute, as it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ToldMinute {
    pub(crate) begin: Timestamp,
    pub(crate) logins: Logins,
    /// Of all tenants alone.
    pub(crate) sessions: Option<u64>,
}

impl Stats {
    /// Takes what the brokers that are alive had counted at `now`.
    pub(crate) fn observe<'a>(
        &self,
        now: Timestamp,
        brokers: impl Iterator<Item = (&'a str, &'a BrokerMetrics)>,
    ) {
        let mut hour = self.lock();
        let number = now.as_millis().div_euclid(MINUTE);
        let is_first_look = hour.minutes.is_empty();
        let mut last = BTreeMap::new();
        let mut sum = Counted::default();
        let mut sessions = 0_u64;
        for (name, metrics) in brokers {
            let counted = Counted::of(metrics);
            sessions = sessions.saturating_add(metrics.sessions);
            // What was counted before the first look, nobody knows when.
            let before = hour.last.get(name);
            if !is_first_look || before.is_some() {
                sum.add(&counted.since(before));
            }
            last.insert(name.to_owned(), counted);
        }
        hour.last = last;
        match hour.minutes.back_mut().filter(|it| it.number >= number) {
            Some(minute) => {
                minute.counted.add(&sum);
                minute.sessions = sessions;
            }
            None => hour.minutes.push_back(Minute {
                number,
                counted: sum,
                sessions,
            }),
        }
        let oldest = number.saturating_sub(MINUTES);
        while hour.minutes.front().is_some_and(|it| it.number <= oldest) {
            hour.minutes.pop_front();
        }
    }

    /// The minutes of the last hour in which there was a look: of a tenant, or of all.
    pub(crate) fn minutes(&self, tenant: Option<&TenantId>) -> Vec<ToldMinute> {
        let hour = self.lock();
        let told = hour.minutes.iter().map(|minute| ToldMinute {
            begin: Timestamp::from_millis(minute.number.saturating_mul(MINUTE)),
            logins: match tenant {
                None => minute.counted.all,
                Some(tenant) => {
                    let of_tenant = minute.counted.by_tenant.get(tenant);
                    of_tenant.copied().unwrap_or_default()
                }
            },
            sessions: tenant.is_none().then_some(minute.sessions),
        });
        told.collect()
    }

    /// Nothing under this lock can panic half done.
    fn lock(&self) -> MutexGuard<'_, Hour> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logins {
    fn of(uses: &UseCounts) -> Self {
        let sum = |outcome: &str| {
            let counts = uses.logins.iter();
            let counts = counts.filter(|((it, _), _)| it.as_str() == outcome);
            counts.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count))
        };
        Self {
            admitted: sum("admitted"),
            refused: sum("refused"),
        }
    }

    fn add(&mut self, other: Self) {
        self.admitted = self.admitted.saturating_add(other.admitted);
        self.refused = self.refused.saturating_add(other.refused);
    }

    /// What was counted since; a broker that has counted less was started anew.
    fn since(self, before: Self) -> Self {
        Self {
            admitted: self
                .admitted
                .checked_sub(before.admitted)
                .unwrap_or(self.admitted),
            refused: self
                .refused
                .checked_sub(before.refused)
                .unwrap_or(self.refused),
        }
    }
}

impl Counted {
    fn of(metrics: &BrokerMetrics) -> Self {
        let tenants = metrics.by_tenant.iter();
        let tenants =
            tenants.filter_map(|(tenant, uses)| Some((tenant.clone()?, Logins::of(uses))));
        Self {
            all: Logins::of(&metrics.uses),
            by_tenant: tenants.take(MOST_TENANTS).collect(),
        }
    }

    fn since(&self, before: Option<&Self>) -> Self {
        let Some(before) = before else {
            return self.clone();
        };
        let tenants = self.by_tenant.iter().map(|(tenant, logins)| {
            let before = before.by_tenant.get(tenant).copied().unwrap_or_default();
            (tenant.clone(), logins.since(before))
        });
        Self {
            all: self.all.since(before.all),
            by_tenant: tenants.filter(|(_, it)| *it != Logins::default()).collect(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.all.add(other.all);
        for (tenant, logins) in &other.by_tenant {
            if self.by_tenant.len() < MOST_TENANTS || self.by_tenant.contains_key(tenant) {
                self.by_tenant
                    .entry(tenant.clone())
                    .or_default()
                    .add(*logins);
            }
        }
    }
}

/// In milliseconds.
const MINUTE: i64 = 60_000;
/// So many minutes are remembered,
const MINUTES: i64 = 60;
/// and of so many tenants in each.
const MOST_TENANTS: usize = 1_000;

#[cfg(test)]
mod tests {
    use countersign_core::metrics::Label;

    use super::*;

    fn counted(admitted: u64, refused: u64, sessions: u64) -> BrokerMetrics {
        let why = Label::of("ok");
        let logins = [("admitted", admitted), ("refused", refused)];
        let logins = logins.map(|(what, count)| ((Label::of(what), why.clone()), count));
        let uses = UseCounts {
            logins: logins.into_iter().collect(),
            ..UseCounts::default()
        };
        let acme = TenantId::parse("acme").unwrap();
        BrokerMetrics {
            by_tenant: [(Some(acme), uses.clone())].into_iter().collect(),
            uses,
            sessions,
            ..BrokerMetrics::default()
        }
    }

    fn observe(stats: &Stats, second: i64, brokers: &[(&str, BrokerMetrics)]) {
        let now = Timestamp::from_millis(second.saturating_mul(1_000));
        stats.observe(now, brokers.iter().map(|(name, it)| (*name, it)));
    }

    fn told(stats: &Stats, tenant: Option<&str>) -> Vec<(i64, u64, u64, Option<u64>)> {
        let tenant = tenant.map(|it| TenantId::parse(it).unwrap());
        let minutes = stats.minutes(tenant.as_ref()).into_iter();
        let minutes = minutes.map(|it| {
            let Logins { admitted, refused } = it.logins;
            (
                it.begin.as_millis() / MINUTE,
                admitted,
                refused,
                it.sessions,
            )
        });
        minutes.collect()
    }

    #[test]
    fn what_brokers_count_belongs_to_the_minute_in_which_it_was_seen() {
        let stats = Stats::default();
        observe(&stats, 0, &[("a", counted(100, 7, 5))]);
        assert_eq!(told(&stats, None), [(0, 0, 0, Some(5))]);
        observe(&stats, 59, &[("a", counted(103, 7, 6))]);
        observe(&stats, 61, &[("a", counted(104, 9, 6))]);
        assert_eq!(told(&stats, None), [(0, 3, 0, Some(6)), (1, 1, 2, Some(6))]);
        assert_eq!(
            told(&stats, Some("acme")),
            [(0, 3, 0, None), (1, 1, 2, None)]
        );
        assert_eq!(
            told(&stats, Some("other")),
            [(0, 0, 0, None), (1, 0, 0, None)]
        );
        // One was started anew, and another one came.
        observe(
            &stats,
            62,
            &[("a", counted(2, 0, 1)), ("b", counted(10, 1, 1))],
        );
        assert_eq!(told(&stats, None)[1], (1, 13, 3, Some(2)));
        // One that is gone and comes back counts from nothing.
        observe(&stats, 121, &[("b", counted(10, 1, 1))]);
        observe(
            &stats,
            122,
            &[("a", counted(1, 0, 1)), ("b", counted(10, 1, 1))],
        );
        assert_eq!(told(&stats, None)[2], (2, 1, 0, Some(2)));
    }

    #[test]
    fn an_hour_is_remembered() {
        let stats = Stats::default();
        for minute in 0..200 {
            observe(&stats, minute * 60, &[("a", counted(1, 1, 1))]);
        }
        let minutes = told(&stats, None);
        assert_eq!(minutes.len(), 60);
        assert_eq!((minutes[0].0, minutes[59].0), (140, 199));
    }
}
