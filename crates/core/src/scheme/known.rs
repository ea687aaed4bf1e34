//! All schemes that a store knows.

use std::collections::BTreeMap;

use super::{Scheme, SchemeName, TokenLogin};

/// All schemes that a store knows, by name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Schemes(pub(super) BTreeMap<SchemeName, Scheme>);

impl Schemes {
    /// Adds a scheme.
    ///
    /// # Errors
    ///
    /// Returns [`SchemeTakenError`] when there is one of this name; built-in
    /// ones can't be replaced.
    pub fn add(&mut self, scheme: Scheme) -> Result<(), SchemeTakenError> {
        if self.0.contains_key(scheme.name()) {
            return Err(SchemeTakenError(scheme.name().clone()));
        }
        self.0.insert(scheme.name().clone(), scheme);
        Ok(())
    }

    /// Finds a scheme by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Scheme> {
        self.0.get(name)
    }

    /// Lists the schemes in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Scheme> {
        self.0.values()
    }

    /// Says what a name looks like, whatever is stored under it.
    #[must_use]
    pub fn form_of(&self, name: &str) -> NameForm {
        let is_token = |scheme: &Scheme| match scheme.token_login {
            TokenLogin::Allowed | TokenLogin::Required => scheme.secret_shape.matches(name),
            TokenLogin::Never => false,
        };
        let is_generated = |scheme: &Scheme| {
            scheme
                .naming
                .shape()
                .is_some_and(|shape| shape.matches(name))
        };
        if self.iter().any(is_token) {
            NameForm::Token
        } else if self.iter().any(is_generated) {
            NameForm::Generated
        } else {
            NameForm::Free
        }
    }

    /// What may be shown of a name or client id that has the shape of a secret;
    /// none if it may be shown whole.
    #[must_use]
    pub fn masked(&self, name: &str) -> Option<String> {
        match self.form_of(name) {
            NameForm::Token => {
                let start: String = name.chars().take(SHOWN_OF_A_TOKEN).collect();
                Some(format!("{start}…"))
            }
            NameForm::Free | NameForm::Generated => None,
        }
    }
}

/// What a presented name looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameForm {
    /// As somebody chose it.
    Free,
    /// As the names that some scheme makes.
    Generated,
    /// As the secrets that serve as login names in some scheme; show it masked.
    Token,
}

impl NameForm {
    /// Says whether a login under such a name costs no more than a digest.
    ///
    /// No such name has a chosen password, so no slow check is made for one,
    /// and nobody learns from the time whether there is such a name.
    #[must_use]
    pub const fn is_cheap(self) -> bool {
        match self {
            Self::Free => false,
            Self::Generated | Self::Token => true,
        }
    }
}

/// There is a scheme of this name already.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is a scheme `{0}` already")]
pub struct SchemeTakenError(SchemeName);

/// How much of a secret that serves as a name tells it from others.
const SHOWN_OF_A_TOKEN: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_schemes_every_name_is_free() {
        let none = Schemes::default();
        assert_eq!(none.form_of("VW-ABC123"), NameForm::Free);
        assert!(!none.form_of("VW-ABC123").is_cheap());
    }

    #[test]
    fn the_form_of_a_name_goes_by_its_shape() {
        let known = Schemes::built_in();
        let hex = "0123456789abcdef0123456789abcdef";
        for (name, form) in [
            ("dev1@acme", NameForm::Free),
            ("jane@mail.test", NameForm::Free),
            ("TEST12345", NameForm::Free),
            ("", NameForm::Free),
            ("VW-ABC123", NameForm::Generated),
            ("vw-abc123", NameForm::Free),
            ("357890055321856", NameForm::Generated),
            (&format!("at_{hex}"), NameForm::Token),
            ("dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b774", NameForm::Token),
            // Secrets that never serve as names.
            (&format!("cs_{hex}"), NameForm::Free),
        ] {
            assert_eq!(known.form_of(name), form, "{name}");
            let start: String = name.chars().take(7).collect();
            let masked = (form == NameForm::Token).then(|| format!("{start}…"));
            assert_eq!(known.masked(name), masked, "{name}");
            assert_eq!(form.is_cheap(), form != NameForm::Free);
        }
    }

    #[test]
    fn no_scheme_is_replaced() {
        let mut known = Schemes::built_in();
        let basic = known.find("basic").unwrap().clone();
        assert_eq!(
            known.add(basic).unwrap_err().to_string(),
            "there is a scheme `basic` already"
        );
        assert!(known.find("Basic").is_none());
    }
}
