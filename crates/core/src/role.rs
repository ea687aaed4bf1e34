//! Roles: named sets of rules in a tenant.

use core::fmt;

use crate::given::Given;
use crate::limit::UseLimits;
use crate::name::{GroupPath, TenantId};
use crate::rule::Rule;
use crate::time::Timestamp;

/// The name of a role: 1 to 64 of `A-Z a-z 0-9 _ - .`, unique in its tenant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RoleName(Box<str>);

impl RoleName {
    /// Parses a role's name.
    ///
    /// # Errors
    ///
    /// Returns [`RoleNameError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, RoleNameError> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            Err(RoleNameError(text.into()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a valid role's name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a valid role name; use 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `-` and `.`")]
pub struct RoleNameError(Given);

/// A role as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: RoleName,
    /// Free text for people.
    pub description: Option<String>,
    /// Whether it grants no SUBSCRIBE with `+` or `#`.
    pub no_wildcards: bool,
    /// What each that holds it may, on each broker.
    pub limits: UseLimits,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its rules.
    pub rules: Vec<RoleRule>,
}

/// A rule of a role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleRule {
    /// The rule.
    pub rule: Rule,
    /// The group that it holds for, and all below; if none, it holds for all.
    pub group: Option<GroupPath>,
}

impl RoleRule {
    /// Says whether the rule holds for a member of these groups: for one of them is
    /// enough.
    #[must_use]
    pub fn holds_for(&self, groups: &[GroupPath]) -> bool {
        match &self.group {
            None => true,
            Some(bound) => groups.iter().any(|group| bound.covers(group)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Action, Pattern};

    #[test]
    fn a_rule_bound_to_a_group_holds_for_it_and_below() {
        let group = |text| GroupPath::parse(text).unwrap();
        let rule = RoleRule {
            rule: Rule::allow(Action::Both, Pattern::parse("a").unwrap()),
            group: Some(group("DM")),
        };
        assert!(rule.holds_for(&[group("DM")]));
        assert!(rule.holds_for(&[group("DMX"), group("DM.X")]));
        assert!(!rule.holds_for(&[group("DMX"), group("X.DM")]));
        assert!(!rule.holds_for(&[]));
        let free = RoleRule {
            group: None,
            ..rule
        };
        assert!(free.holds_for(&[]));
    }

    #[test]
    fn a_role_name_is_plain() {
        assert!(RoleName::parse("ops.read-only_2").is_ok());
        for bad in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(RoleName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
