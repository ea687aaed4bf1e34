//! What a token claims.

use core::fmt;

use countersign_core::issuer::ClaimName;
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

    /// The text of a claim.
    #[must_use]
    pub fn text(&self, claim: &ClaimName) -> Option<&str> {
        self.find(claim)?.as_str()
    }

    /// The words of a claim: those of a list, or those of a text that spaces stand
    /// between. Empty if there is no such claim, or another in its place.
    #[must_use]
    pub fn words(&self, claim: &ClaimName) -> Vec<&str> {
        match self.find(claim) {
            Some(Value::String(text)) => text.split(' ').filter(|word| !word.is_empty()).collect(),
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The claim of that name, or else the member that the name leads to from object to
    /// object, by dots: `realm_access.roles`.
    fn find(&self, name: &ClaimName) -> Option<&Value> {
        let name = name.as_str();
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
