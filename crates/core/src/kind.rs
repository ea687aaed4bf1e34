//! What a credential stands for: a device, an operator, a user, an application, a
//! thing, or the holder of tokens.
//!
//! All kinds are credentials, so they share one name space, one numbering, one
//! life cycle and one change log. Only a device, an operator, a thing and a
//! user log in by their names.

use core::fmt;

use crate::auto_registration::AutoRegistration;
use crate::credential::CredentialId;
use crate::given::Given;
use crate::name::{LoginName, LoginNameError, TenantId};
use crate::user::User;

/// What a credential stands for.
#[derive(Clone, Debug, Default)]
pub enum Kind {
    /// A device or a service of a tenant.
    #[default]
    Device,
    /// An application. It owns a token that its things present, and nothing
    /// logs in as it.
    Application(Application),
    /// The holder of tokens (RFC 7519) that name this `whoami`. It owns client
    /// ids from one token to the next, and nothing logs in by its name.
    Bearer,
    /// An operator, who stands outside of all tenants.
    Operator,
    /// A thing. The credential's secrets and roles are its application's.
    Thing(Thing),
    /// A person, who belongs to no tenant and is granted roles in some.
    User(Box<User>),
}

impl Kind {
    /// The kind as the store writes it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Application(_) => "application",
            Self::Bearer => "bearer",
            Self::Operator => "operator",
            Self::Thing(_) => "thing",
            Self::User(_) => "user",
        }
    }

    /// What makes it an application, if it is one.
    #[must_use]
    pub const fn application(&self) -> Option<&Application> {
        match self {
            Self::Application(application) => Some(application),
            Self::Bearer | Self::Device | Self::Operator | Self::Thing(_) | Self::User(_) => None,
        }
    }

    /// What makes it a thing, if it is one.
    #[must_use]
    pub const fn thing(&self) -> Option<&Thing> {
        match self {
            Self::Thing(thing) => Some(thing),
            Self::Application(_) | Self::Bearer | Self::Device | Self::Operator | Self::User(_) => {
                None
            }
        }
    }

    /// What makes it a user, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Application(_)
            | Self::Bearer
            | Self::Device
            | Self::Operator
            | Self::Thing(_) => None,
        }
    }

    /// Says whether credentials of this kind belong to a tenant. A record that says
    /// otherwise can't be read: what has lost its tenant is not an operator.
    #[must_use]
    pub const fn is_of_tenant(&self) -> bool {
        match self {
            Self::Application(_) | Self::Bearer | Self::Device | Self::Thing(_) => true,
            Self::Operator | Self::User(_) => false,
        }
    }

    /// Says whether anybody logs in by the name of such a credential.
    #[must_use]
    pub const fn logs_in_by_name(&self) -> bool {
        match self {
            Self::Device | Self::Operator | Self::Thing(_) | Self::User(_) => true,
            Self::Application(_) | Self::Bearer => false,
        }
    }
}

/// What makes a credential an application.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Application {
    /// Whether its sessions administer their tenant.
    pub is_org_admin: bool,
    /// Which things are registered when they first present the token; none
    /// where that is not wanted.
    pub registers: Option<AutoRegistration>,
}

/// What makes a credential a thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Thing {
    /// Its application.
    pub application: CredentialId,
    /// The name of its application.
    pub application_name: ApplicationName,
    /// Whether its application's sessions administer their tenant.
    pub is_org_admin: bool,
}

/// The name of an application: 1 to 64 of `A-Z a-z 0-9 _ - .`, unique in its
/// tenant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ApplicationName(Box<str>);

impl ApplicationName {
    /// Parses an application's name.
    ///
    /// # Errors
    ///
    /// Returns [`ApplicationNameError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, ApplicationNameError> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            Err(ApplicationNameError(text.into()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the application's credential: `application:NAME@TENANT`.
    ///
    /// # Errors
    ///
    /// Never, for what the parts hold: 64 and 63 bytes of harmless characters.
    pub fn credential_name(&self, tenant: &TenantId) -> Result<LoginName, LoginNameError> {
        LoginName::parse(&format!("{APPLICATION_PREFIX}{self}@{tenant}"))
    }

    /// The application's name in the name of its credential.
    #[must_use]
    pub fn of_credential(name: &LoginName) -> Option<Self> {
        let (rest, _) = name
            .as_str()
            .strip_prefix(APPLICATION_PREFIX)?
            .rsplit_once('@')?;
        Self::parse(rest).ok()
    }
}

impl fmt::Display for ApplicationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a valid application's name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid application name; use 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `-` and `.`"
)]
pub struct ApplicationNameError(Given);

/// Says whether a name is kept for credentials that have no login by name, so
/// that no device, operator or thing may have it.
#[must_use]
pub fn is_reserved(name: &LoginName) -> bool {
    let name = name.as_str();
    let is_prefixed = [APPLICATION_PREFIX, BEARER_PREFIX]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    is_prefixed || name == ANY_BEARER
}

/// The topics of a thing, in the tenant of its application and in the scheme of
/// things alike.
pub(crate) const THING_TOPICS: &str = "thing/${attr.thing_key}/#";
/// What stands there for its key.
pub(crate) const THING_ATTRIBUTE: &str = "${attr.thing_key}";

/// The user name that every bearer of a token may give.
pub(crate) const ANY_BEARER: &str = "jwt";
pub(crate) const APPLICATION_PREFIX: &str = "application:";
/// See [`bearer_name`](crate::jwt::bearer_name).
pub(crate) const BEARER_PREFIX: &str = "jwt:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_applications_credential_is_named_after_it_and_its_tenant() {
        let tenant = TenantId::parse("acme").unwrap();
        let name = ApplicationName::parse("fleet.1").unwrap();
        let credential = name.credential_name(&tenant).unwrap();
        assert_eq!(credential.as_str(), "application:fleet.1@acme");
        assert_eq!(ApplicationName::of_credential(&credential), Some(name));
        let longest = ApplicationName::parse(&"x".repeat(64)).unwrap();
        let tenant = TenantId::parse(&"a".repeat(63)).unwrap();
        assert!(longest.credential_name(&tenant).is_ok());
        for bad in ["", "a b", "a@b", "a/b", &"x".repeat(65)] {
            assert!(ApplicationName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_applications_and_bearers_are_kept_from_devices() {
        let is_reserved = |text| is_reserved(&LoginName::parse(text).unwrap());
        assert!(is_reserved("application:x@acme") && is_reserved("jwt:me@acme"));
        assert!(is_reserved("jwt"));
        assert!(!is_reserved("jwt@acme") && !is_reserved("applications@acme"));
    }
}
