//! The kind of principal that a name belongs to, for commands that are about one
//! kind alone, and names that are reserved.

use countersign_core::credential::Credential;
use countersign_core::kind::{self, Kind};
use countersign_core::name::{LoginName, is_unseen};

use crate::error::{AdminError, ErrorKind, Noun, Subject};

/// The name of a credential belongs to another kind of principal than a command
/// is about.
pub(crate) fn wrong_kind(credential: &Credential) -> AdminError {
    let (noun, is) = match &credential.kind {
        Kind::Application(_) => (Noun::Application, "an application"),
        Kind::Bearer => (Noun::Token, "whoever presents certain tokens"),
        Kind::Device => (Noun::Credential, "a credential"),
        Kind::Operator => (Noun::Operator, "an operator"),
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
/// Returns [`AdminError`] for what names applications and bearers of tokens, and
/// for the user name that every bearer may give: a principal with that name would
/// keep them all out.
pub(crate) fn check_not_reserved(name: &LoginName) -> Result<(), AdminError> {
    let refused = |message| Err(AdminError::invalid(Noun::Credential, name, message));
    if let Some(unseen) = name.as_str().chars().find(|it| is_unseen(*it)) {
        return refused(format!(
            "a name can't hold U+{:04X}, which is not seen, or changes what is",
            u32::from(unseen)
        ));
    }
    if kind::is_reserved(name) {
        return refused(format!(
            "`{name}` can't be a name: `jwt` and what begins with `jwt:` or `application:` is \
             kept for tokens and applications"
        ));
    }
    Ok(())
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
