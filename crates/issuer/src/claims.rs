//! What a token claims.

use core::fmt;
use core::str::FromStr;

use countersign_core::given::Given;
use countersign_core::time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::token::Refusal;

/// So far an issuer's clock may be ahead of ours, in seconds.
const SKEW: i64 = 60;

/// The members of a token's payload (RFC 7519 §4), each once.
#[derive(Clone, Debug)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Reads a payload: one JSON object.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let Members(members) = serde_json::from_slice(payload).ok()?;
        Some(Self(members))
    }

    /// Who issued the token, the claim `iss`.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.get("iss")?.as_str()
    }

    /// Whom the token is for, the claim `aud`: one text, or a list of them. Empty if there
    /// is no such claim, or another in its place.
    #[must_use]
    pub fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => {
                let texts: Option<Vec<_>> = all.iter().map(Value::as_str).collect();
                texts.unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The token's own id, the claim `jti`.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.0.get("jti")?.as_str()
    }

    /// When the token ends, if it says so in numbers that are a time.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.time("exp").ok()?
    }

    /// Says whether the token is good at a time.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::Expired`] from `exp` on, [`Refusal::NotYetValid`] more than 60
    /// seconds before `nbf` or `iat`, and [`Refusal::Malformed`] without `exp`, or where
    /// one of them is no time.
    pub fn is_in_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let end = self.time("exp")?.ok_or(Refusal::Malformed)?;
        let latest = now.as_millis().saturating_add(SKEW.saturating_mul(1_000));
        for beginning in ["nbf", "iat"] {
            if self
                .time(beginning)?
                .is_some_and(|at| at.as_millis() > latest)
            {
                return Err(Refusal::NotYetValid);
            }
        }
        if now >= end {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    /// The text that an identity is claimed by.
    #[must_use]
    pub fn identity(&self, identity: &Identity) -> Option<&str> {
        self.find(identity.claim())?.as_str()
    }

    /// The words of a claim: those of a list, or those of a text that spaces stand
    /// between. Empty if there is no such claim, or another in its place.
    #[must_use]
    pub fn words(&self, claim: &str) -> Vec<&str> {
        match self.find(claim) {
            Some(Value::String(text)) => text.split(' ').filter(|word| !word.is_empty()).collect(),
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The claim of that name, or else the member that the name leads to from object to
    /// object, by dots: `realm_access.roles`.
    fn find(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(name) {
            return Some(value);
        }
        let mut steps = name.split('.');
        let first = self.0.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.as_object()?.get(step))
    }

    /// A claim of seconds since 1970 (RFC 7519 §2, `NumericDate`), rounded down.
    fn time(&self, claim: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(value) = self.0.get(claim) else {
            return Ok(None);
        };
        let whole = value.as_i64();
        let seconds = match (whole, value.as_f64()) {
            (Some(seconds), _) => seconds,
            (None, Some(seconds)) if seconds.abs() <= LATEST => whole_seconds(seconds),
            (None, _) => return Err(Refusal::Malformed),
        };
        let millis = seconds.checked_mul(1_000).ok_or(Refusal::Malformed)?;
        Ok(Some(Timestamp::from_millis(millis)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the caller has seen that it is at most `LATEST`"
)]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.floor() as i64
}

/// The second that the year 9999 ends with: no time is later.
const LATEST: f64 = 253_402_300_799.0;

/// The claim that tells whose a token is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity(Box<str>);

impl Identity {
    /// The claim's name.
    #[must_use]
    pub fn claim(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    /// Reads `sub`, `client_id`, or `claim:X` for another.
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let claim = match text {
            "sub" | "client_id" => text,
            _ => text
                .strip_prefix("claim:")
                .ok_or_else(|| IdentityError(text.into()))?,
        };
        let is_shown = |character: char| !character.is_control();
        if claim.is_empty() || claim.len() > LONGEST_CLAIM || !claim.chars().all(is_shown) {
            return Err(IdentityError(text.into()));
        }
        Ok(Self(claim.into()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            "sub" | "client_id" => f.write_str(&self.0),
            other => write!(f, "claim:{other}"),
        }
    }
}

/// A text names no claim.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no identity; it is `sub`, `client_id` or `claim:NAME`")]
pub struct IdentityError(Given);

/// A longer name of a claim is none.
const LONGEST_CLAIM: usize = 128;

/// The members of an object, none of them twice: what a token says is not up to who
/// reads it.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Members(members))
    }
}
