//! Why no credential can be made of what was given.

use super::{LimitedField, RandomError, SchemeName, Shape};
use crate::client_id::ClientIdError;
use crate::given::Given;
use crate::name::{LoginName, LoginNameError};

/// Why a credential can't be made as asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// An attribute was set by hand that the scheme fills.
    #[error("attribute `{attribute}` is filled by scheme `{scheme}`; it can't be set")]
    AttributeFilled {
        /// The attribute.
        attribute: &'static str,
        /// The scheme.
        scheme: SchemeName,
    },
    /// The value of an attribute that the scheme fills has not its shape.
    #[error("`{value}` can't be the attribute `{attribute}`, which has the shape {shapes}")]
    AttributeShape {
        /// The attribute.
        attribute: &'static str,
        /// The value.
        value: Given,
        /// The shapes that it may have.
        shapes: String,
    },
    /// A made client id is none.
    #[error(transparent)]
    ClientId(#[from] ClientIdError),
    /// A rule for client ids was asked for that is not the scheme's.
    #[error("scheme `{scheme}` binds client ids by its own rule, `{own}`")]
    ClientIdRule {
        /// The scheme's own rule.
        own: &'static str,
        /// The scheme.
        scheme: SchemeName,
    },
    /// A name can't be a name.
    #[error("`{text}` can't be a name: {why}")]
    Name {
        /// What would have been the name.
        text: Given,
        /// What speaks against it.
        why: LoginNameError,
    },
    /// A name that no tenant is appended to holds `@`.
    #[error("`{name}` can't be a name of this scheme: `@` stands before the tenant of others")]
    NameAt {
        /// The name.
        name: LoginName,
    },
    /// A character of a name has no upper-case form of one character.
    #[error("a name of this scheme is written in upper case, and `{}` can't be", .character.escape_debug())]
    NameFolding {
        /// The character.
        character: char,
    },
    /// No name was given to a scheme that makes none.
    #[error("scheme `{scheme}` makes no names; give one")]
    NameMissing {
        /// The scheme.
        scheme: SchemeName,
    },
    /// A given name has not the shape of those that the scheme makes.
    #[error("`{name}` has not the shape `{shape}` that names of this scheme have")]
    NameShape {
        /// The name.
        name: Given,
        /// The shape.
        shape: Shape,
    },
    /// A text that becomes a level of topics is none.
    #[error("`{text}` can't be a level of topics: it holds `/`")]
    NoLevel {
        /// The text.
        text: Given,
    },
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A secret was chosen where all are made.
    #[error("scheme `{scheme}` makes its secrets itself; leave the password out")]
    SecretNotChosen {
        /// The scheme.
        scheme: SchemeName,
    },
    /// A secret that is hashed slowly is for a name of a generated shape.
    #[error("`{name}` has the shape of a generated name; it can't have a chosen password")]
    SecretOfGeneratedName {
        /// The name.
        name: LoginName,
    },
    /// A secret that is taken over has not the shape of those that may be.
    #[error(
        "the secret is not one that scheme `{scheme}` takes over; those have the shape {shapes}"
    )]
    SecretShape {
        /// The scheme.
        scheme: SchemeName,
        /// The shapes that it may have.
        shapes: String,
    },
    /// A secret that is taken over could be guessed.
    #[error("a secret of this shape carries {bits} random bits at most, and 64 are needed")]
    SecretWeak {
        /// How many it carries.
        bits: u32,
    },
    /// A field has too many characters.
    #[error("'{field}' can not be more than {most} chars")]
    TooLong {
        /// The field.
        field: LimitedField,
        /// The most it may have.
        most: u16,
    },
    /// A field has too few characters.
    #[error("'{field}' can not be less than {fewest} chars")]
    TooShort {
        /// The field.
        field: LimitedField,
        /// The fewest it may have.
        fewest: u16,
    },
}
