//! What a gate counts for those who watch it.
//!
//! The host's thread and the gate's jobs add, without a lock and without an
//! allocation but for the name of a tenant that is counted for the first time; the
//! writer reads. What is allowed is not counted.

use core::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use countersign_core::audit::RefusedAct;
use countersign_core::metrics::{
    BrokerMetrics, Counts, HashSeconds, Label, MOST_TENANTS, UseCounts,
};
use countersign_core::name::TenantId;
use countersign_core::number_map::NumberHasher;
use countersign_core::reason::Reason;

/// What a gate counts.
#[derive(Debug)]
pub(crate) struct Counters {
    uses: UseCounters,
    by_tenant: TenantCounters,
    acts: [Counter; BrokerAct::ALL.len()],
    refused_acts: [Counter; BrokerAct::ALL.len()],
    /// How many sessions there are.
    pub(crate) sessions: Arc<Gauge>,
    /// How many password checks wait for a worker.
    pub(crate) hash_queue: Gauge,
    hash_counts: [Counter; HashSeconds::BOUNDS.len() + 1],
    hash_micros: Counter,
    /// When everything was worked off that is committed, in milliseconds of uptime.
    followed: AtomicU64,
}

/// What a broker does besides letting clients in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BrokerAct {
    /// Bans an address from which too many logins failed.
    Ban,
    /// Carries out a message of dynamic-security.
    Control,
    /// Makes a token.
    MakeToken,
    /// Ends a session that somebody asked to be ended.
    Kick,
    /// Locks a user out.
    Lock,
    /// Makes a thing that registers itself.
    Register,
    /// Unties a thing.
    Untie,
}

impl BrokerAct {
    const ALL: [Self; 7] = [
        Self::Ban,
        Self::Control,
        Self::MakeToken,
        Self::Kick,
        Self::Lock,
        Self::Register,
        Self::Untie,
    ];

    /// The act as the audit calls it.
    const fn label(self) -> Label {
        Label::of(match self {
            Self::Ban => "ban.add",
            Self::Control => "control",
            Self::MakeToken => "jwt.create",
            Self::Kick => "client.kick",
            Self::Lock => "user.lock",
            Self::Register => "thing.create",
            Self::Untie => "thing.untie",
        })
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number of things that come and go.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    /// One more is there.
    pub(crate) fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many are gone.
    pub(crate) fn leave(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    /// How many there are.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What logins came to and what was denied.
#[derive(Debug)]
struct UseCounters {
    admitted: Counter,
    unauthenticated: Counter,
    refused: [Counter; Reason::ALL.len()],
    publish: [Counter; Reason::ALL.len()],
    subscribe: [Counter; Reason::ALL.len()],
}

impl Default for UseCounters {
    fn default() -> Self {
        let none = || core::array::from_fn(|_| Counter::default());
        Self {
            admitted: Counter::default(),
            unauthenticated: Counter::default(),
            refused: none(),
            publish: none(),
            subscribe: none(),
        }
    }
}

impl UseCounters {
    fn admit(&self, is_authenticated: bool) {
        let counter = if is_authenticated {
            &self.admitted
        } else {
            &self.unauthenticated
        };
        counter.add(1);
    }

    fn refuse(&self, cause: Reason) {
        count(&self.refused, cause.index());
    }

    fn deny(&self, act: RefusedAct, cause: Reason) {
        match act {
            RefusedAct::Publish => count(&self.publish, cause.index()),
            RefusedAct::Subscribe => count(&self.subscribe, cause.index()),
            RefusedAct::Login => {}
        }
    }

    fn read(&self) -> UseCounts {
        let (mut logins, mut denied) = (Counts::new(), Counts::new());
        let admitted = [
            ("ok", &self.admitted),
            (Reason::Unauthenticated.as_str(), &self.unauthenticated),
        ];
        for (cause, counter) in admitted {
            add(&mut logins, ADMITTED, Label::of(cause), counter);
        }
        for (cause, counter) in Reason::ALL.iter().zip(&self.refused) {
            add(&mut logins, REFUSED, Label::of(cause.as_str()), counter);
        }
        let acts = [
            (RefusedAct::Publish, &self.publish),
            (RefusedAct::Subscribe, &self.subscribe),
        ];
        for (act, counters) in acts {
            for (cause, counter) in Reason::ALL.iter().zip(counters) {
                let act = Label::of(act.as_str());
                add(&mut denied, act, Label::of(cause.as_str()), counter);
            }
        }
        UseCounts { logins, denied }
    }
}

/// Counts one more at a place.
fn count(counters: &[Counter], at: usize) {
    if let Some(counter) = counters.get(at) {
        counter.add(1);
    }
}

/// Adds what was counted at all.
fn add(counts: &mut Counts, what: Label, why: Label, counter: &Counter) {
    let count = counter.get();
    if count > 0 {
        counts.insert((what, why), count);
    }
}

/// The same of single tenants: those that were counted first. The host's thread alone
/// adds, and takes a slot for a tenant that has none.
#[derive(Debug)]
struct TenantCounters {
    /// By the hash of the tenant's id, or in the next slot that is free.
    slots: Box<[TenantSlot]>,
    taken: AtomicUsize,
    others: UseCounters,
}

#[derive(Debug, Default)]
struct TenantSlot {
    tenant: OnceLock<TenantId>,
    uses: UseCounters,
}

impl Default for TenantCounters {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| TenantSlot::default()).collect(),
            taken: AtomicUsize::new(0),
            others: UseCounters::default(),
        }
    }
}

impl TenantCounters {
    fn of(&self, tenant: &TenantId) -> &UseCounters {
        let mut hasher = NumberHasher::default();
        tenant.hash(&mut hasher);
        let first = usize::try_from(hasher.finish() & LAST_SLOT).unwrap_or(0);
        let slots = self.slots.iter().cycle().skip(first).take(SLOTS);
        for slot in slots {
            match slot.tenant.get() {
                Some(other) if other == tenant => return &slot.uses,
                Some(_) => {}
                None if self.taken.load(Ordering::Relaxed) < MOST_TENANTS => {
                    self.taken.fetch_add(1, Ordering::Relaxed);
                    return match slot.tenant.set(tenant.clone()) {
                        Ok(()) => &slot.uses,
                        Err(_) => &self.others,
                    };
                }
                None => return &self.others,
            }
        }
        &self.others
    }

    fn read(&self) -> impl Iterator<Item = (Option<TenantId>, UseCounts)> + '_ {
        let slots = self.slots.iter();
        let named = slots.filter_map(|slot| {
            let tenant = slot.tenant.get()?;
            Some((Some(tenant.clone()), slot.uses.read()))
        });
        let others = Some((None, self.others.read()));
        named.chain(others.filter(|(_, uses)| *uses != UseCounts::default()))
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            uses: UseCounters::default(),
            by_tenant: TenantCounters::default(),
            acts: core::array::from_fn(|_| Counter::default()),
            refused_acts: core::array::from_fn(|_| Counter::default()),
            sessions: Arc::default(),
            hash_queue: Gauge::default(),
            hash_counts: core::array::from_fn(|_| Counter::default()),
            hash_micros: Counter::default(),
            followed: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts a login that was let in.
    pub(crate) fn admit(&self, is_authenticated: bool, tenant: Option<&TenantId>) {
        self.at(tenant, |uses| uses.admit(is_authenticated));
    }

    /// Counts a login that was refused.
    pub(crate) fn refuse(&self, cause: Reason, tenant: Option<&TenantId>) {
        self.at(tenant, |uses| uses.refuse(cause));
    }

    /// Counts a use of a topic that was denied.
    pub(crate) fn deny(&self, act: RefusedAct, cause: Reason, tenant: Option<&TenantId>) {
        self.at(tenant, |uses| uses.deny(act, cause));
    }

    fn at(&self, tenant: Option<&TenantId>, count: impl Fn(&UseCounters)) {
        count(&self.uses);
        if let Some(tenant) = tenant {
            count(self.by_tenant.of(tenant));
        }
    }

    /// Counts an act of the broker's.
    pub(crate) fn act(&self, act: BrokerAct, is_done: bool) {
        let counters = if is_done {
            &self.acts
        } else {
            &self.refused_acts
        };
        let place = BrokerAct::ALL.iter().position(|other| *other == act);
        count(counters, place.unwrap_or(usize::MAX));
    }

    /// Counts a password check that took so long.
    pub(crate) fn hashed(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        count(&self.hash_counts, HashSeconds::bucket_of(micros));
        self.hash_micros.add(micros);
    }

    /// Takes note that all that is committed was heard of, at this uptime.
    pub(crate) fn has_followed(&self, uptime: Duration) {
        self.followed.store(millis(uptime), Ordering::Relaxed);
    }

    /// What was counted by now, at this uptime.
    pub(crate) fn read(&self, uptime: Duration) -> BrokerMetrics {
        let mut acts = Counts::new();
        let outcomes = [(DONE, &self.acts), (REFUSED, &self.refused_acts)];
        for (outcome, counters) in outcomes {
            for (act, counter) in BrokerAct::ALL.iter().zip(counters) {
                add(&mut acts, act.label(), outcome.clone(), counter);
            }
        }
        let lag = millis(uptime).saturating_sub(self.followed.load(Ordering::Relaxed));
        BrokerMetrics {
            uses: self.uses.read(),
            by_tenant: self.by_tenant.read().collect(),
            acts,
            sessions: self.sessions.get(),
            hash_queue: self.hash_queue.get(),
            hash_seconds: HashSeconds {
                counts: core::array::from_fn(|at| self.hash_counts.get(at).map_or(0, Counter::get)),
                sum_micros: self.hash_micros.get(),
            },
            store_lag_millis: if lag < SHORTEST_LAG { 0 } else { lag },
        }
    }
}

fn millis(uptime: Duration) -> u64 {
    u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX)
}

const ADMITTED: Label = Label::of("admitted");
const DONE: Label = Label::of("done");
const REFUSED: Label = Label::of("refused");

/// More than tenants have counts of their own, so that each is found soon.
const SLOTS: usize = 128;
const LAST_SLOT: u64 = 127;

/// Who follows looks many times in that.
const SHORTEST_LAG: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: usize) -> TenantId {
        TenantId::parse(&format!("t{number}")).unwrap()
    }

    #[test]
    fn each_count_has_a_place_of_its_own() {
        let counters = Counters::default();
        for (number, cause) in (1..).zip(Reason::ALL) {
            for _ in 0..number {
                counters.refuse(*cause, None);
                counters.deny(RefusedAct::Publish, *cause, None);
                counters.deny(RefusedAct::Subscribe, *cause, None);
            }
        }
        for act in BrokerAct::ALL {
            counters.act(act, true);
        }
        counters.act(BrokerAct::Untie, false);
        counters.admit(true, None);
        counters.admit(false, None);
        let metrics = counters.read(Duration::ZERO);
        let count = |counts: &Counts, what: &'static str, why: &'static str| {
            counts.get(&(Label::of(what), Label::of(why))).copied()
        };
        for (number, cause) in (1..).zip(Reason::ALL) {
            let cause = cause.as_str();
            assert_eq!(count(&metrics.uses.logins, "refused", cause), Some(number));
            for act in ["publish", "subscribe"] {
                assert_eq!(count(&metrics.uses.denied, act, cause), Some(number));
            }
        }
        assert_eq!(count(&metrics.uses.logins, "admitted", "ok"), Some(1));
        let unproved = count(&metrics.uses.logins, "admitted", "unauthenticated");
        assert_eq!(unproved, Some(1));
        assert_eq!(metrics.acts.len(), BrokerAct::ALL.len() + 1);
        assert!(metrics.by_tenant.is_empty());
    }

    #[test]
    fn so_many_tenants_have_counts_of_their_own_and_the_rest_are_one() {
        let counters = Counters::default();
        for number in 0..2 * MOST_TENANTS {
            counters.admit(true, Some(&tenant(number)));
        }
        for number in 0..2 * MOST_TENANTS {
            counters.refuse(Reason::BadSecret, Some(&tenant(number)));
        }
        let metrics = counters.read(Duration::ZERO);
        assert_eq!(metrics.by_tenant.len(), MOST_TENANTS + 1);
        let total =
            |of: &dyn Fn(&UseCounts) -> u64| metrics.by_tenant.values().map(of).sum::<u64>();
        let logins = |uses: &UseCounts| uses.logins.values().sum();
        assert_eq!(total(&logins), 4 * MOST_TENANTS as u64);
        let rest = logins(&metrics.by_tenant[&None]);
        assert_eq!(rest, 2 * MOST_TENANTS as u64);
        let first = &metrics.by_tenant[&Some(tenant(0))];
        assert_eq!(first.logins.len(), 2);
    }

    #[test]
    fn a_lag_below_a_second_is_none() {
        let counters = Counters::default();
        counters.has_followed(Duration::from_millis(500));
        for (uptime, lag) in [(400, 0), (1_499, 0), (1_500, 1_000), (9_000, 8_500)] {
            let metrics = counters.read(Duration::from_millis(uptime));
            assert_eq!(metrics.store_lag_millis, lag);
        }
    }
}
