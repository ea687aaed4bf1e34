//! What a token claims.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::whoami::parse_bearer;
use super::{Ttl, Whoami, bearer_name, from_object};
use crate::given::Given;
use crate::name::{LoginName, TenantId};
use crate::reason::Reason;
use crate::role::RoleName;
use crate::time::Timestamp;

/// What a token claims (RFC 7519 §4); its times are whole seconds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims {
    /// The token's own id, the claim `jti`.
    pub jti: TokenId,
    /// The tenant it is for; with [`Claims::whoami`] the claim `sub`.
    pub tenant: TenantId,
    /// Whom it is for.
    pub whoami: Whoami,
    /// The role whose rights it carries, the claim `role`.
    pub role: RoleName,
    /// The only things it is good for, the claim `things`; empty for all.
    pub things: Vec<LoginName>,
    /// When it was made, the claim `iat`; not valid before.
    pub issued_at: Timestamp,
    /// Not valid before this either, the claim `nbf`.
    pub not_before: Option<Timestamp>,
    /// Not valid from this instant on, the claim `exp`.
    pub expires_at: Timestamp,
}

impl Claims {
    /// The principal that the token's bearer is: `jwt:WHOAMI@TENANT`.
    #[must_use]
    pub fn bearer_name(&self) -> LoginName {
        bearer_name(&self.whoami, &self.tenant)
    }

    /// The same with every time cut down to the second that it is in, as the
    /// token says it.
    #[must_use]
    pub fn in_whole_seconds(self) -> Self {
        Self {
            issued_at: cut_down(self.issued_at),
            not_before: self.not_before.map(cut_down),
            expires_at: cut_down(self.expires_at),
            ..self
        }
    }

    /// Says whether the token is valid at `now`, to the millisecond.
    ///
    /// # Errors
    ///
    /// Returns [`Reason::Expired`] from its end on, [`Reason::NotYetValid`]
    /// before it was made or may be used, and [`Reason::Malformed`] whenever
    /// its end lies not after its issue or more than [`Ttl::MOST`] after it.
    pub fn is_in_time(&self, now: Timestamp) -> Result<(), Reason> {
        if !self.has_sane_lifetime() {
            return Err(Reason::Malformed);
        }
        if now >= self.expires_at {
            return Err(Reason::Expired);
        }
        let is_early = self.not_before.is_some_and(|not_before| now < not_before);
        if now < self.issued_at || is_early {
            return Err(Reason::NotYetValid);
        }
        Ok(())
    }

    /// The claims as a token holds them; `None` for times that none holds.
    pub(super) fn to_json(&self) -> Option<Vec<u8>> {
        let claims = self.clone().in_whole_seconds();
        if !claims.has_sane_lifetime() {
            return None;
        }
        let body = TokenBody {
            jti: claims.jti.to_string(),
            iss: ISSUER.into(),
            sub: claims.bearer_name().to_string(),
            role: claims.role.to_string(),
            things: (!claims.things.is_empty())
                .then(|| claims.things.iter().map(LoginName::to_string).collect()),
            iat: to_seconds(claims.issued_at)?,
            nbf: match claims.not_before {
                Some(not_before) => Some(to_seconds(not_before)?),
                None => None,
            },
            exp: to_seconds(claims.expires_at)?,
        };
        serde_json::to_vec(&body).ok()
    }

    /// Reads what a token holds, as strictly as [`Claims::to_json`] writes it.
    pub(super) fn from_json(payload: &[u8]) -> Option<Self> {
        let body: TokenBody = from_object(payload)?;
        let (whoami, tenant) = parse_bearer(&body.sub)?;
        let things = match body.things {
            // No list is "all of them". An empty one says nothing: it could be
            // read as "none".
            Some(things) if things.is_empty() => return None,
            Some(things) => things,
            None => Vec::new(),
        };
        let claims = Self {
            jti: TokenId::parse(&body.jti).ok()?,
            tenant,
            whoami,
            role: RoleName::parse(&body.role).ok()?,
            things: things
                .iter()
                .map(|thing| LoginName::parse(thing).ok())
                .collect::<Option<_>>()?,
            issued_at: from_seconds(body.iat)?,
            not_before: match body.nbf {
                Some(seconds) => Some(from_seconds(seconds)?),
                None => None,
            },
            expires_at: from_seconds(body.exp)?,
        };
        (body.iss == ISSUER && claims.has_sane_lifetime()).then_some(claims)
    }

    fn has_sane_lifetime(&self) -> bool {
        let lifetime = self.expires_at.since(self.issued_at);
        !lifetime.is_zero() && lifetime <= Ttl::MOST.as_duration()
    }
}

/// The id of a token, the claim `jti`: 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenId(Box<str>);

impl TokenId {
    /// Makes an id from 128 random bits.
    #[must_use]
    pub fn generate(random: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(random)).into())
    }

    /// Parses the id of a token.
    ///
    /// # Errors
    ///
    /// Returns [`TokenIdError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, TokenIdError> {
        let good = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            Err(TokenIdError(text.into()))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a valid id of a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a valid token id; it has 32 digits of `0-9` and `a-f`")]
pub struct TokenIdError(Given);

/// The claims as JSON; no others are understood.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    jti: String,
    iss: String,
    sub: String,
    role: String,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    things: Option<Vec<String>>,
    iat: u64,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    nbf: Option<u64>,
    exp: u64,
}

/// Reads a member that may be absent, but is not `null` where it is there.
fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

fn cut_down(at: Timestamp) -> Timestamp {
    let millis = at.as_millis();
    Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(1_000)))
}

fn to_seconds(at: Timestamp) -> Option<u64> {
    let seconds = u64::try_from(at.as_millis().div_euclid(1_000)).ok()?;
    (seconds <= LATEST_SECOND).then_some(seconds)
}

fn from_seconds(seconds: u64) -> Option<Timestamp> {
    if seconds > LATEST_SECOND {
        return None;
    }
    let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
    Some(Timestamp::from_millis(millis))
}

/// What our own tokens say of who issued them, the claim `iss`.
pub const ISSUER: &str = "countersign";
/// 9999-12-31T23:59:59Z, the last one that dates are written of.
const LATEST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            jti: TokenId::generate([0xab; 16]),
            tenant: TenantId::parse("acme").unwrap(),
            whoami: Whoami::parse("portal").unwrap(),
            role: RoleName::parse("reader").unwrap(),
            things: Vec::new(),
            issued_at: Timestamp::from_millis(1_700_000_000_000),
            not_before: None,
            expires_at: Timestamp::from_millis(1_700_003_600_000),
        }
    }

    fn at_seconds(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds.saturating_mul(1_000))
    }

    #[test]
    fn claims_are_written_like_this() {
        let jti = "ab".repeat(16);
        assert_eq!(
            String::from_utf8(claims().to_json().unwrap()).unwrap(),
            format!(
                r#"{{"jti":"{jti}","iss":"countersign","sub":"jwt:portal@acme","role":"reader","iat":1700000000,"exp":1700003600}}"#
            )
        );
        let more = Claims {
            things: vec![
                LoginName::parse("t1").unwrap(),
                LoginName::parse("\"2\\@acme").unwrap(),
            ],
            not_before: Some(at_seconds(1_700_000_001)),
            ..claims()
        };
        let json = String::from_utf8(more.to_json().unwrap()).unwrap();
        assert_eq!(
            json,
            format!(
                r#"{{"jti":"{jti}","iss":"countersign","sub":"jwt:portal@acme","role":"reader","things":["t1","\"2\\@acme"],"iat":1700000000,"nbf":1700000001,"exp":1700003600}}"#
            )
        );
        assert_eq!(Claims::from_json(json.as_bytes()), Some(more));
    }

    #[test]
    fn times_are_cut_down_to_seconds() {
        let uneven = Claims {
            issued_at: Timestamp::from_millis(1_700_000_000_999),
            not_before: Some(Timestamp::from_millis(1_700_000_001_001)),
            expires_at: Timestamp::from_millis(1_700_003_600_999),
            ..claims()
        };
        let even = Claims {
            not_before: Some(at_seconds(1_700_000_001)),
            ..claims()
        };
        assert_eq!(uneven.clone().in_whole_seconds(), even);
        assert_eq!(
            Claims::from_json(&uneven.to_json().unwrap()),
            Some(even.clone())
        );
        assert_eq!(even.clone().in_whole_seconds(), even);
    }

    #[test]
    fn a_token_ends_at_its_instant_and_not_after() {
        let issued = claims().issued_at.as_millis();
        let expires = claims().expires_at.as_millis();
        for (now, expected) in [
            (i64::MIN, Err(Reason::NotYetValid)),
            (issued - 1, Err(Reason::NotYetValid)),
            (issued, Ok(())),
            (expires - 1, Ok(())),
            (expires, Err(Reason::Expired)),
            (i64::MAX, Err(Reason::Expired)),
        ] {
            let now = Timestamp::from_millis(now);
            assert_eq!(claims().is_in_time(now), expected, "{now:?}");
        }
    }

    #[test]
    fn a_token_waits_for_its_beginning() {
        let begins = at_seconds(1_700_000_100);
        let later = Claims {
            not_before: Some(begins),
            ..claims()
        };
        let before = Timestamp::from_millis(begins.as_millis() - 1);
        assert_eq!(later.is_in_time(before), Err(Reason::NotYetValid));
        assert_eq!(later.is_in_time(begins), Ok(()));
        let never = Claims {
            not_before: Some(claims().expires_at),
            ..claims()
        };
        assert!(never.is_in_time(claims().issued_at).is_err());
        assert!(never.is_in_time(claims().expires_at).is_err());
    }

    #[test]
    fn a_token_lasts_a_day_at_most_and_some_time_at_least() {
        let lasting = |seconds: i64| Claims {
            expires_at: at_seconds(1_700_000_000 + seconds),
            ..claims()
        };
        let now = claims().issued_at;
        for good in [1, 86_400] {
            let claims = lasting(good);
            assert_eq!(claims.is_in_time(now), Ok(()), "{good}");
            assert_eq!(
                Claims::from_json(&claims.to_json().unwrap()),
                Some(claims.clone())
            );
        }
        for bad in [-1_700_000_001, -1, 0, 86_401, i64::from(u32::MAX)] {
            let claims = lasting(bad);
            assert_eq!(claims.is_in_time(now), Err(Reason::Malformed), "{bad}");
            assert_eq!(claims.to_json(), None, "{bad}");
            let json = format!(
                r#"{{"jti":"{}","iss":"countersign","sub":"jwt:portal@acme","role":"reader","iat":1700000000,"exp":{}}}"#,
                "ab".repeat(16),
                1_700_000_000 + bad
            );
            assert_eq!(Claims::from_json(json.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn times_that_no_date_has_are_not_written() {
        for millis in [i64::MIN, -1, i64::MAX - 2_000, 253_402_300_800_000] {
            let claims = Claims {
                issued_at: Timestamp::from_millis(millis),
                expires_at: Timestamp::from_millis(millis.saturating_add(2_000)),
                ..claims()
            };
            assert_eq!(claims.to_json(), None, "{millis}");
        }
    }

    #[test]
    fn a_token_id_has_its_shape() {
        let id = TokenId::generate(core::array::from_fn(|index| u8::try_from(index).unwrap()));
        assert_eq!(id.as_str(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(TokenId::parse(&id.to_string()), Ok(id));
        for bad in [
            "",
            "0001",
            "000102030405060708090A0B0C0D0E0F",
            "000102030405060708090a0b0c0d0e0g",
            "000102030405060708090a0b0c0d0e0f0",
            "00010203-0405-0607-0809-0a0b0c0d",
        ] {
            assert!(TokenId::parse(bad).is_err(), "{bad}");
        }
    }
}
