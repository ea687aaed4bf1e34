//! The holder of a token: a name that its issuer chose, in a tenant.

use core::fmt;

use crate::given::Given;
use crate::name::{LoginName, TenantId};

/// Whom a token was made for: 1 to 64 of `A-Z a-z 0-9 _ . -`, compared byte
/// for byte.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Whoami(Box<str>);

impl Whoami {
    /// Parses the name that an issuer chose.
    ///
    /// # Errors
    ///
    /// Returns [`WhoamiError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, WhoamiError> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if (1..=LONGEST_WHOAMI).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            Err(WhoamiError(text.into()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Whoami {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text does not name the bearer of a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` can't name a token's bearer; use 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `.` and `-`")]
pub struct WhoamiError(Given);

/// The principal that a token's bearer is: `jwt:WHOAMI@TENANT`.
///
/// # Panics
///
/// Never: both parts together are short enough, and hold nothing that a login
/// name may not hold.
#[must_use]
#[expect(clippy::expect_used, reason = "the types of the parts rule it out")]
pub fn bearer_name(whoami: &Whoami, tenant: &TenantId) -> LoginName {
    LoginName::parse(&format!("{PREFIX}{whoami}@{tenant}"))
        .expect("a prefix, a whoami and a tenant are a login name")
}

/// Whose name it is, if it is one that [`bearer_name`] makes.
#[must_use]
pub fn whoami_of(name: &LoginName) -> Option<Whoami> {
    parse_bearer(name.as_str()).map(|(whoami, _)| whoami)
}

/// Both parts of `jwt:WHOAMI@TENANT`.
pub(super) fn parse_bearer(text: &str) -> Option<(Whoami, TenantId)> {
    // INVARIANT: neither part holds an `@`, so it is the only one.
    let (whoami, tenant) = text.strip_prefix(PREFIX)?.split_once('@')?;
    Some((Whoami::parse(whoami).ok()?, TenantId::parse(tenant).ok()?))
}

const PREFIX: &str = "jwt:";
const LONGEST_WHOAMI: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whoami_has_its_shape() {
        for good in ["a", "Portal-1", "a.b_c", ".", &"x".repeat(64)] {
            assert_eq!(Whoami::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            " ",
            "a b",
            "a@b",
            "a:b",
            "a/b",
            "a+",
            "#",
            "ü",
            "a\0",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(Whoami::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_bearer_has_a_name_and_the_name_its_bearer() {
        for (whoami, tenant) in [
            ("portal", "acme"),
            ("a.b-C_1", "0"),
            (&*"x".repeat(64), &*"t".repeat(63)),
        ] {
            let parsed = Whoami::parse(whoami).unwrap();
            let name = bearer_name(&parsed, &TenantId::parse(tenant).unwrap());
            assert_eq!(name.as_str(), format!("jwt:{whoami}@{tenant}"));
            assert_eq!(whoami_of(&name), Some(parsed));
        }
    }

    #[test]
    fn another_name_is_no_bearer_s() {
        for name in [
            "jwt",
            "jwt:portal",
            "jwt:@acme",
            "jwt:portal@",
            "jwt:portal@ACME",
            "jwt:a@b@acme",
            "jwt:portal@mail.test",
            "JWT:portal@acme",
            "xjwt:portal@acme",
            "portal@acme",
        ] {
            assert_eq!(whoami_of(&LoginName::parse(name).unwrap()), None, "{name}");
        }
    }
}
