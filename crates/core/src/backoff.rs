//! Back-off: limits on slow password checks.
//!
//! A slow check takes tens of milliseconds, so without a limit one client could
//! hold up all others. Four things are counted: failures per name and origin,
//! failures per origin, the time that checks take on a host's thread that
//! can't wait, and, in the same way as failures, the attempts for which there was
//! no time. A name has a share of its own at the origin where it last logged
//! in, and failures elsewhere can't use it up.
//!
//! Nothing here depends on what is stored: names count as they are presented,
//! whether or not a credential has them. Digests are quick to check and are
//! never counted.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeMap;

use crate::network;
use crate::options::{Millis, Percent};
use crate::time::{Interval, Timestamp};
use time_share::TimeShare;

mod time_share;

/// Where a login comes from: an IPv4 address, or the network of 64 bits that an
/// IPv6 address is in.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin(Network);

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Network {
    /// No address, or a text that is none. All of these are one place.
    #[default]
    Unknown,
    V4(u32),
    V6([u8; 8]),
    /// Something that shows that a client was let in before, wherever it is now.
    Known([u8; 8]),
}

impl Origin {
    /// The origin of a client that presents what it was given when it was let in, by
    /// the digest of that.
    #[must_use]
    pub const fn of_known(digest: &[u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *digest;
        Self(Network::Known([a, b, c, d, e, f, g, h]))
    }

    /// The origin that a peer's address stands for.
    #[must_use]
    pub fn of(address: Option<&str>) -> Self {
        Self(
            match address
                .and_then(ip_of)
                .map(|address| address.to_canonical())
            {
                None => Network::Unknown,
                Some(IpAddr::V4(address)) => Network::V4(address.to_bits()),
                Some(IpAddr::V6(address)) => {
                    let [a, b, c, d, e, f, g, h, ..] = address.octets();
                    Network::V6([a, b, c, d, e, f, g, h])
                }
            },
        )
    }

    /// The addresses that it stands for; none where they are unknown.
    #[must_use]
    pub fn network(self) -> Option<network::Network> {
        let address = match self.0 {
            Network::Unknown | Network::Known(_) => return None,
            Network::V4(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            Network::V6(half) => {
                let upper = u128::from(u64::from_be_bytes(half));
                IpAddr::V6(Ipv6Addr::from_bits(upper.wrapping_shl(64)))
            }
        };
        Some(network::Network::of_client(address))
    }
}

/// The IP address that a peer's address stands for, with or without the zone
/// of RFC 4007. Any other text is not an address, and decides nothing.
#[must_use]
pub fn ip_of(address: &str) -> Option<IpAddr> {
    match address.split_once('%') {
        Some((address, _zone)) => Some(IpAddr::V6(address.parse().ok()?)),
        None => address.parse().ok(),
    }
}

/// A login that asks for a slow check.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Where it comes from.
    pub origin: Origin,
    /// The name that it presents.
    pub name: &'a str,
}

/// What an attempt asked for too often.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Burst {
    /// Too many attempts on this name failed at this origin.
    Name,
    /// Too many attempts failed at this origin.
    Origin,
}

/// Counts failures, and the time that slow checks take.
///
/// All of it is forgotten with the process, and all tables are bounded: what
/// finds no place in one is counted by the others alone.
#[derive(Debug)]
pub struct Backoff {
    /// The time that checks for all origins took.
    all_origins: TimeShare,
    /// The time that checks for names at their homes took beyond that.
    known_origins: TimeShare,
    /// The time that checks took since the host's loop last went round.
    this_round: Duration,
    /// How much of it there may be.
    longest_round: Duration,
    failures: AttemptCounts,
    /// Attempts for which there was no time, right or wrong.
    untimely: AttemptCounts,
    /// Where each name last logged in.
    last_origins: BTreeMap<Box<str>, Origin>,
}

/// Attempts of one sort, counted by origin and by name.
#[derive(Debug, Default)]
struct AttemptCounts {
    origins: BTreeMap<Origin, Failures>,
    /// How many names all origins hold together.
    names: usize,
    swept: Interval,
}

/// What failed at one origin.
#[derive(Debug, Default)]
struct Failures {
    all: FailureBucket,
    by_name: BTreeMap<Box<str>, FailureBucket>,
    /// When the last one was.
    last: Option<Timestamp>,
}

impl Backoff {
    /// Nothing counted yet; checks may take `share` of the host's time, and
    /// `round` of it at once.
    #[must_use]
    pub fn new(share: Percent, round: Millis) -> Self {
        Self {
            all_origins: TimeShare::new(share, ANYONE, PER_NAME.burst),
            known_origins: TimeShare::new(share, AT_HOME, PER_NAME.burst),
            this_round: Duration::ZERO,
            longest_round: round.get(),
            failures: AttemptCounts::default(),
            untimely: AttemptCounts::default(),
            last_origins: BTreeMap::new(),
        }
    }

    /// Says whether an attempt may be checked, as far as failures go.
    ///
    /// # Errors
    ///
    /// Returns the [`Burst`] that is used up.
    pub fn check_allowed(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<(), Burst> {
        let is_from_known_origin = self.is_from_known_origin(attempt);
        self.failures.check_room(attempt, is_from_known_origin, now)
    }

    /// Says whether an attempt for which there is no time may be looked at all the
    /// same, as far as such attempts were [counted](Self::was_untimely).
    #[must_use]
    pub fn allows_untimely(&self, attempt: &Attempt<'_>, now: Timestamp) -> bool {
        let is_from_known_origin = self.is_from_known_origin(attempt);
        let room = self.untimely.check_room(attempt, is_from_known_origin, now);
        room.is_ok()
    }

    /// Takes note of an attempt for which there was no time, and which did not let its
    /// client in. It is no failure: most often nothing was found wrong with it.
    pub fn was_untimely(&mut self, attempt: &Attempt<'_>, now: Timestamp) {
        let is_from_known_origin = self.is_from_known_origin(attempt);
        self.untimely.add(attempt, is_from_known_origin, now);
    }

    /// Says whether there is time for a check on the host's own thread.
    #[must_use]
    pub fn has_time(&self, attempt: &Attempt<'_>, now: Timestamp) -> bool {
        self.this_round < self.longest_round
            && (self.all_origins.has_time(now)
                || self.is_from_known_origin(attempt) && self.known_origins.has_time(now))
    }

    /// Takes note of how long a check took on the host's own thread.
    pub fn spent(&mut self, attempt: &Attempt<'_>, time: Duration, now: Timestamp) {
        self.this_round = self.this_round.saturating_add(time);
        let lasting = self.is_from_known_origin(attempt) && !self.all_origins.has_time(now);
        let share = if lasting {
            &mut self.known_origins
        } else {
            &mut self.all_origins
        };
        share.spend(time, now);
    }

    /// Takes note that the host served all other clients.
    pub fn round_completed(&mut self) {
        self.this_round = Duration::ZERO;
    }

    /// Takes note of an attempt whose secret was wrong.
    pub fn failed(&mut self, attempt: &Attempt<'_>, now: Timestamp) {
        let is_from_known_origin = self.is_from_known_origin(attempt);
        self.failures.add(attempt, is_from_known_origin, now);
    }

    /// Takes note that a name logged in: this is its home now.
    pub fn succeeded(&mut self, attempt: &Attempt<'_>) {
        self.failures.remove_name(attempt);
        self.untimely.remove_name(attempt);
        if attempt.origin == Origin::default() {
            // All who come from no address share it, so it is a home to no name.
            return;
        }
        if let Some(home) = self.last_origins.get_mut(attempt.name) {
            *home = attempt.origin;
            return;
        }
        if self.last_origins.len() >= MOST_HOMES {
            // Any one: whoever it was shares with everybody again.
            self.last_origins.pop_first();
        }
        self.last_origins
            .insert(attempt.name.into(), attempt.origin);
    }

    /// Says whether the name last logged in from where the attempt comes from.
    #[must_use]
    pub fn is_from_known_origin(&self, attempt: &Attempt<'_>) -> bool {
        self.last_origins.get(attempt.name) == Some(&attempt.origin)
    }

    /// Says whether anything failed at an origin within the last minute. Who
    /// waits elsewhere is better served first.
    #[must_use]
    pub fn failed_lately(&self, origin: Origin, now: Timestamp) -> bool {
        let failures = self.failures.origins.get(&origin);
        let last = failures.and_then(|failures| failures.last);
        last.is_some_and(|last| now.since(last) < RECENTLY)
    }
}

impl AttemptCounts {
    /// Says whether there may be one more such attempt.
    fn check_room(
        &self,
        attempt: &Attempt<'_>,
        is_from_known_origin: bool,
        now: Timestamp,
    ) -> Result<(), Burst> {
        let Some(failures) = self.origins.get(&attempt.origin) else {
            return Ok(());
        };
        let of_name = failures.by_name.get(attempt.name);
        if of_name.is_some_and(|bucket| !bucket.has_room(PER_NAME, now)) {
            return Err(Burst::Name);
        }
        if !is_from_known_origin && !failures.all.has_room(PER_ORIGIN, now) {
            return Err(Burst::Origin);
        }
        Ok(())
    }

    /// Counts one.
    fn add(&mut self, attempt: &Attempt<'_>, is_from_known_origin: bool, now: Timestamp) {
        self.sweep(now);
        if self.origins.len() >= MOST_ORIGINS && !self.origins.contains_key(&attempt.origin) {
            return;
        }
        let failures = self.origins.entry(attempt.origin).or_default();
        failures.last = Some(now);
        if !is_from_known_origin {
            failures.all.add_failure(PER_ORIGIN, now);
        }
        if let Some(bucket) = failures.by_name.get_mut(attempt.name) {
            bucket.add_failure(PER_NAME, now);
        } else if self.names < MOST_NAMES {
            let mut bucket = FailureBucket::default();
            bucket.add_failure(PER_NAME, now);
            failures.by_name.insert(attempt.name.into(), bucket);
            self.names = self.names.saturating_add(1);
        }
    }

    /// Forgets what was counted of a name at an origin.
    fn remove_name(&mut self, attempt: &Attempt<'_>) {
        if let Some(failures) = self.origins.get_mut(&attempt.origin)
            && failures.by_name.remove(attempt.name).is_some()
        {
            self.names = self.names.saturating_sub(1);
        }
    }

    /// Forgets what is over, where a table is full and not more than once a
    /// second.
    fn sweep(&mut self, now: Timestamp) {
        let is_full = self.origins.len() >= MOST_ORIGINS || self.names >= MOST_NAMES;
        if !is_full || !self.swept.is_over(SWEEP_EVERY, now) {
            return;
        }
        let mut names = 0_usize;
        self.origins.retain(|_, failures| {
            failures
                .by_name
                .retain(|_, bucket| !bucket.is_empty(PER_NAME, now));
            names = names.saturating_add(failures.by_name.len());
            !failures.by_name.is_empty() || !failures.all.is_empty(PER_ORIGIN, now)
        });
        self.names = names;
    }
}

/// A leaky bucket for failures, kept as the instant at which it is empty.
#[derive(Clone, Copy, Debug)]
struct FailureBucket {
    empty_at: Timestamp,
}

impl Default for FailureBucket {
    fn default() -> Self {
        Self {
            empty_at: Timestamp::from_millis(i64::MIN),
        }
    }
}

impl FailureBucket {
    fn has_room(&self, limit: FailureLimit, now: Timestamp) -> bool {
        self.level(limit, now).saturating_add(limit.drain) <= limit.size()
    }

    fn is_empty(&self, limit: FailureLimit, now: Timestamp) -> bool {
        self.level(limit, now).is_zero()
    }

    fn add_failure(&mut self, limit: FailureLimit, now: Timestamp) {
        let level = self.level(limit, now).saturating_add(limit.drain);
        self.empty_at = now.plus(level.min(limit.size()));
    }

    /// How long it takes to be empty. Never longer than from full, whatever a
    /// clock that was set back says.
    fn level(&self, limit: FailureLimit, now: Timestamp) -> Duration {
        self.empty_at.since(now).min(limit.size())
    }
}

/// So many failures fit, and one is forgiven each `drain`.
#[derive(Clone, Copy, Debug)]
struct FailureLimit {
    burst: u32,
    drain: Duration,
}

impl FailureLimit {
    fn size(self) -> Duration {
        self.drain.saturating_mul(self.burst)
    }
}

/// Failures on one name at one origin: 1,800 an hour once the burst is over.
const PER_NAME: FailureLimit = FailureLimit {
    burst: 16,
    drain: Duration::from_secs(2),
};
/// Failures at one origin.
const PER_ORIGIN: FailureLimit = FailureLimit {
    burst: 64,
    drain: Duration::from_millis(250),
};
/// Of a hundred parts of the time, those for anybody.
const ANYONE: u32 = 75;
/// And those for names at their homes.
const AT_HOME: u32 = 25;
const RECENTLY: Duration = Duration::from_secs(60);
const MOST_ORIGINS: usize = 4_096;
const MOST_NAMES: usize = 16_384;
const MOST_HOMES: usize = 65_536;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn here(name: &str) -> Attempt<'_> {
        at("192.0.2.1", name)
    }

    fn at<'a>(address: &str, name: &'a str) -> Attempt<'a> {
        Attempt {
            origin: Origin::of(Some(address)),
            name,
        }
    }

    fn backoff() -> Backoff {
        Backoff::new(Percent::default(), Millis::default())
    }

    fn after(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    #[test]
    fn addresses_are_told_apart_as_far_as_one_host_reaches() {
        let of = |text| Origin::of(Some(text));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("no address"), Origin::of(None));
        assert_eq!(of("ws"), Origin::of(None));
        assert_eq!(of("192.0.2.1%eth0"), Origin::of(None));
        assert_eq!(of("fe80::1%eth0"), of("fe80::2"));
        assert_eq!(Origin::default(), Origin::of(None));
    }

    #[test]
    fn attempts_without_time_are_counted_as_failures_are_and_are_none() {
        let mut backoff = backoff();
        for _ in 0..16 {
            assert!(backoff.allows_untimely(&here("a"), START));
            backoff.was_untimely(&here("a"), START);
        }
        assert!(!backoff.allows_untimely(&here("a"), after(1_999)));
        assert!(backoff.allows_untimely(&here("a"), after(2_000)));
        assert!(backoff.allows_untimely(&here("b"), START));
        assert_eq!(backoff.check_allowed(&here("a"), START), Ok(()));
        assert!(!backoff.failed_lately(here("a").origin, START));
        for number in 16..64 {
            backoff.was_untimely(&here(&number.to_string()), START);
        }
        assert!(!backoff.allows_untimely(&here("b"), START));
        assert!(backoff.allows_untimely(&at("192.0.2.2", "b"), START));
    }

    #[test]
    fn sixteen_failures_on_a_name_are_a_burst_and_then_one_each_two_seconds() {
        let mut backoff = backoff();
        for _ in 0..16 {
            assert_eq!(backoff.check_allowed(&here("a"), START), Ok(()));
            backoff.failed(&here("a"), START);
        }
        assert_eq!(
            backoff.check_allowed(&here("a"), after(1_999)),
            Err(Burst::Name)
        );
        assert_eq!(backoff.check_allowed(&here("a"), after(2_000)), Ok(()));
        backoff.failed(&here("a"), after(2_000));
        assert_eq!(
            backoff.check_allowed(&here("a"), after(2_000)),
            Err(Burst::Name)
        );
        // Another name there, and the same name elsewhere, are not meant.
        assert_eq!(backoff.check_allowed(&here("b"), START), Ok(()));
        assert_eq!(backoff.check_allowed(&at("192.0.2.2", "a"), START), Ok(()));
        assert_eq!(backoff.check_allowed(&here("a"), after(60_000)), Ok(()));
    }

    #[test]
    fn sixty_four_failures_at_an_address_are_a_burst() {
        let mut backoff = backoff();
        let names: Vec<String> = (0..64).map(|number| format!("n{number}")).collect();
        for name in &names {
            assert_eq!(backoff.check_allowed(&here(name), START), Ok(()));
            backoff.failed(&here(name), START);
        }
        assert_eq!(backoff.check_allowed(&here("x"), START), Err(Burst::Origin));
        assert_eq!(backoff.check_allowed(&here("x"), after(250)), Ok(()));
        assert_eq!(backoff.check_allowed(&at("192.0.2.2", "x"), START), Ok(()));
    }

    #[test]
    fn the_failures_of_others_don_t_use_up_the_share_of_a_name_at_home() {
        let mut backoff = backoff();
        backoff.succeeded(&here("dev"));
        for number in 0..200 {
            backoff.failed(&here(&format!("n{number}")), START);
            backoff.spent(
                &here(&format!("n{number}")),
                Duration::from_millis(50),
                START,
            );
            backoff.round_completed();
        }
        assert_eq!(
            backoff.check_allowed(&here("other"), START),
            Err(Burst::Origin)
        );
        assert!(!backoff.has_time(&here("other"), START));
        assert_eq!(backoff.check_allowed(&here("dev"), START), Ok(()));
        assert!(backoff.has_time(&here("dev"), START));
        // Elsewhere it is a name like any other.
        assert!(!backoff.has_time(&at("192.0.2.2", "dev"), START));
        // Its own failures do count.
        for _ in 0..16 {
            backoff.failed(&here("dev"), START);
        }
        assert_eq!(backoff.check_allowed(&here("dev"), START), Err(Burst::Name));
    }

    #[test]
    fn ten_wrong_tries_and_a_right_one_have_time_however_slow_a_hash_is() {
        for millis in [5, 20, 70, 200] {
            let mut backoff = backoff();
            let mut now = START;
            for _ in 0..11 {
                assert!(backoff.has_time(&here("a"), now), "{millis}");
                now = now.plus(Duration::from_millis(millis));
                backoff.spent(&here("a"), Duration::from_millis(millis), now);
                backoff.failed(&here("a"), now);
                backoff.round_completed();
            }
        }
    }

    #[test]
    fn in_the_long_run_checks_take_their_share_and_no_more() {
        for percent in ["1", "25", "100"] {
            let options = [("store", "/s"), ("hash_budget", percent)];
            let share = crate::options::Options::parse(options).unwrap().hash_budget;
            let mut backoff = Backoff::new(share, Millis::default());
            let cost = Duration::from_millis(20);
            let mut spent = Duration::ZERO;
            let minute = 60_000_u64;
            // Somebody asks each millisecond, the loop goes round each time.
            for millis in 0..10 * minute {
                let now = after(millis);
                if backoff.has_time(&here("a"), now) {
                    backoff.spent(&here("a"), cost, now);
                    spent += cost;
                }
                backoff.round_completed();
            }
            let share = f64::from(u32::from(share.get())) / 100.0;
            let most = share * 600.0 + 1.0;
            assert!(spent.as_secs_f64() <= most, "{percent}: {spent:?}");
            assert!(
                spent.as_secs_f64() >= share * 600.0 * 0.7,
                "{percent}: {spent:?}"
            );
        }
    }

    #[test]
    fn one_round_of_the_loop_checks_for_a_moment_only() {
        for (millis, most) in [("1", 1), ("40", 2), ("100", 5)] {
            let options = [("store", "/s"), ("hash_round", millis)];
            let options = crate::options::Options::parse(options).unwrap();
            let mut backoff = Backoff::new(options.hash_budget, options.hash_round);
            let mut checks = 0;
            while backoff.has_time(&here("a"), START) {
                backoff.spent(&here("a"), Duration::from_millis(20), START);
                checks += 1;
            }
            assert_eq!(checks, most);
            backoff.round_completed();
            assert!(backoff.has_time(&here("a"), START));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_up_for_long() {
        let mut backoff = backoff();
        for _ in 0..100 {
            backoff.failed(&here("a"), START);
            backoff.spent(&here("a"), Duration::from_millis(50), START);
        }
        let earlier = START.minus(Duration::from_secs(86_400));
        assert_eq!(backoff.check_allowed(&here("a"), earlier), Err(Burst::Name));
        backoff.failed(&here("a"), earlier);
        backoff.spent(&here("a"), Duration::from_millis(50), earlier);
        backoff.round_completed();
        let soon = earlier.plus(Duration::from_secs(33));
        assert_eq!(backoff.check_allowed(&here("a"), soon), Ok(()));
        assert!(backoff.has_time(&here("a"), soon));
    }

    #[test]
    fn tables_are_bounded_and_what_is_over_makes_room() {
        let mut backoff = backoff();
        for number in 0..MOST_NAMES + 10 {
            let address = format!("10.{}.{}.1", number / 250 % 250, number % 250);
            backoff.failed(&at(&address, &format!("n{number}")), START);
        }
        assert!(
            backoff.failures.names <= MOST_NAMES && backoff.failures.origins.len() <= MOST_ORIGINS
        );
        backoff.failed(&here("a"), after(100_000));
        assert_eq!(
            (backoff.failures.names, backoff.failures.origins.len()),
            (1, 1)
        );
        for number in 0..MOST_HOMES + 10 {
            backoff.succeeded(&here(&format!("n{number}")));
        }
        assert_eq!(backoff.last_origins.len(), MOST_HOMES);
    }

    #[test]
    fn a_failure_is_remembered_for_a_minute() {
        let mut backoff = backoff();
        let origin = here("a").origin;
        assert!(!backoff.failed_lately(origin, START));
        backoff.failed(&here("a"), START);
        assert!(backoff.failed_lately(origin, after(59_999)));
        assert!(!backoff.failed_lately(origin, after(60_000)));
        assert!(!backoff.failed_lately(at("192.0.2.2", "a").origin, START));
    }

    #[test]
    fn a_login_forgives_what_failed_before_it() {
        let mut backoff = backoff();
        for _ in 0..16 {
            backoff.failed(&here("a"), START);
        }
        backoff.succeeded(&here("a"));
        assert_eq!(backoff.check_allowed(&here("a"), START), Ok(()));
        assert_eq!(backoff.failures.names, 0);
    }
}
