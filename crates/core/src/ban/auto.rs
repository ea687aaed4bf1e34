//! Automatic bans: of addresses where so many logins failed in a while.

use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use super::{Ban, BanId, BanTarget};
use crate::backoff::Origin;
use crate::duration::{parse_duration, write_duration};
use crate::given::Given;
use crate::network::Network;
use crate::time::Timestamp;

/// Whether addresses are banned by themselves, and when.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AutoBan {
    /// Never.
    #[default]
    Off,
    /// After so many failures.
    After(AutoBanRule),
}

/// When an address is banned by itself, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AutoBanRule {
    failures: NonZeroU16,
    within: Duration,
    lasts: Duration,
}

impl AutoBan {
    /// Parses `20/10m:1h`: 20 failures within ten minutes are a ban of an hour; or
    /// `off`.
    ///
    /// # Errors
    ///
    /// Returns [`AutoBanError`] for another shape, for other than 1 to 1,000 failures,
    /// for a while of more than 24 hours, and for a ban of more than a year.
    pub fn parse(text: &str) -> Result<Self, AutoBanError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let rule = AutoBanRule::read(text);
        rule.map(Self::After)
            .ok_or_else(|| AutoBanError(text.into()))
    }

    /// When an address is banned; none where none is.
    #[must_use]
    pub const fn rule(self) -> Option<AutoBanRule> {
        match self {
            Self::Off => None,
            Self::After(rule) => Some(rule),
        }
    }
}

impl AutoBanRule {
    fn read(text: &str) -> Option<Self> {
        let (failures, durations) = text.split_once('/')?;
        let (within, lasts) = durations.split_once(':')?;
        if !failures.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let failures: NonZeroU16 = failures.parse().ok()?;
        let within = parse_duration(within).ok()?;
        let lasts = parse_duration(lasts).ok()?;
        let is_sane =
            failures.get() <= MOST_FAILURES && within <= LONGEST_WHILE && lasts <= LONGEST_BAN;
        is_sane.then_some(Self {
            failures,
            within,
            lasts,
        })
    }

    /// The ban that `by` makes of these addresses.
    #[must_use]
    pub fn ban(self, network: Network, by: String, now: Timestamp) -> Ban {
        Ban {
            id: BanId(0),
            target: BanTarget::Network(network),
            shown: network.to_string(),
            until: Some(now.plus(self.lasts)),
            reason: Some(self.to_string()),
            created_by: by,
            created_at: now,
        }
    }
}

impl FromStr for AutoBan {
    type Err = AutoBanError;

    fn from_str(text: &str) -> Result<Self, AutoBanError> {
        Self::parse(text)
    }
}

impl fmt::Display for AutoBan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::After(rule) => {
                write!(f, "{}/", rule.failures)?;
                write_duration(f, rule.within)?;
                f.write_str(":")?;
                write_duration(f, rule.lasts)
            }
        }
    }
}

/// Why it is made, for people.
impl fmt::Display for AutoBanRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "automatic: {} failed logins within ", self.failures)?;
        write_duration(f, self.within)
    }
}

/// A text does not say when addresses are banned.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` does not say when addresses are banned; write `FAILURES/DUR:DUR`, such as `20/10m:1h` for an hour after 20 failures within ten minutes (failures from 1 to 1000, within 24h at most, a ban of 365d at most), or `off`"
)]
pub struct AutoBanError(Given);

/// When logins failed, by where they came from.
///
/// All of it is forgotten with the process, and bounded in the number of places and
/// of failures: beyond that the half of the places goes where nothing failed for
/// longest.
#[derive(Debug, Default)]
pub struct FailureTimes {
    places: HashMap<Origin, VecDeque<Timestamp>>,
    /// How many failures all places hold together.
    failures: usize,
}

impl FailureTimes {
    /// Counts a failure, and says which addresses are to be banned for it, if any are.
    /// What was counted of them is forgotten then.
    pub fn add(&mut self, place: Origin, rule: AutoBanRule, now: Timestamp) -> Option<Network> {
        let network = place.network().filter(|it| !is_spared(*it))?;
        self.make_room(place);
        let times = self.places.entry(place).or_default();
        let before = times.len();
        if times.back().is_some_and(|last| *last > now) {
            // The clock was set back.
            times.clear();
        }
        while times
            .front()
            .is_some_and(|at| now.since(*at) >= rule.within)
        {
            times.pop_front();
        }
        times.push_back(now);
        let after = times.len();
        self.failures = self.failures.saturating_sub(before).saturating_add(after);
        if after < usize::from(rule.failures.get()) {
            return None;
        }
        self.forget(place);
        Some(network)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if !self.places.is_empty() {
            *self = Self::default();
        }
    }

    fn forget(&mut self, place: Origin) {
        let gone = self.places.remove(&place).map_or(0, |times| times.len());
        self.failures = self.failures.saturating_sub(gone);
    }

    /// Makes room for a failure somewhere.
    fn make_room(&mut self, place: Origin) {
        let has_place = self.places.len() < MOST_PLACES || self.places.contains_key(&place);
        if has_place && self.failures < MOST_TIMES {
            return;
        }
        let mut lasts: Vec<_> = self.places.values().map(VecDeque::back).collect();
        let middle = lasts.len() / 2;
        let (_, middle, _) = lasts.select_nth_unstable(middle);
        let middle = middle.copied();
        self.places
            .retain(|_, times| times.back().copied() > middle);
        self.failures = self.places.values().map(VecDeque::len).sum();
    }
}

/// Says whether addresses are never banned by themselves: loopback, and those of which
/// one client does not have 64 bits for itself, but shares them with all others of a
/// link, or with all of IPv4.
fn is_spared(network: Network) -> bool {
    let shared = ["fe80::/10", "64:ff9b::/96"].map(str::parse::<Network>);
    network.holds_loopback() || shared.iter().flatten().any(|it| network.meets(*it))
}

const MOST_FAILURES: u16 = 1_000;
const LONGEST_WHILE: Duration = Duration::from_secs(86_400);
const LONGEST_BAN: Duration = Duration::from_secs(365 * 86_400);
const MOST_PLACES: usize = 4_096;
const MOST_TIMES: usize = 131_072;

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn rule(text: &str) -> AutoBanRule {
        AutoBan::parse(text).unwrap().rule().unwrap()
    }

    fn place(address: &str) -> Origin {
        Origin::of(Some(address))
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["off", "20/10m:1h", "1/1s:365d", "1000/24h:90s"] {
            let read: AutoBan = text.parse().unwrap();
            let again = AutoBan::parse(&read.to_string()).unwrap();
            assert_eq!(read, again, "{text}");
        }
        assert_eq!(
            AutoBan::parse("20/600s:60m").unwrap().to_string(),
            "20/10m:1h"
        );
        assert_eq!(AutoBan::parse("off"), Ok(AutoBan::default()));
        for wrong in [
            "",
            "on",
            "20",
            "20/10m",
            "20:1h",
            "/10m:1h",
            "0/10m:1h",
            "+1/10m:1h",
            "1001/10m:1h",
            "20/25h:1h",
            "20/0s:1h",
            "20/10m:366d",
            "20/10m:",
            "20/10m:1h:1h",
            "20/10m:1h ",
            "99999/10m:1h",
            "OFF",
        ] {
            assert!(AutoBan::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn so_many_failures_of_one_client_within_the_while_are_a_ban() {
        let rule = rule("3/60s:1h");
        for (addresses, banned) in [
            (["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"], "192.0.2.1"),
            (
                ["2001:db8::1", "2001:db8::ffff:1", "2001:db8::2"],
                "2001:db8::/64",
            ),
        ] {
            let mut times = FailureTimes::default();
            let [first, second, third] = addresses.map(place);
            assert_eq!(times.add(first, rule, START), None);
            assert_eq!(times.add(place("192.0.2.2"), rule, START), None);
            assert_eq!(times.add(place("2001:db8:0:1::1"), rule, START), None);
            assert_eq!(times.add(second, rule, after(30)), None);
            // The first is over by now.
            assert_eq!(times.add(third, rule, after(60)), None);
            let ban = times.add(first, rule, after(89)).unwrap();
            assert_eq!(ban.to_string(), banned);
            // It begins anew.
            assert_eq!(times.add(first, rule, after(89)), None);
        }
    }

    #[test]
    fn what_is_no_address_of_one_client_is_never_banned() {
        let mut times = FailureTimes::default();
        let rule = rule("1/60s:1h");
        for spared in [
            "ws",
            "",
            "unix",
            "/run/mosquitto.sock",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "fe80::1%eth0",
            "fe80::2",
            "64:ff9b::c000:201",
            "192.0.2.1, 192.0.2.2",
        ] {
            assert_eq!(times.add(place(spared), rule, START), None, "{spared}");
        }
        assert_eq!(times.add(Origin::of(None), rule, START), None);
        assert_eq!(times.add(Origin::of_known(&[1; 32]), rule, START), None);
        assert!(times.places.is_empty());
        for banned in [
            "126.255.255.255",
            "128.0.0.0",
            "2001:db8::1",
            "64:ff9b:1::1",
        ] {
            assert!(times.add(place(banned), rule, START).is_some(), "{banned}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_forgets() {
        let mut times = FailureTimes::default();
        let rule = rule("2/60s:1h");
        assert_eq!(times.add(place("192.0.2.1"), rule, after(3_600)), None);
        assert_eq!(times.add(place("192.0.2.1"), rule, START), None);
        assert!(times.add(place("192.0.2.1"), rule, START).is_some());
    }

    #[test]
    fn what_is_kept_is_bounded_in_places_and_failures() {
        let mut times = FailureTimes::default();
        let many = rule("1000/24h:1h");
        let address = |number: usize| format!("10.{}.{}.1", number / 250, number % 250);
        for number in 0..MOST_PLACES + 10 {
            let at = after(u64::try_from(number).unwrap());
            times.add(place(&address(number)), many, at);
        }
        assert!(times.places.len() <= MOST_PLACES);
        // The stalest went, and the last are there.
        assert!(!times.places.contains_key(&place(&address(9))));
        for number in MOST_PLACES - 10..MOST_PLACES + 10 {
            assert!(times.places.contains_key(&place(&address(number))));
        }
        for number in 0..200 {
            for _ in 0..900 {
                times.add(place(&address(number)), many, after(10_000));
            }
        }
        assert!(times.failures <= MOST_TIMES, "{}", times.failures);
        let counted: usize = times.places.values().map(VecDeque::len).sum();
        assert_eq!(times.failures, counted);
        times.clear();
        assert_eq!((times.places.len(), times.failures), (0, 0));
    }
}
