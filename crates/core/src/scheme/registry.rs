//! All schemes that a store knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::given::cut_line;

use super::{Scheme, SchemeName, Shape, TokenLogin, built_in};

/// All schemes that a store knows, by name. A copy shares them until one of both is
/// changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Schemes {
    by_name: Arc<BTreeMap<SchemeName, Scheme>>,
    /// Those of whose names some have a password that was chosen.
    with_passwords: Arc<BTreeSet<SchemeName>>,
}

impl Schemes {
    /// Schemes of different names.
    pub(super) fn of(schemes: impl Iterator<Item = Scheme>) -> Self {
        let named = schemes.map(|scheme| (scheme.name().clone(), scheme));
        Self {
            by_name: Arc::new(named.collect()),
            with_passwords: Arc::default(),
        }
    }

    /// Adds a scheme.
    ///
    /// # Errors
    ///
    /// Returns [`SchemeTakenError`] when there is one of this name; built-in
    /// ones can't be replaced.
    pub fn add(&mut self, scheme: Scheme) -> Result<(), SchemeTakenError> {
        if self.by_name.contains_key(scheme.name()) {
            return Err(SchemeTakenError(scheme.name().clone()));
        }
        Arc::make_mut(&mut self.by_name).insert(scheme.name().clone(), scheme);
        Ok(())
    }

    /// Takes a scheme that a store has. It stands in the place of a built-in one
    /// that got its name later.
    ///
    /// # Errors
    ///
    /// Returns [`SchemeTakenError`] when another scheme of this name can't be
    /// replaced.
    pub fn add_stored(&mut self, scheme: Scheme) -> Result<(), SchemeTakenError> {
        if built_in::is_later(&scheme) {
            Arc::make_mut(&mut self.by_name).remove(scheme.name());
        }
        self.add(scheme)
    }

    /// Lists the schemes of a store that stand in the place of built-in ones.
    pub fn replaced(&self) -> impl Iterator<Item = &Scheme> {
        let built_in = Self::built_in();
        self.iter().filter(move |scheme| {
            let other = built_in.find(scheme.name().as_str());
            other.is_some_and(|other| other != *scheme)
        })
    }

    /// Finds a scheme by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Scheme> {
        self.by_name.get(name)
    }

    /// Keeps the schemes of these names.
    pub fn retain(&mut self, is_kept: impl Fn(&SchemeName) -> bool) {
        Arc::make_mut(&mut self.by_name).retain(|name, _| is_kept(name));
    }

    /// Lists the schemes in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Scheme> {
        self.by_name.values()
    }

    /// Says what a name looks like, whatever is stored under it.
    #[must_use]
    pub fn form_of(&self, name: &str) -> NameForm {
        let is_token = |scheme: &Scheme| match scheme.token_login {
            TokenLogin::Allowed | TokenLogin::Required => {
                scheme.secrets().any(|shape| shape.matches(name))
            }
            TokenLogin::Never => false,
        };
        if self.iter().any(is_token) {
            return NameForm::Token;
        }
        // What is hashed slowly under one name is under each of its form: time must not
        // tell which names have such a secret.
        let is_hashed = |scheme: &Scheme| {
            scheme.accepts_weak_secrets() || self.with_passwords.contains(scheme.name())
        };
        let mut form = NameForm::Free;
        for scheme in self.makers_of(name) {
            if is_hashed(scheme) {
                return NameForm::Hashed;
            }
            form = NameForm::Generated;
        }
        form
    }

    /// Lists the schemes that make names like this one.
    pub fn makers_of(&self, name: &str) -> impl Iterator<Item = &Scheme> {
        self.iter().filter(move |scheme| {
            let shape = scheme.naming.shape();
            shape.is_some_and(|shape| shape.matches(name))
        })
    }

    /// Lists those of whose names some have a password that was chosen.
    pub fn with_passwords(&self) -> impl Iterator<Item = &SchemeName> {
        self.with_passwords.iter()
    }

    /// Takes note that a name as this scheme makes them has a password that was chosen:
    /// from now on an unknown one costs as much as a wrong password.
    pub fn expect_passwords(&mut self, scheme: SchemeName) {
        Arc::make_mut(&mut self.with_passwords).insert(scheme);
    }

    /// What may be shown of a name or client id that holds a secret of those that
    /// serve as names, or the beginning of a token; none if it may be shown
    /// whole.
    #[must_use]
    pub fn masked(&self, text: &str) -> Option<String> {
        let at = match self.form_of(text) {
            NameForm::Token => Some(0),
            NameForm::Free | NameForm::Generated | NameForm::Hashed => {
                self.first_secret(text, Shape::begins_in)
            }
        };
        cut_at_secret(text, at)
    }

    /// What may be shown of a text that a client presented and that names nothing
    /// that is known: none, if it may be shown whole. It holds no secret of any
    /// scheme, however it is wrapped.
    #[must_use]
    pub fn masked_unknown(&self, text: &str) -> Option<String> {
        self.masked(text)
            .or_else(|| cut_at_secret(text, self.first_secret(text, Shape::stands_in)))
    }

    /// What may be shown of a name or client id that a client presented and that may be
    /// a secret in the wrong place: on one line, cut, and masked where a secret stands
    /// in it.
    #[must_use]
    pub fn shown_unknown(&self, text: &str) -> String {
        let masked = self.masked_unknown(text);
        cut_line(masked.as_deref().unwrap_or(text), LONGEST_SHOWN)
    }

    /// Where the first secret begins in a text.
    fn first_secret(
        &self,
        text: &str,
        stands_in: impl Fn(&Shape, &str) -> Option<usize>,
    ) -> Option<usize> {
        let shapes = self.iter().flat_map(Scheme::secrets);
        let secrets = shapes.filter_map(|shape| stands_in(shape, text));
        secrets.chain(jwt_in(text)).min()
    }
}

/// A text up to where a secret begins, and as much of that as tells it from
/// others.
fn cut_at_secret(text: &str, at: Option<usize>) -> Option<String> {
    let (before, secret) = text.split_at_checked(at?)?;
    let start: String = secret.chars().take(SHOWN_OF_A_TOKEN).collect();
    Some(format!("{before}{start}…"))
}

/// Where the first JWT begins in a text: its header, a JSON object in base64.
fn jwt_in(text: &str) -> Option<usize> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut starts = text.as_bytes().windows(SHORTEST_JWT);
    starts.position(|start| start.starts_with(JWT) && start.iter().all(is_base64))
}

/// What a presented name looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameForm {
    /// As a person chose it.
    Free,
    /// As the names that some scheme makes, none of which has a secret that is hashed
    /// slowly.
    Generated,
    /// As the names that some scheme makes, some of which have a secret that is hashed
    /// slowly: a weak one, or a password that was chosen.
    Hashed,
    /// As the secrets that serve as login names in some scheme; show it masked.
    Token,
}

impl NameForm {
    /// Says whether a login under such a name costs no more than a digest.
    ///
    /// No such name has a chosen password, so no slow check is made for one,
    /// and the time does not tell whether there is such a name.
    #[must_use]
    pub const fn is_cheap(self) -> bool {
        match self {
            Self::Free | Self::Hashed => false,
            Self::Generated | Self::Token => true,
        }
    }
}

/// Characters of a client's text that are shown.
const LONGEST_SHOWN: usize = 64;

/// There is a scheme of this name already.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is a scheme `{0}` already")]
pub struct SchemeTakenError(SchemeName);

/// How much of a secret that serves as a name tells it from others.
const SHOWN_OF_A_TOKEN: usize = 7;
/// `{"` in base64.
const JWT: &[u8; 3] = b"eyJ";
/// Fewer characters may be a word.
const SHORTEST_JWT: usize = 12;

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
            let is_secret = form == NameForm::Token || name.starts_with("cs_");
            let masked = is_secret.then(|| format!("{start}…"));
            assert_eq!(known.masked(name), masked, "{name}");
            assert_eq!(form.is_cheap(), form != NameForm::Free);
        }
    }

    #[test]
    fn one_password_makes_all_names_of_its_form_costly_and_no_others() {
        let mut known = Schemes::built_in();
        known.expect_passwords(SchemeName::parse("generated").unwrap());
        for (name, form) in [
            ("357890055321856", NameForm::Hashed),
            ("VW-ABC123", NameForm::Generated),
            ("TEST12345", NameForm::Free),
        ] {
            assert_eq!(known.form_of(name), form, "{name}");
            assert_eq!(form.is_cheap(), form == NameForm::Generated);
            assert!(known.masked(name).is_none());
        }
        // Of two schemes that make the same names, one is enough.
        known.expect_passwords(SchemeName::parse("vwire-compat").unwrap());
        assert_eq!(known.form_of("VW-ABC123"), NameForm::Hashed);
        assert_eq!(known.makers_of("VW-ABC123").count(), 2);
    }

    #[test]
    fn a_secret_is_masked_however_it_is_wrapped_and_cut() {
        let known = Schemes::built_in();
        let hex = "0123456789abcdef0123456789abcdef";
        let at = format!("at_{hex}");
        for (text, shown) in [
            (format!("{at}x"), "at_0123…"),
            (format!("\"{at}\""), "\"at_0123…"),
            (format!("token={at}"), "token=at_0123…"),
            ("at_0123456789abcdef0123".into(), "at_0123…"),
            (format!("cs_{hex}"), "cs_0123…"),
            (format!("ä{at}"), "äat_0123…"),
            ("eyJhbGciOiJFZERTQSJ9.eyJ".into(), "eyJhbGc…"),
            ("Bearer eyJhbGciOiJFZERTQSJ9".into(), "Bearer eyJhbGc…"),
        ] {
            assert_eq!(known.masked(&text).as_deref(), Some(shown), "{text}");
            assert_eq!(
                known.masked_unknown(&text).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        // What has no mark of its own may be anybody's client id, but is shown
        // to nobody where it was presented as a name.
        let chosen = format!("Ab1{}", "x".repeat(29));
        assert_eq!(known.masked(&chosen), None);
        for text in [&chosen, &format!("{chosen}y"), &format!("<{chosen}>")] {
            let shown = known.masked_unknown(text).unwrap();
            assert!(!shown.contains(&"x".repeat(5)), "{shown}");
        }
        for text in [
            "",
            "eyJ",
            "eyJoe@acme",
            "at_home",
            "cs_beef",
            "dev1@acme",
            "jwt:kiosk@acme",
        ] {
            assert_eq!(known.masked_unknown(text), None, "{text}");
        }
    }

    #[test]
    fn looking_for_secrets_in_a_long_text_is_bounded() {
        let known = Schemes::built_in();
        let long = "0123456789abcdefz".repeat(4_000);
        assert!(known.masked_unknown(&long).is_none());
    }

    #[test]
    fn a_stored_scheme_called_plain_wins_over_the_built_in_one() {
        let mut known = Schemes::built_in();
        let text = |text: &str| crate::scheme::FieldValue::Text(text.into());
        let stored = Scheme::from_fields([
            ("name", text("plain")),
            ("login_name", text("suffixed")),
            ("client_id", text("any")),
            ("secret_shape", text("p_[0-9a-f]{32}")),
        ])
        .unwrap();
        assert!(known.add(stored.clone()).is_err());
        assert_eq!(known.replaced().count(), 0);
        known.add_stored(stored.clone()).unwrap();
        assert_eq!(known.find("plain"), Some(&stored));
        assert_eq!(known.replaced().collect::<Vec<_>>(), [&stored]);
        assert!(known.add_stored(stored).is_ok());
        let basic = known.find("basic").unwrap().clone();
        assert!(known.add_stored(basic).is_err());
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
