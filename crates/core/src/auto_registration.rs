//! Things and devices that register themselves: which names a client may take, and how
//! many. Things by their application's secret, devices by what an authority or an issuer
//! signed.
//!
//! All names of a store share one name space, and a client with an
//! application's secret can add to it. So only a small part of all names can be
//! registered as keys, no other kind of principal can have such a name, and the
//! number of keys is bounded.

use core::fmt;

use crate::given::Given;
use crate::kind::{ANY_BEARER, APPLICATION_PREFIX, BEARER_PREFIX, is_reserved};
use crate::name::{LoginName, TenantId};
use crate::role::RoleName;
use crate::scheme::{NameForm, Schemes};

/// Which things an application makes, and how many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AutoRegistration {
    /// How many things it ever makes; one that is deleted leaves no room.
    pub max: u32,
    /// The keys that it takes.
    pub pattern: KeyPattern,
    /// How many it had made when this was read.
    pub registered: u32,
}

impl AutoRegistration {
    /// As many things as an application makes unless somebody says otherwise.
    pub const DEFAULT_MAX: u32 = 1_000;

    /// More can't be asked for.
    pub const LARGEST_MAX: u32 = 1_000_000;

    /// As many as an application makes in one second; an authority and an issuer, too.
    pub const PER_SECOND: u32 = 10;

    /// Says whether it had made as many as it may when this was read.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.registered >= self.max
    }
}

impl Default for AutoRegistration {
    fn default() -> Self {
        Self {
            max: Self::DEFAULT_MAX,
            pattern: KeyPattern::default(),
            registered: 0,
        }
    }
}

/// Which devices an authority or an issuer makes of those that it names, and how many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceRegistration {
    /// The role that they hold.
    pub role: RoleName,
    /// How many it ever makes; one that is deleted leaves no room.
    pub max: u32,
    /// How many it had made when this was read.
    pub registered: u32,
}

impl DeviceRegistration {
    /// Says whether it had made as many as it may when this was read.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.registered >= self.max
    }
}

/// The login name of a device that registers itself: `NAME@TENANT`. None where it may not
/// be called so: a name is 1 to 64 of `A-Z a-z 0-9 _ - . :`, so that it is one level of a
/// topic, and not kept for another kind of principal.
#[must_use]
pub fn name_of_device(name: &str, tenant: &TenantId) -> Option<LoginName> {
    if !is_key(name) {
        return None;
    }
    let whole = LoginName::parse_device(&format!("{name}@{tenant}")).ok()?;
    (!is_reserved(&whole)).then_some(whole)
}

/// The keys that an application takes: text in which each `*` stands for one
/// or more characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPattern(Box<str>);

impl KeyPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// Returns [`KeyPatternError`] for what no key matches: other characters
    /// than keys have, none, or too many.
    pub fn parse(text: &str) -> Result<Self, KeyPatternError> {
        let is_good = |byte: u8| byte == b'*' || is_key_byte(byte);
        if (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(is_good) {
            Ok(Self(text.into()))
        } else {
            Err(KeyPatternError(text.into()))
        }
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether this key is one of them.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        let (first, rest) = match self.0.split_once('*') {
            None => return key == &*self.0,
            Some(parts) => parts,
        };
        let Some(mut left) = key.strip_prefix(first) else {
            return false;
        };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            // The `*` before this part takes one character at least.
            let mut beyond = left.chars();
            if beyond.next().is_none() {
                return false;
            }
            left = beyond.as_str();
            if parts.peek().is_none() {
                return left.ends_with(part);
            }
            let Some((_, after)) = left.split_once(part) else {
                return false;
            };
            left = after;
        }
        false
    }
}

impl Default for KeyPattern {
    fn default() -> Self {
        Self("*".into())
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a pattern of keys.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a pattern of keys; use 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `-`, `.`, `:` and `*`"
)]
pub struct KeyPatternError(Given);

/// Says whether a client may choose this name for itself, in any application.
///
/// It is 1 to 64 of `A-Z a-z 0-9 _ - . :`, so that it is neither an e-mail
/// address nor in a tenant, and neither what names tokens and applications nor
/// what a scheme would generate.
#[must_use]
pub fn may_register_itself(name: &LoginName, schemes: &Schemes) -> bool {
    let text = name.as_str();
    let lower = text.to_ascii_lowercase();
    let is_kept = lower == ANY_BEARER
        || [APPLICATION_PREFIX, BEARER_PREFIX]
            .iter()
            .any(|prefix| lower.starts_with(prefix));
    is_key(text) && !is_kept && schemes.form_of(text) == NameForm::Free
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(is_key_byte)
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':')
}

const LONGEST_KEY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_character_or_more() {
        for (pattern, good, bad) in [
            ("*", ["a", "AA:BB"].as_slice(), [""].as_slice()),
            (
                "pump-*",
                &["pump-1", "pump-xyz"],
                &["pump-", "Pump-1", "xpump-1"],
            ),
            ("*-eu", &["1-eu", "a-eu-eu"], &["-eu", "1-eu-", "1-us"]),
            (
                "a*b*c",
                &["a1b2c", "abbbc", "a-b-b-c"],
                &["abc", "a1bc", "ab2c", "a1b2"],
            ),
            ("a**", &["abc", "abcd"], &["a", "ab"]),
            ("exact", &["exact"], &["exact1", ""]),
        ] {
            let parsed = KeyPattern::parse(pattern).unwrap();
            for key in good {
                assert!(parsed.matches(key), "{pattern} {key}");
            }
            for key in bad {
                assert!(!parsed.matches(key), "{pattern} {key}");
            }
        }
        for bad in ["", "a b", "a/b", "a@b", "ä", "a\n", &"x".repeat(65)] {
            assert!(KeyPattern::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_client_takes_a_name_that_another_kind_of_principal_could_have() {
        let schemes = Schemes::built_in();
        let may = |text: &str| may_register_itself(&LoginName::parse(text).unwrap(), &schemes);
        for good in ["pump-1", "AA:BB:CC:DD:EE:FF", "a.b_c", "jwts"] {
            assert!(may(good), "{good}");
        }
        for bad in [
            "a@acme",
            "a@b.example",
            "jwt",
            "JWT",
            "jwt:me",
            "Jwt:me",
            "application:x",
            "VW-ABC123",
            "123456789012345",
            "a b",
            "a/b",
            "a\u{202e}b",
            "pump\u{200b}",
            "ä",
            &"x".repeat(65),
        ] {
            assert!(!may(bad), "{bad}");
        }
    }

    #[test]
    fn a_device_takes_a_name_of_one_level_in_its_tenant_and_no_kept_one() {
        let acme = TenantId::parse("acme").unwrap();
        for good in [
            "dev1",
            "AA:BB",
            "a.b_c-d",
            "jwt",
            "application",
            &"x".repeat(64),
        ] {
            let name = name_of_device(good, &acme).unwrap();
            assert_eq!(name.as_str(), format!("{good}@acme"));
        }
        for bad in [
            "",
            "dev1@beta",
            "a/b",
            "a+",
            "#",
            "a b",
            "a\0b",
            "ä",
            "dev\u{200b}",
            "jwt:me",
            "application:x",
            &"x".repeat(65),
        ] {
            assert_eq!(name_of_device(bad, &acme), None, "{bad:?}");
        }
    }
}
