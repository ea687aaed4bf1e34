//! Why a source can't be read.

use std::borrow::Cow;

use crate::place::Place;

/// A source can't be read: where, and why.
///
/// Never what stands there, for it may hold a secret. The way out is the same
/// for all causes: to mend the file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct SourceError {
    place: Place,
    reason: Cow<'static, str>,
}

impl SourceError {
    pub(crate) fn new(place: Place, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            place,
            reason: reason.into(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Why, without the place.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
