//! Limits: how many connections a principal or a tenant may have on one broker, and
//! how much it may publish.

use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;

use crate::given::Given;

/// How much of one thing there may be: 1 or more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Limit(NonZeroU64);

impl Limit {
    /// The highest one.
    pub const MOST: u64 = 1_000_000_000_000;

    /// A limit of so much; none if it is 0 or above [`Self::MOST`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) if number.get() <= Self::MOST => Some(Self(number)),
            Some(_) | None => None,
        }
    }

    /// Parses a number in digits.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] for anything but a number from 1 to [`Self::MOST`].
    pub fn parse(text: &str) -> Result<Self, LimitError> {
        let limit = in_digits(text).and_then(Self::new);
        limit.ok_or_else(|| LimitError::Number(text.into()))
    }

    /// So much.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// So much of it as a share says, and at least 1.
    #[must_use]
    pub fn part(self, share: Share) -> Self {
        let percent = u64::from(share.get());
        let part = self.get().saturating_mul(percent).div_ceil(100);
        Self::new(part).unwrap_or(self)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// How much of what a tenant may publish one of its sessions may: so many per cent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share(u8);

impl Share {
    /// Half.
    pub const HALF: Self = Self(50);

    /// So many per cent; none if that is not 1 to 100.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        match percent {
            1..=100 => Some(Self(percent)),
            _ => None,
        }
    }

    /// Parses a number of per cent in digits.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] for anything but a number from 1 to 100.
    pub fn parse(text: &str) -> Result<Self, LimitError> {
        let share = in_digits(text).and_then(Self::new);
        share.ok_or_else(|| LimitError::Share(text.into()))
    }

    /// So many per cent.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one of a tenant, a role or a credential limits; none is no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UseLimits {
    /// Connections that are open at a time.
    pub connections: Option<Limit>,
    /// Messages that are published in a second.
    pub messages_per_second: Option<Limit>,
    /// Bytes of the payloads that are published in a second.
    pub bytes_per_second: Option<Limit>,
    /// Bytes of one payload.
    pub payload: Option<Limit>,
    /// How much of a tenant's messages and bytes one session takes at most, if not half.
    /// Of tenants alone.
    pub share: Option<Share>,
}

impl UseLimits {
    /// Says whether it limits nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The tighter of two limits, of each thing.
    #[must_use]
    pub fn tightest(self, other: Self) -> Self {
        Self {
            connections: tighter(self.connections, other.connections),
            messages_per_second: tighter(self.messages_per_second, other.messages_per_second),
            bytes_per_second: tighter(self.bytes_per_second, other.bytes_per_second),
            payload: tighter(self.payload, other.payload),
            share: self.share.or(other.share),
        }
    }

    /// How much may be published in a second.
    #[must_use]
    pub const fn rates(&self) -> Rates {
        Rates {
            messages: self.messages_per_second,
            bytes: self.bytes_per_second,
        }
    }

    /// Parses what [`Display`](fmt::Display) writes: `connections=5 payload=1000`.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, LimitError> {
        let mut limits = Self::default();
        for word in text.split(' ') {
            let unknown = || LimitError::Word(word.into());
            let (key, value) = word.split_once('=').ok_or_else(unknown)?;
            if key == SHARE && limits.share.is_none() {
                limits.share = Some(Share::parse(value)?);
                continue;
            }
            let place = match key {
                CONNECTIONS => &mut limits.connections,
                MESSAGES => &mut limits.messages_per_second,
                BYTES => &mut limits.bytes_per_second,
                PAYLOAD => &mut limits.payload,
                _ => return Err(unknown()),
            };
            if place.replace(Limit::parse(value)?).is_some() {
                return Err(unknown());
            }
        }
        Ok(limits)
    }
}

impl fmt::Display for UseLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = [
            (CONNECTIONS, self.connections),
            (MESSAGES, self.messages_per_second),
            (BYTES, self.bytes_per_second),
            (PAYLOAD, self.payload),
        ];
        let numbers = numbers
            .into_iter()
            .filter_map(|(key, limit)| Some((key, limit?.get())));
        let share = self.share.map(|share| (SHARE, u64::from(share.get())));
        for (position, (key, number)) in numbers.chain(share).enumerate() {
            let space = if position == 0 { "" } else { " " };
            write!(f, "{space}{key}={number}")?;
        }
        Ok(())
    }
}

/// How much may be published in a second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rates {
    /// Messages.
    pub messages: Option<Limit>,
    /// Bytes of their payloads.
    pub bytes: Option<Limit>,
}

impl Rates {
    /// Says whether they limit nothing.
    #[must_use]
    pub const fn are_none(&self) -> bool {
        self.messages.is_none() && self.bytes.is_none()
    }
}

/// The limits of one session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SessionLimits {
    /// What its principal may, in all its sessions: the tightest of its own limits and
    /// those of its roles.
    pub holder: UseLimits,
    /// What its tenant may, in the sessions of all its principals.
    pub tenant: UseLimits,
}

impl SessionLimits {
    /// Says whether they limit nothing.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.holder.is_none() && self.tenant.is_none()
    }

    /// Says whether it is nothing to them what it publishes.
    #[must_use]
    pub fn leave_publishing(&self) -> bool {
        self.holder.rates().are_none() && self.tenant.rates().are_none() && self.payload().is_none()
    }

    /// How long a payload may be.
    #[must_use]
    pub fn payload(&self) -> Option<Limit> {
        tighter(self.holder.payload, self.tenant.payload)
    }

    /// How much the session may of what its tenant may.
    #[must_use]
    pub fn share_of_tenant(&self) -> Rates {
        let share = self.tenant.share.unwrap_or(Share::HALF);
        let Rates { messages, bytes } = self.tenant.rates();
        Rates {
            messages: messages.map(|limit| limit.part(share)),
            bytes: bytes.map(|limit| limit.part(share)),
        }
    }
}

fn tighter(one: Option<Limit>, other: Option<Limit>) -> Option<Limit> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn in_digits<N: FromStr>(text: &str) -> Option<N> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// A text says no limit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// It is not such a number.
    #[error("`{0}` is not a limit; write a number from 1 to {most}", most = Limit::MOST)]
    Number(Given),
    /// It is not such a share.
    #[error("`{0}` is not a share; write a number from 1 to 100, in per cent")]
    Share(Given),
    /// It names nothing that is limited, or a thing twice.
    #[error("`{0}` is not a limit")]
    Word(Given),
}

const CONNECTIONS: &str = "connections";
const MESSAGES: &str = "messages-per-second";
const BYTES: &str = "bytes-per-second";
const PAYLOAD: &str = "payload";
const SHARE: &str = "share";

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(number: u64) -> Option<Limit> {
        Some(Limit::new(number).unwrap())
    }

    #[test]
    fn a_limit_is_a_number_of_at_least_one() {
        for good in ["1", "7", "1000000000000"] {
            assert_eq!(Limit::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "0",
            "-1",
            "+1",
            "1.5",
            "1000000000001",
            "99999999999999999999",
            "x",
        ] {
            assert!(Limit::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "0", "101", "256", "+5", "half"] {
            assert!(Share::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Share::parse("100"), Ok(Share(100)));
    }

    #[test]
    fn limits_read_back_as_they_were_written() {
        let all = UseLimits {
            connections: limit(5),
            messages_per_second: limit(10),
            bytes_per_second: limit(1_000),
            payload: limit(256),
            share: Share::new(25),
        };
        let text =
            "connections=5 messages-per-second=10 bytes-per-second=1000 payload=256 share=25";
        assert_eq!(all.to_string(), text);
        assert_eq!(UseLimits::parse(text), Ok(all));
        let one = UseLimits {
            payload: limit(1),
            ..UseLimits::default()
        };
        assert_eq!(UseLimits::parse(&one.to_string()), Ok(one));
        let bad = [
            "",
            "connections",
            "connections=0",
            "connections=1 connections=2",
            "share=50 share=50",
            "payload=1  share=2",
            "topics=1",
        ];
        for bad in bad {
            assert!(UseLimits::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_tightest_counts_of_each_thing() {
        let one = UseLimits {
            connections: limit(5),
            messages_per_second: limit(10),
            ..UseLimits::default()
        };
        let other = UseLimits {
            messages_per_second: limit(3),
            payload: limit(9),
            ..UseLimits::default()
        };
        let both = one.tightest(other);
        assert_eq!(both, other.tightest(one));
        assert_eq!(
            (both.connections, both.messages_per_second, both.payload),
            (limit(5), limit(3), limit(9))
        );
        assert_eq!(both.bytes_per_second, None);
    }

    #[test]
    fn one_session_takes_half_of_what_its_tenant_may_and_never_nothing() {
        let mut limits = SessionLimits::default();
        assert!(limits.are_none() && limits.leave_publishing());
        limits.tenant.connections = limit(1);
        assert!(!limits.are_none() && limits.leave_publishing());
        limits.tenant.messages_per_second = limit(5);
        limits.tenant.bytes_per_second = limit(1);
        let part = limits.share_of_tenant();
        assert_eq!((part.messages, part.bytes), (limit(3), limit(1)));
        limits.tenant.share = Share::new(100);
        assert_eq!(limits.share_of_tenant(), limits.tenant.rates());
        limits.tenant.messages_per_second = limit(Limit::MOST);
        assert_eq!(limits.share_of_tenant().messages, limit(Limit::MOST));
    }
}
