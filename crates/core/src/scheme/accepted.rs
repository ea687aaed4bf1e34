//! What was given out elsewhere, and is taken over: secrets, and attributes that
//! a scheme fills.

use core::iter;

use super::draft::one_level;
use super::{
    DraftError, DraftSecret, Naming, SERIAL, Scheme, SchemeClientIds, Shape, TOKEN, TokenLogin,
};
use crate::secret::Secret;

/// Which texts a scheme takes over, beside those that it makes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct AcceptedShapes {
    /// Names.
    pub(super) name: Option<Shape>,
    /// Client ids.
    pub(super) client_id: Option<Shape>,
    /// Secrets.
    pub(super) secret: Option<Shape>,
    /// Values of the attribute `token`.
    pub(super) token: Option<Shape>,
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

impl Scheme {
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

    /// Says whether it takes over tokens of this value, beside those that it makes.
    #[must_use]
    pub fn takes_over_token(&self, value: &str) -> bool {
        let accepted = self.accepted.token.as_ref();
        accepted.is_some_and(|shape| shape.matches(value))
    }

    /// Judges a secret that was given out elsewhere by its shape.
    pub(super) fn take_over(
        &self,
        secret: &Secret,
        may_be_weak: bool,
    ) -> Result<DraftSecret, DraftError> {
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

    /// Says whether clients present its secrets as names or client ids.
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        self.token_login != TokenLogin::Never || self.client_ids == SchemeClientIds::SameAsSecret
    }

    /// Takes a value of an attribute that the scheme fills.
    pub(super) fn take_over_attribute(
        &self,
        attribute: &'static str,
        value: &str,
    ) -> Result<String, DraftError> {
        match (attribute, &self.token_shape, &self.naming) {
            (TOKEN, Some(made), _) => {
                let shapes = || iter::once(made).chain(&self.accepted.token);
                if shapes().any(|shape| shape.matches(value)) {
                    return Ok(value.into());
                }
                Err(DraftError::AttributeShape {
                    attribute,
                    value: value.into(),
                    shapes: shapes_of(shapes()),
                })
            }
            (SERIAL, _, Naming::GivenOrSerial(_)) => one_level(value.into()),
            // What keeps the name is the name.
            _ => Err(DraftError::AttributeFilled {
                attribute,
                scheme: self.name.clone(),
            }),
        }
    }
}

/// Shapes for people: "`a` or `b`".
fn shapes_of<'a>(shapes: impl Iterator<Item = &'a Shape>) -> String {
    let shapes: Vec<_> = shapes.map(|shape| format!("`{shape}`")).collect();
    shapes.join(" or ")
}

/// A secret of fewer random bits is hashed slowly; its digest could be turned back.
pub(super) const FEWEST_DIGEST_BITS: u32 = 64;
