//! How a scheme says what a client presents: login name and client id.

use core::iter;

use super::Shape;
use crate::client_id::{ClientId, ClientIdRule};

/// Where the name of a new credential comes from.
///
/// The name is the handle that commands take. It is what a client presents
/// as its username, too, unless the scheme has a [`TokenLogin`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Naming {
    /// It is made by this shape; a given one is taken if it has the shape.
    Generated(Shape),
    /// It is given, and taken as it is.
    Given,
    /// As [`Naming::Given`], but what begins with `#SN#` asks for one of this
    /// shape, and the rest is a serial number.
    GivenOrSerial(Shape),
    /// It is given, and becomes `name@tenant`.
    Suffixed,
}

impl Naming {
    /// The shape of the names it makes.
    #[must_use]
    pub fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Generated(shape) | Self::GivenOrSerial(shape) => Some(shape),
            Self::Given | Self::Suffixed => None,
        }
    }

    /// The naming as it is written, without its shape.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Generated(_) => "generated",
            Self::Given => "given",
            Self::GivenOrSerial(_) => "given-or-serial",
            Self::Suffixed => "suffixed",
        }
    }
}

/// How the letters of a given name are changed before it is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Folding {
    /// Not at all.
    None,
    /// To upper case, character by character.
    Upper,
}

impl Folding {
    /// Folds a text.
    ///
    /// # Errors
    ///
    /// Returns the first character whose folded form is not one character:
    /// `ß` would become `SS`.
    pub fn fold(self, text: &str) -> Result<String, char> {
        match self {
            Self::None => Ok(text.into()),
            Self::Upper => text
                .chars()
                .map(|character| {
                    let mut upper = character.to_uppercase();
                    match (upper.next(), upper.next()) {
                        (Some(one), None) => Ok(one),
                        (Some(_) | None, _) => Err(character),
                    }
                })
                .collect(),
        }
    }

    /// The folding as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Upper => "upper",
        }
    }
}

/// Whether a client may present its secret as its username.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenLogin {
    /// The username is the name, or the secret if the password is the same.
    Allowed,
    /// The username is the name.
    Never,
    /// The username is the secret and the password is the same; the name is a
    /// mere handle.
    Required,
}

impl TokenLogin {
    /// The word as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Never => "never",
            Self::Required => "required",
        }
    }
}

/// Which client ids the credentials of a scheme connect with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SchemeClientIds {
    /// The creator of a credential decides; any, if nothing is said.
    Any,
    /// One of this shape, which is made with the credential.
    Exact(Shape),
    /// The one a credential is first used with.
    FirstUse,
    /// Those that begin with a text of this shape, made with the credential.
    Prefix(Shape),
    /// The one that equals the secret.
    SameAsSecret,
    /// The one that equals the name.
    SameAsUsername,
}

impl SchemeClientIds {
    /// The shape of what is made with a credential.
    #[must_use]
    pub fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Exact(shape) | Self::Prefix(shape) => Some(shape),
            Self::Any | Self::FirstUse | Self::SameAsSecret | Self::SameAsUsername => None,
        }
    }

    /// Says whether a credential of the scheme may have this rule.
    ///
    /// Under [`SchemeClientIds::Any`] every rule may be chosen; an exact id and
    /// a prefix may be given if they have the shape; all else is the scheme's.
    #[must_use]
    pub fn admit(&self, rule: &ClientIdRule) -> bool {
        self.admit_shaped(rule, None)
    }

    /// The same where ids of another shape may be given, too.
    pub(super) fn admit_shaped(&self, rule: &ClientIdRule, accepted: Option<&Shape>) -> bool {
        let fits = |shape: &Shape, id: &ClientId| {
            let mut shapes = iter::once(shape).chain(accepted);
            shapes.any(|shape| shape.matches(id.as_str()))
        };
        match (self, rule) {
            (Self::Any, _)
            | (Self::FirstUse, ClientIdRule::FirstUse)
            | (Self::SameAsSecret, ClientIdRule::SameAsSecret)
            | (Self::SameAsUsername, ClientIdRule::SameAsUsername) => true,
            (Self::Exact(shape), ClientIdRule::Exact(id))
            | (Self::Prefix(shape), ClientIdRule::Prefix(id)) => fits(shape, id),
            (
                Self::Exact(_)
                | Self::FirstUse
                | Self::Prefix(_)
                | Self::SameAsSecret
                | Self::SameAsUsername,
                _,
            ) => false,
        }
    }

    /// The word as it is written, without its shape.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Exact(_) => "exact",
            Self::FirstUse => "first-use",
            Self::Prefix(_) => "prefix",
            Self::SameAsSecret => "same-as-secret",
            Self::SameAsUsername => "same-as-username",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_never_changes_how_many_characters_there_are() {
        let upper = |text| Folding::Upper.fold(text);
        assert_eq!(upper("test12345").unwrap(), "TEST12345");
        assert_eq!(upper("żółw-ﬁn".trim_end_matches("ﬁn")).unwrap(), "ŻÓŁW-");
        assert_eq!(upper("straße"), Err('ß'));
        assert_eq!(upper("ﬁn"), Err('ﬁ'));
        assert_eq!(upper("").unwrap(), "");
        assert_eq!(Folding::None.fold("straße").unwrap(), "straße");
    }

    #[test]
    fn a_folded_text_folds_to_itself() {
        for character in ('\0'..=char::MAX).filter(|it| it.is_alphabetic()) {
            if let Ok(folded) = Folding::Upper.fold(&character.to_string()) {
                assert_eq!(Folding::Upper.fold(&folded).as_ref(), Ok(&folded));
            }
        }
    }

    #[test]
    fn only_any_leaves_the_rule_to_whoever_makes_the_credential() {
        let shape = Shape::parse("[0-9]{3}").unwrap();
        let admits = |ids: &SchemeClientIds| {
            [
                "any",
                "exact:123",
                "exact:1234",
                "first-use",
                "prefix:123",
                "same-as-username",
            ]
            .map(|text| u8::from(ids.admit(&ClientIdRule::parse(text).unwrap())))
        };
        assert_eq!(admits(&SchemeClientIds::Any), [1, 1, 1, 1, 1, 1]);
        assert_eq!(
            admits(&SchemeClientIds::Exact(shape.clone())),
            [0, 1, 0, 0, 0, 0]
        );
        assert_eq!(admits(&SchemeClientIds::FirstUse), [0, 0, 0, 1, 0, 0]);
        assert_eq!(admits(&SchemeClientIds::Prefix(shape)), [0, 0, 0, 0, 1, 0]);
        assert_eq!(admits(&SchemeClientIds::SameAsSecret), [0; 6]);
        assert_eq!(admits(&SchemeClientIds::SameAsUsername), [0, 0, 0, 0, 0, 1]);
    }
}
