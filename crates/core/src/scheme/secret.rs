//! The secrets of a scheme: made by its shape, chosen within its limits, or
//! taken over.

use core::fmt;

use super::accepted::{FEWEST_DIGEST_BITS, shapes_of};
use super::{DraftError, Naming, RandomSource, Scheme, SchemeClientIds, Schemes, TokenLogin};
use crate::name::LoginName;
use crate::secret::Secret;

impl Scheme {
    /// Makes the secret of the credential `name`, a first one or another.
    ///
    /// # Errors
    ///
    /// Returns [`DraftError`] when one was chosen and can't be, is too short
    /// or too long, when one that is taken over has not the shape of those that
    /// may be or is weak, when one that is hashed slowly is for a name of a generated
    /// shape, or when there are no random bytes to make one.
    pub fn draft_secret(
        &self,
        name: &LoginName,
        given: GivenSecret<'_>,
        known: &Schemes,
        random: &mut dyn RandomSource,
    ) -> Result<DraftSecret, DraftError> {
        let chosen = match given {
            GivenSecret::Chosen(chosen) => chosen,
            GivenSecret::Made => {
                let made = self.secret_shape.generate_secret(random)?;
                return Ok(DraftSecret::Generated(made));
            }
            GivenSecret::TakenOver {
                secret,
                may_be_weak,
            } => {
                let taken_over = self.take_over(secret, may_be_weak)?;
                if matches!(taken_over, DraftSecret::Weak) {
                    check_not_generated(name, known)?;
                }
                return Ok(taken_over);
            }
        };
        self.limits()?.check(chosen)?;
        check_not_generated(name, known)?;
        Ok(DraftSecret::Chosen)
    }

    /// Checks that a credential of this name may have a password of which a hash
    /// alone is known.
    ///
    /// # Errors
    ///
    /// Returns [`DraftError`] when no secret of the scheme can be chosen, or none
    /// for this name.
    pub fn check_hashed(&self, name: &LoginName, known: &Schemes) -> Result<(), DraftError> {
        self.limits()?;
        check_not_generated(name, known)
    }

    /// Within which limits a secret may be chosen.
    fn limits(&self) -> Result<ChosenSecrets, DraftError> {
        self.chosen_secrets
            .ok_or_else(|| DraftError::SecretNotChosen {
                scheme: self.name.clone(),
            })
    }

    /// Judges a secret that was given out elsewhere by its shape.
    fn take_over(&self, secret: &Secret, may_be_weak: bool) -> Result<DraftSecret, DraftError> {
        let bits = core::str::from_utf8(secret.expose())
            .ok()
            .and_then(|text| self.secrets().filter_map(|shape| shape.bits_of(text)).min());
        match bits {
            None => Err(DraftError::SecretShape {
                scheme: self.name.clone(),
                shapes: shapes_of(self.secrets()),
            }),
            Some(bits) if bits >= FEWEST_DIGEST_BITS => Ok(DraftSecret::TakenOver),
            Some(_) if may_be_weak => Ok(DraftSecret::Weak),
            Some(bits) => Err(DraftError::SecretWeak { bits }),
        }
    }

    /// How all its secrets begin.
    #[must_use]
    pub fn secrets_begin(&self) -> &str {
        let mark = self.secret_shape.mark();
        let begins = |end: &usize| {
            let start = mark.get(..*end);
            start.is_some_and(|start| self.secrets().all(|it| it.mark().starts_with(start)))
        };
        let end = (0..=mark.len()).rev().find(begins).unwrap_or(0);
        mark.get(..end).unwrap_or_default()
    }

    /// Says whether clients present its secrets as names or client ids.
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        self.token_login != TokenLogin::Never || self.client_ids == SchemeClientIds::SameAsSecret
    }

    /// What the name and the secret of the credential `name` came from, if this
    /// scheme takes serial numbers.
    #[must_use]
    pub fn auth_type(&self, name: &LoginName, has_chosen_secret: bool) -> Option<AuthType> {
        match &self.naming {
            Naming::GivenOrSerial(shape) if shape.matches(name.as_str()) => Some(AuthType::Sn),
            Naming::GivenOrSerial(_) if has_chosen_secret => Some(AuthType::U),
            Naming::GivenOrSerial(_) => Some(AuthType::S),
            Naming::Generated(_) | Naming::Given | Naming::Suffixed => None,
        }
    }
}

/// Checks that a name is not one of those whose secrets are never hashed slowly.
fn check_not_generated(name: &LoginName, known: &Schemes) -> Result<(), DraftError> {
    if known.form_of(name.as_str()).is_cheap() {
        return Err(DraftError::SecretOfGeneratedName { name: name.clone() });
    }
    Ok(())
}

/// The secret that a credential is to have.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum GivenSecret<'a> {
    /// A person chose it; an empty one is one, and too short.
    Chosen(&'a Secret),
    /// None is given. The scheme makes one.
    Made,
    /// It was given out elsewhere.
    TakenOver {
        /// The secret.
        secret: &'a Secret,
        /// Whether it may have fewer than 64 random bits.
        may_be_weak: bool,
    },
}

/// The secret of a new credential.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub enum DraftSecret {
    /// The chosen one will do. Keep what Argon2id makes of it.
    Chosen,
    /// This one was made. Keep its digest, and show it once.
    Generated(Secret),
    /// The one that is taken over will do. Keep its digest.
    TakenOver,
    /// The one that is taken over is weak. Keep what Argon2id makes of it.
    Weak,
}

/// Within which limits a secret may be chosen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ChosenSecrets {
    /// The fewest characters it may have; one, if nothing is said.
    pub fewest: Option<u16>,
    /// The most characters it may have.
    pub most: Option<u16>,
}

impl ChosenSecrets {
    fn check(self, secret: &Secret) -> Result<(), DraftError> {
        let field = LimitedField::Password;
        let characters = characters(secret.expose());
        let fewest = self.fewest.unwrap_or(1).max(1);
        if characters < usize::from(fewest) {
            return Err(DraftError::TooShort { field, fewest });
        }
        field.check_most(characters, self.most)
    }
}

/// What was given when a credential was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthType {
    /// A username; the secret was made.
    S,
    /// `#SN#`; username and secret were made.
    Sn,
    /// A username and a secret.
    U,
}

impl AuthType {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::Sn => "SN",
            Self::U => "U",
        }
    }
}

impl fmt::Display for AuthType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A field whose length a scheme limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LimitedField {
    /// The chosen secret.
    Password,
    /// The entered name.
    Username,
}

impl LimitedField {
    pub(super) fn check_most(self, characters: usize, most: Option<u16>) -> Result<(), DraftError> {
        match most {
            Some(most) if characters > usize::from(most) => {
                Err(DraftError::TooLong { field: self, most })
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl fmt::Display for LimitedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "password",
            Self::Username => "username",
        })
    }
}

/// Counts the characters of a text; a stretch that is no UTF-8 counts as one.
fn characters(bytes: &[u8]) -> usize {
    bytes
        .utf8_chunks()
        .map(|chunk| {
            let broken = usize::from(!chunk.invalid().is_empty());
            chunk.valid().chars().count().saturating_add(broken)
        })
        .fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::super::random::tests::Pseudo;
    use super::*;

    fn draft(scheme: &str, name: &str, chosen: Option<&str>) -> Result<DraftSecret, DraftError> {
        let known = Schemes::built_in();
        let name = LoginName::parse(name).unwrap();
        let chosen = chosen.map(|text| Secret::new(text.into()));
        let scheme = known.find(scheme).unwrap();
        let given = chosen
            .as_ref()
            .map_or(GivenSecret::Made, GivenSecret::Chosen);
        scheme.draft_secret(&name, given, &known, &mut Pseudo(1))
    }

    fn refusal(scheme: &str, name: &str, chosen: &str) -> Option<String> {
        let drafted = draft(scheme, name, Some(chosen));
        drafted.err().map(|error| error.to_string())
    }

    #[test]
    fn an_empty_secret_is_never_chosen() {
        assert_eq!(
            refusal("basic", "dev1@acme", "").unwrap(),
            "'password' can not be less than 1 chars"
        );
        assert_eq!(
            refusal("impact", "DEV1", "").unwrap(),
            "'password' can not be less than 5 chars"
        );
    }

    #[test]
    fn the_limits_count_characters_and_not_bytes() {
        assert_eq!(
            refusal("impact", "DEV1", "äöü€").unwrap(),
            "'password' can not be less than 5 chars"
        );
        assert_eq!(refusal("impact", "DEV1", "äöü€!"), None);
        assert_eq!(refusal("impact", "DEV1", &"ä".repeat(50)), None);
        assert_eq!(
            refusal("impact", "DEV1", &"x".repeat(51)).unwrap(),
            "'password' can not be more than 50 chars"
        );
        assert_eq!(characters(b"a\xff\xc3\xa4"), 3);
    }

    #[test]
    fn a_name_of_a_generated_shape_holds_no_chosen_secret() {
        // The shapes of all schemes count, not just those of its own.
        assert_eq!(
            refusal("impact", "357890055321856", "chosen").unwrap(),
            "`357890055321856` has the shape of a generated name; it can't have a chosen password"
        );
        assert_eq!(refusal("basic", "357890055321856@acme", "chosen"), None);
        assert!(draft("impact", "357890055321856", None).is_ok());
    }

    #[test]
    fn most_schemes_take_no_chosen_secret() {
        for scheme in [
            "generated",
            "vwire",
            "vwire-compat",
            "vwire-token",
            "application",
        ] {
            assert_eq!(
                refusal(scheme, "x", "chosen").unwrap(),
                format!("scheme `{scheme}` makes its secrets itself; leave the password out")
            );
        }
    }

    #[test]
    fn a_generated_secret_has_the_shape_of_its_scheme() {
        for scheme in Schemes::built_in().iter() {
            let Ok(DraftSecret::Generated(secret)) = draft(scheme.name().as_str(), "x", None)
            else {
                panic!("{}", scheme.name());
            };
            let text = core::str::from_utf8(secret.expose()).unwrap();
            assert!(scheme.secret_shape().matches(text));
        }
    }

    #[test]
    fn an_application_secret_has_an_upper_a_lower_and_a_digit() {
        let shape = Schemes::built_in()
            .find("application")
            .unwrap()
            .secret_shape()
            .clone();
        assert_eq!(shape.length(), 32);
        for seed in 0..100 {
            let text = shape.generate(&mut Pseudo(seed)).unwrap();
            assert!(text.contains(|it: char| it.is_ascii_uppercase()));
            assert!(text.contains(|it: char| it.is_ascii_lowercase()));
            assert!(text.contains(|it: char| it.is_ascii_digit()));
        }
    }
}
