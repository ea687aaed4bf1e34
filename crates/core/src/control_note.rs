//! Notes: what dynamic-security's commands said of something, and nothing else of a
//! store keeps.
//!
//! They decide nothing for a broker. Without them the same rights hold.

use core::str::FromStr;

use crate::name::TenantId;

/// What a note is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NoteKey {
    /// Its tenant.
    pub tenant: TenantId,
    /// What sort of thing.
    pub kind: NoteKind,
    /// What it is called; empty for the tenant itself.
    pub name: Box<str>,
}

/// The sorts of things that notes are about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum NoteKind {
    /// A client: a credential, by its name.
    Client,
    /// A group.
    Group,
    /// A role.
    Role,
    /// The tenant itself.
    Tenant,
}

impl NoteKind {
    /// The word for it in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Group => "group",
            Self::Role => "role",
            Self::Tenant => "tenant",
        }
    }
}

/// A text names no sort of things.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there are no notes about that")]
pub struct NoteKindError;

impl FromStr for NoteKind {
    type Err = NoteKindError;

    fn from_str(text: &str) -> Result<Self, NoteKindError> {
        [Self::Client, Self::Group, Self::Role, Self::Tenant]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(NoteKindError)
    }
}

/// A note.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ControlNote {
    /// What it is about.
    pub key: NoteKey,
    /// What it says, as its writer writes it.
    pub text: Box<str>,
}
