//! Tenants: customers on one broker, kept apart from each other.

use core::fmt;

use crate::client_id::ClientId;
use crate::given::Given;
use crate::limit::UseLimits;
use crate::lockout::LockoutPolicy;
use crate::name::{LoginName, TenantId};
use crate::role::RoleName;
use crate::rule::Namespaces;
use crate::time::Timestamp;

/// A tenant as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What it asks of clients that connect.
    pub authentication: Authentication,
    /// How it judges SUBSCRIBE.
    pub subscribe: SubscribeMode,
    /// How all of its client ids begin, and no other client ids do.
    pub client_id_prefix: Option<ClientId>,
    /// When its users are locked out, if other than the settings say.
    pub lockout: Option<LockoutPolicy>,
    /// The topics it owns.
    pub namespaces: Namespaces,
    /// What its credentials may do if no rule says so.
    pub default_rights: DefaultRights,
    /// The roles that all its devices and things hold besides their own.
    pub default_roles: Vec<RoleName>,
    /// What its clients without a login may do if no rule says so.
    pub anonymous_rights: DefaultRights,
    /// The roles that its clients without a login hold.
    pub anonymous_roles: Vec<RoleName>,
    /// Whether its roles and credentials may hold rules for subscribing that
    /// name `$SYS`.
    pub sys_read: bool,
    /// How names begin that its administrators give, where names stay as they
    /// are and are unique over the store; without it they give none.
    pub name_prefix: Option<LoginName>,
    /// What all its principals together may, on each broker.
    pub limits: UseLimits,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Tenant {
    /// A tenant of this id that owns these topics, asks for a login from
    /// everybody, and leaves all else as it is by default.
    #[must_use]
    pub fn new(id: TenantId, namespaces: Namespaces, created_at: Timestamp) -> Self {
        Self {
            id,
            authentication: Authentication::Required,
            subscribe: SubscribeMode::Strict,
            client_id_prefix: None,
            lockout: None,
            namespaces,
            default_rights: DefaultRights::Namespaces,
            default_roles: Vec::new(),
            anonymous_rights: DefaultRights::Namespaces,
            anonymous_roles: Vec::new(),
            sys_read: false,
            name_prefix: None,
            limits: UseLimits::default(),
            created_at,
        }
    }
}

/// What a tenant asks of clients that connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authentication {
    /// A valid login, from everybody.
    Required,
    /// A valid login or none; a wrong one is refused.
    Optional,
    /// Nothing: anonymous clients and wrong logins are admitted as
    /// unauthenticated. A correct login that is suspended, revoked or expired
    /// is refused all the same.
    Off,
}

impl Authentication {
    /// All modes, strictest first.
    pub const ALL: [Self; 3] = [Self::Required, Self::Optional, Self::Off];

    /// Parses `required`, `optional` or `off`.
    ///
    /// # Errors
    ///
    /// Returns [`ModeError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ModeError> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| ModeError {
                text: text.into(),
                known: "`required`, `optional` or `off`",
            })
    }

    /// The mode as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Off => "off",
        }
    }

    /// Says whether a client without any login is admitted.
    #[must_use]
    pub const fn admits_anonymous(self) -> bool {
        match self {
            Self::Required => false,
            Self::Optional | Self::Off => true,
        }
    }

    /// Says whether a client with a wrong login is admitted.
    #[must_use]
    pub const fn admits_wrong_login(self) -> bool {
        match self {
            Self::Required | Self::Optional => false,
            Self::Off => true,
        }
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a tenant judges SUBSCRIBE.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubscribeMode {
    /// A filter must be covered by one allow rule.
    Strict,
    /// A filter must meet an allow rule; delivery filters the rest.
    Filtered,
}

impl SubscribeMode {
    /// Parses `strict` or `filtered`.
    ///
    /// # Errors
    ///
    /// Returns [`ModeError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ModeError> {
        match text {
            "strict" => Ok(Self::Strict),
            "filtered" => Ok(Self::Filtered),
            _ => Err(ModeError {
                text: text.into(),
                known: "`strict` or `filtered`",
            }),
        }
    }

    /// The mode as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Filtered => "filtered",
        }
    }
}

impl fmt::Display for SubscribeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a tenant's principals may do by its namespaces alone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DefaultRights {
    /// Credentials whose scheme says so, or clients without a login, may use all
    /// that the tenant owns.
    #[default]
    Namespaces,
    /// Only what rules allow.
    Nothing,
}

impl DefaultRights {
    /// Parses `namespaces` or `none`.
    ///
    /// # Errors
    ///
    /// Returns [`ModeError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ModeError> {
        match text {
            "namespaces" => Ok(Self::Namespaces),
            "none" => Ok(Self::Nothing),
            _ => Err(ModeError {
                text: text.into(),
                known: "`namespaces` or `none`",
            }),
        }
    }

    /// The word as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Nothing => "none",
        }
    }
}

/// A text is not a valid mode.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is not a valid mode; write {known}")]
pub struct ModeError {
    text: Given,
    known: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_off_admits_a_wrong_login_and_only_required_refuses_none() {
        assert_eq!(
            Authentication::ALL.map(|mode| (mode.admits_anonymous(), mode.admits_wrong_login())),
            [(false, false), (true, false), (true, true)]
        );
    }

    #[test]
    fn a_mode_reads_back_as_it_was_written() {
        for mode in Authentication::ALL {
            assert_eq!(Authentication::parse(mode.as_str()), Ok(mode));
        }
        for mode in [SubscribeMode::Strict, SubscribeMode::Filtered] {
            assert_eq!(SubscribeMode::parse(mode.as_str()), Ok(mode));
        }
        for rights in [DefaultRights::Namespaces, DefaultRights::Nothing] {
            assert_eq!(DefaultRights::parse(rights.as_str()), Ok(rights));
        }
        assert!(Authentication::parse("on").is_err());
        assert!(DefaultRights::parse("all").is_err());
        assert!(SubscribeMode::parse("").is_err());
    }
}
