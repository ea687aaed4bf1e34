//! Names: tenants, login names and groups. Parsing is the only way to one.

use core::borrow::Borrow;
use core::fmt;
use std::sync::Arc;

use crate::given::Given;

/// The id of a tenant: `[a-z0-9][a-z0-9_-]{0,62}`.
///
/// It has no dot and no `@`, so `name@tenant` and an e-mail address never
/// collide.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantId(Arc<str>);

impl Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TenantId {
    /// Parses a tenant's id.
    ///
    /// # Errors
    ///
    /// Returns [`TenantIdError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, TenantIdError> {
        let mut bytes = text.bytes();
        let starts_well = bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let goes_on_well = bytes.all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        });
        if starts_well && goes_on_well && text.len() <= LONGEST_TENANT_ID {
            Ok(Self(text.into()))
        } else {
            Err(TenantIdError(text.into()))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a valid tenant id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid tenant id; use 1 to 63 of `a-z`, `0-9`, `_` and `-`, not starting with `_` or `-`"
)]
pub struct TenantIdError(Given);

/// A login name: what a client writes into the username field.
///
/// 1 to 255 bytes of UTF-8 with no control character, no `#` and no outer
/// white space, compared byte for byte. All kinds of principals share one
/// name space.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LoginName(Arc<str>);

/// So that a table is searched by a text, which is compared as names are.
impl Borrow<str> for LoginName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl LoginName {
    /// Parses a login name of any kind.
    ///
    /// # Errors
    ///
    /// Returns [`LoginNameError`] saying what may not stand in a name.
    pub fn parse(text: &str) -> Result<Self, LoginNameError> {
        if text.is_empty() {
            return Err(LoginNameError::Empty);
        }
        if text.len() > LONGEST_LOGIN_NAME {
            return Err(LoginNameError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(LoginNameError::Control);
        }
        if text.contains('#') {
            return Err(LoginNameError::Wildcard { character: '#' });
        }
        if text.trim() != text {
            return Err(LoginNameError::OuterSpace);
        }
        Ok(Self(text.into()))
    }

    /// Parses the name of a device or service, which may not hold `+` either.
    ///
    /// An e-mail address may; a name that becomes part of a topic may not.
    ///
    /// # Errors
    ///
    /// Returns [`LoginNameError`] saying what may not stand in a name.
    pub fn parse_device(text: &str) -> Result<Self, LoginNameError> {
        if text.contains('+') {
            return Err(LoginNameError::Wildcard { character: '+' });
        }
        Self::parse(text)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a text that others keep, too.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// What stands where a name says which tenant it belongs to.
    #[must_use]
    pub fn named_tenant(&self) -> Option<&str> {
        self.0.rsplit_once('@').map(|(_, tenant)| tenant)
    }

    /// What stands behind the last `@`, and so who answers for the name.
    #[must_use]
    pub fn suffix(&self) -> Suffix {
        let Some((_, suffix)) = self.0.rsplit_once('@') else {
            return Suffix::None;
        };
        if suffix.contains('.') {
            return Suffix::Email;
        }
        TenantId::parse(suffix).map_or(Suffix::Unknown, Suffix::Tenant)
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says whether a character is not seen in a text, or has others seen in another
/// order: with one, two names look alike that are not.
#[must_use]
pub const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// What the part of a login name behind its last `@` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Suffix {
    /// There is no `@`.
    None,
    /// The suffix has the shape of a tenant's id.
    Tenant(TenantId),
    /// The suffix has a dot: an e-mail address.
    Email,
    /// The suffix is neither, so no credential has such a name.
    Unknown,
}

/// Why a text is not a valid login name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginNameError {
    /// It holds a control character, NUL included.
    #[error("a name can't hold a control character")]
    Control,
    /// It is empty.
    #[error("a name can't be empty")]
    Empty,
    /// It begins or ends with white space.
    #[error("a name can't begin or end with a space")]
    OuterSpace,
    /// It is longer than 255 bytes.
    #[error("a name can't be longer than 255 bytes; this one has {bytes}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It holds a wildcard of topic filters.
    #[error("a name can't hold `{character}`")]
    Wildcard {
        /// The wildcard.
        character: char,
    },
}

/// A dotted path that credentials of a tenant are sorted by: `DM.MFORM.SURYA`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GroupPath(Arc<str>);

impl GroupPath {
    /// Parses a path of one or more parts of `A-Z a-z 0-9 _ -`, 255 bytes in all.
    ///
    /// # Errors
    ///
    /// Returns [`GroupPathError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, GroupPathError> {
        let good_part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        if text.len() <= LONGEST_LOGIN_NAME && text.split('.').all(good_part) {
            Ok(Self(text.into()))
        } else {
            Err(GroupPathError(text.into()))
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether `other` is this group or lies below it.
    ///
    /// `DM` covers `DM` and `DM.X`, never `DMX`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }

    /// This group and those above it, from the lowest to the highest: `DM.X`, `DM`.
    pub fn and_above(&self) -> impl Iterator<Item = Self> {
        let lowest = Some(&*self.0);
        let paths =
            core::iter::successors(lowest, |path| path.rsplit_once('.').map(|(above, _)| above));
        paths.map(|path| Self(path.into()))
    }
}

impl fmt::Display for GroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a valid group path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid group; write parts of `A-Z`, `a-z`, `0-9`, `_` and `-` joined by dots, like `DM.MFORM.SURYA`"
)]
pub struct GroupPathError(Given);

const LONGEST_TENANT_ID: usize = 63;
const LONGEST_LOGIN_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_has_no_dot_no_at_and_no_capitals() {
        for good in ["a", "0", "acme", "a-b_c", "0-", &"a".repeat(63)] {
            assert!(TenantId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "_a",
            "A",
            "a.b",
            "a@b",
            "a/b",
            "a b",
            "ä",
            "a\0",
            &"a".repeat(64),
        ] {
            assert!(TenantId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_login_name_has_no_control_character_wildcard_or_outer_space() {
        for good in [
            "a",
            "dev1@acme",
            "a@b@acme",
            "ü",
            "a b",
            "jane+x@mail.test",
            &"x".repeat(255),
        ] {
            assert!(LoginName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            " a",
            "a ",
            "a#",
            "a\nb",
            "a\0",
            "\u{7f}",
            "a\u{85}b",
            "\u{a0}a",
            &"x".repeat(256),
        ] {
            assert!(LoginName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(LoginName::parse_device("a+b").is_err());
    }

    #[test]
    fn the_last_at_decides_who_answers_for_a_name() {
        let suffix = |text| LoginName::parse(text).unwrap().suffix();
        let acme = TenantId::parse("acme").unwrap();
        assert_eq!(suffix("dev1"), Suffix::None);
        assert_eq!(suffix("dev1@acme"), Suffix::Tenant(acme.clone()));
        assert_eq!(suffix("a@b.c@acme"), Suffix::Tenant(acme));
        assert_eq!(suffix("jane@mail.test"), Suffix::Email);
        assert_eq!(suffix("dev1@ACME"), Suffix::Unknown);
        assert_eq!(suffix("dev1@"), Suffix::Unknown);
    }

    #[test]
    fn a_group_covers_itself_and_what_lies_below_but_no_namesake() {
        let group = |text| GroupPath::parse(text).unwrap();
        assert!(group("DM").covers(&group("DM")));
        assert!(group("DM").covers(&group("DM.X")));
        assert!(!group("DM").covers(&group("DMX")));
        assert!(!group("DM.X").covers(&group("DM")));
        let above: Vec<_> = group("A.B-1.C").and_above().collect();
        assert_eq!(above, [group("A.B-1.C"), group("A.B-1"), group("A")]);
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a/b", "a+"] {
            assert!(GroupPath::parse(bad).is_err(), "{bad:?}");
        }
    }
}
