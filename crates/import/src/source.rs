//! One module for each kind of source.

use core::fmt;

use crate::error::SourceError;
use crate::place::Place;

pub mod acl_file;
pub mod csv;
pub mod dynamic_security;
pub mod go_auth;
pub mod passwords;

/// Which program reads a file of passwords or rules: both have nearly the same
/// form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// mosquitto-go-auth's files backend.
    GoAuth,
    /// Mosquitto's `password_file` and `acl_file`.
    Mosquitto,
}

/// What the source's program loads and does not use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PassedOver {
    /// Where it stands.
    pub place: Place,
    /// Its name, where it has one.
    pub what: Box<str>,
    /// Why it is not used.
    pub why: PassedOverReason,
}

/// Why the source's program does not use something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PassedOverReason {
    /// The first one of this name counts.
    NameTaken,
    /// It has no name.
    Nameless,
    /// It names something that is not there.
    NotThere,
    /// The line has no `:`.
    NoColon,
    /// A later line of the same user counts.
    Replaced,
    /// The line has more than one `:`.
    TwoColons,
    /// It has a type that is not known.
    UnknownType,
    /// It is a member that is not known.
    UnknownMember,
}

impl fmt::Display for PassedOverReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameTaken => "the source uses the first one of this name",
            Self::Nameless => "it has no name, so the source does not use it",
            Self::NotThere => "it names something that the source does not have",
            Self::NoColon => "the line has no `:`, so the source does not use it",
            Self::Replaced => "the source uses a later line of this user",
            Self::TwoColons => "the line has more than one `:`, so the source does not use it",
            Self::UnknownType => "its type is not known, so the source does not use it",
            Self::UnknownMember => "the source does not know a member of this name",
        })
    }
}

/// Takes note of what the source's program does not use; of so much, and no more.
///
/// # Errors
///
/// Returns [`SourceError`] where it is more.
pub(crate) fn pass_over(
    passed_over: &mut Vec<PassedOver>,
    place: Place,
    what: impl Into<Box<str>>,
    why: PassedOverReason,
) -> Result<(), SourceError> {
    if passed_over.len() >= MOST_RULES {
        return Err(SourceError::new(place, TOO_MANY_PASSED_OVER));
    }
    let what = what.into();
    passed_over.push(PassedOver { place, what, why });
    Ok(())
}

/// So many users are read from one source.
pub(crate) const MOST_USERS: usize = 1_000_000;
/// So many rules, and as many of whatever else there is.
pub(crate) const MOST_RULES: usize = 4_000_000;
pub(crate) const TOO_MANY_USERS: &str = "there are more than 1000000 users";
pub(crate) const TOO_MANY_RULES: &str = "there are more than 4000000 rules";
const TOO_MANY_PASSED_OVER: &str = "there are more than 4000000 lines that are not used";
