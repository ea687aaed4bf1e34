//! The kind of principal that a name belongs to, for acts that are about one
//! kind alone, and names that are reserved.

use core::error::Error;
use core::fmt;

use countersign_core::credential::Credential;
use countersign_core::kind::{self, Kind};
use countersign_core::name::{LoginName, is_unseen};

use crate::error::{AdminError, ErrorKind, Noun, Subject};

/// A name belongs to another kind of principal than an act is about.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{name}` {}", .is.as_str())]
pub struct WrongKind {
    /// The name.
    pub name: LoginName,
    is: PrincipalKind,
}

impl WrongKind {
    /// Says what a credential is.
    pub(crate) fn of(credential: &Credential) -> Self {
        Self {
            name: credential.name.clone(),
            is: match &credential.kind {
                Kind::Application(_) => PrincipalKind::Application,
                Kind::Bearer => PrincipalKind::Bearer,
                Kind::Device if credential.is_operator() => PrincipalKind::Operator,
                Kind::Device => PrincipalKind::Device,
                Kind::Thing(_) => PrincipalKind::Thing,
                Kind::User(_) => PrincipalKind::User,
            },
        }
    }
}

/// The kind of the principal, instead of the kind that was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PrincipalKind {
    Application,
    Bearer,
    Device,
    Operator,
    Thing,
    User,
}

impl PrincipalKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "is an application; use the commands of `application`",
            Self::Bearer => "is whoever presents certain tokens; use the commands of `jwt`",
            Self::Device => "is a credential; use the commands of `credential`",
            Self::Operator => {
                "is an operator: `operator allow|deny|remove|show|delete` and `credential suspend|reactivate|revoke|reset-password|rotate` are for it"
            }
            Self::Thing => "is a thing; use the commands of `thing`",
            Self::User => "is a user; use the commands of `user`",
        }
    }
}

/// The name of a credential belongs to another kind of principal than a command
/// is about.
pub(crate) fn wrong_kind(credential: &Credential) -> AdminError {
    let (noun, is) = match &credential.kind {
        Kind::Application(_) => (Noun::Application, "an application"),
        Kind::Bearer => (Noun::Token, "whoever presents certain tokens"),
        Kind::Device if credential.is_operator() => (Noun::Operator, "an operator"),
        Kind::Device => (Noun::Credential, "a credential"),
        Kind::Thing(_) => (Noun::Thing, "a thing"),
        Kind::User(_) => (Noun::User, "a user"),
    };
    let name = &credential.name;
    let subject = Subject::new(noun, name);
    AdminError::new(ErrorKind::WrongKind, subject, format!("`{name}` is {is}"))
}

/// Checks that a device, an operator or a thing may be given this name.
///
/// # Errors
///
/// Returns [`ReservedName`] for what names applications and bearers of tokens,
/// and for the user name that every bearer may give: who had it would keep them
/// all out.
pub(crate) fn check_not_reserved(name: &LoginName) -> Result<(), ReservedName> {
    let unseen = name.as_str().chars().find(|it| is_unseen(*it));
    if unseen.is_some() || kind::is_reserved(name) {
        return Err(ReservedName {
            name: name.clone(),
            unseen,
        });
    }
    Ok(())
}

/// A name is kept for something else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReservedName {
    /// The name.
    pub name: LoginName,
    /// The character of it that nobody sees, if that is why.
    unseen: Option<char>,
}

impl fmt::Display for ReservedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unseen } = self;
        match unseen {
            Some(character) => write!(
                f,
                "a name can't hold U+{:04X}, which is not seen, or changes what is",
                u32::from(*character)
            ),
            None => write!(
                f,
                "`{name}` can't be a name: `jwt` and what begins with `jwt:` or `application:` is kept for tokens and applications"
            ),
        }
    }
}

impl Error for ReservedName {}

impl From<ReservedName> for AdminError {
    fn from(error: ReservedName) -> Self {
        Self::invalid(Noun::Credential, &error.name, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_tokens_and_applications_are_kept() {
        let is_free = |text| check_not_reserved(&LoginName::parse(text).unwrap()).is_ok();
        for kept in [
            "jwt",
            "jwt:x",
            "jwt:x@acme",
            "application:x@acme",
            "a\u{202e}b",
            "a\u{200b}",
        ] {
            assert!(!is_free(kept), "{kept}");
        }
        for free in ["jwt@acme", "JWT", "jwts", "application"] {
            assert!(is_free(free), "{free}");
        }
    }
}
