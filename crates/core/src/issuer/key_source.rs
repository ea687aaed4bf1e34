//! Where an issuer's keys are fetched, and what came of it.

use core::fmt;
use core::time::Duration;

use crate::duration::{DurationError, parse_duration};
use crate::given::Given;
use crate::time::Timestamp;
use crate::url;

/// Where a service fetches an issuer's keys, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySource {
    /// Where they are, and what an administrator said of that.
    pub place: KeyPlace,
    /// Since when they are fetched there.
    pub set_at: Timestamp,
    /// When that last went well.
    pub fetched_at: Option<Timestamp>,
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
    /// What went wrong then, in one line.
    pub problem: Option<Box<str>>,
    /// How often administrators asked for it.
    pub asked: u32,
    /// How many of those a service has answered.
    pub answered: u32,
}

/// Where keys are fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPlace {
    /// The address of a JWK Set.
    pub url: KeysUrl,
    /// Whether it may be at a private address.
    pub allow_private: bool,
    /// So long keys count after they were fetched.
    pub max_age: MaxKeyAge,
}

impl KeySource {
    /// A new one, of which nothing has come yet.
    #[must_use]
    pub const fn new(place: KeyPlace, now: Timestamp) -> Self {
        Self {
            place,
            set_at: now,
            fetched_at: None,
            tried_at: None,
            problem: None,
            asked: 0,
            answered: 0,
        }
    }

    /// When the keys that there are count no more, unless they are fetched before.
    #[must_use]
    pub fn keys_end_at(&self) -> Timestamp {
        let since = self.fetched_at.unwrap_or(self.set_at);
        since.plus(self.place.max_age.0)
    }

    /// Says whether they are to be fetched at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let is_time = |tried_at: Timestamp| {
            // A clock that was set back does not keep them from being fetched.
            now < tried_at || now >= tried_at.plus(self.pause())
        };
        self.answered < self.asked || self.tried_at.is_none_or(is_time)
    }

    /// So long after a try comes the next.
    fn pause(&self) -> Duration {
        let pause = if self.problem.is_none() {
            FETCH_EVERY
        } else {
            TRY_AGAIN_AFTER
        };
        pause.min(self.place.max_age.0.checked_div(4).unwrap_or(pause))
    }
}

/// The address of a JWK Set: `https://HOST[:PORT][/PATH][?QUERY]`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeysUrl(Box<str>);

impl KeysUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// Returns [`KeysUrlError`] for anything else, also for one with a name, a password or
    /// a fragment.
    pub fn parse(text: &str) -> Result<Self, KeysUrlError> {
        let url = Self(text.into());
        let is_good = |path: &str| path.bytes().all(is_of_path);
        if text.len() <= LONGEST && url.parts().is_some_and(|(_, _, path)| is_good(path)) {
            Ok(url)
        } else {
            Err(KeysUrlError(text.into()))
        }
    }

    /// The host, without brackets; the port; and the path with what is asked there, which
    /// is empty or begins with `/` or `?`.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, u16, &str)> {
        let (scheme, authority, path) = url::parts(&self.0)?;
        let (host, port) = url::host_and_port(authority)?;
        (scheme == "https").then_some((host, port.unwrap_or(443), path))
    }

    /// The host and the port as they stand there.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        url::parts(&self.0).map(|(_, authority, _)| authority)
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeysUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 3986 §3.3 and §3.4.
const fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'%'
                | b'/'
                | b'?'
        )
}

/// A text is not where keys are fetched.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not where keys are fetched; write `https://HOST[:PORT]/PATH`, without a name or \
     password"
)]
pub struct KeysUrlError(Given);

/// So long keys count after they were fetched: an hour to a year.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MaxKeyAge(Duration);

impl MaxKeyAge {
    /// A week.
    pub const DEFAULT: Self = Self(Duration::from_secs(7 * 86_400));

    /// Takes such a duration.
    ///
    /// # Errors
    ///
    /// Returns [`MaxKeyAgeError`] for one that is shorter or longer.
    pub fn new(duration: Duration) -> Result<Self, MaxKeyAgeError> {
        if (SHORTEST_AGE..=LONGEST_AGE).contains(&duration) {
            Ok(Self(duration))
        } else {
            Err(MaxKeyAgeError::OutOfRange)
        }
    }

    /// Parses such a duration, like `7d`.
    ///
    /// # Errors
    ///
    /// Returns [`MaxKeyAgeError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MaxKeyAgeError> {
        Self::new(parse_duration(text)?)
    }

    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// Something is not how long keys may count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MaxKeyAgeError {
    /// It is no duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// It is shorter or longer.
    #[error("fetched keys count for `1h` to `365d`")]
    OutOfRange,
}

/// A line about what went wrong has at most so many bytes.
pub const LONGEST_PROBLEM: usize = 255;

const LONGEST: usize = 512;
const SHORTEST_AGE: Duration = Duration::from_secs(3_600);
const LONGEST_AGE: Duration = Duration::from_secs(365 * 86_400);
const FETCH_EVERY: Duration = Duration::from_secs(3_600);
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds.saturating_mul(1_000))
    }

    #[test]
    fn keys_are_fetched_over_tls_alone_and_without_a_password() {
        for (good, parts) in [
            ("https://a.example", ("a.example", 443, "")),
            (
                "https://a.example:8443/k?v=1&b=%20",
                ("a.example", 8_443, "/k?v=1&b=%20"),
            ),
            ("https://[::1]:1/a", ("::1", 1, "/a")),
            ("https://10.0.0.1?a", ("10.0.0.1", 443, "?a")),
        ] {
            assert_eq!(KeysUrl::parse(good).unwrap().parts(), Some(parts), "{good}");
        }
        let long = format!("https://a/{}", "x".repeat(LONGEST));
        for bad in [
            "",
            "a.example/k",
            "http://a.example/k",
            "https://",
            "https:///k",
            "https://u:p@a.example/k",
            "https://a.example/k#f",
            "https://a.example/k k",
            "https://a.example/k\r\nX: y",
            "https://a.example/ä",
            "file:///etc/passwd",
            &long,
        ] {
            assert!(KeysUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_fetched_often_enough_that_they_count_and_sooner_where_it_failed() {
        let place = |age: u64| KeyPlace {
            url: KeysUrl::parse("https://a.example/k").unwrap(),
            allow_private: false,
            max_age: MaxKeyAge::new(Duration::from_secs(age)).unwrap(),
        };
        let mut source = KeySource::new(place(604_800), at(100));
        assert!(source.is_due(at(100)));
        assert_eq!(source.keys_end_at(), at(604_900));
        source.tried_at = Some(at(1_000));
        source.fetched_at = Some(at(1_000));
        assert_eq!(source.keys_end_at(), at(605_800));
        assert!(!source.is_due(at(4_599)) && source.is_due(at(4_600)));
        assert!(source.is_due(at(999)), "the clock was set back");
        source.asked = 1;
        assert!(source.is_due(at(1_001)));
        source.answered = 1;
        source.problem = Some("down".into());
        assert!(!source.is_due(at(1_299)) && source.is_due(at(1_300)));
        source.problem = None;
        source.place = place(3_600);
        assert!(!source.is_due(at(1_899)) && source.is_due(at(1_900)));
        for wrong in [0, 3_599, 365 * 86_400 + 1] {
            assert!(MaxKeyAge::new(Duration::from_secs(wrong)).is_err());
        }
        assert_eq!(MaxKeyAge::parse("7d"), Ok(MaxKeyAge::DEFAULT));
        for wrong in ["", "7", "59m", "366d"] {
            assert!(MaxKeyAge::parse(wrong).is_err(), "{wrong}");
        }
    }
}
