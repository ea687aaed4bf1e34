//! Why a text is not a valid pattern.

use crate::given::Given;
use crate::topic::TopicError;

/// Why a text is not a valid pattern.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The text is not a valid topic filter.
    #[error(transparent)]
    Filter(#[from] TopicError),
    /// The first level is `$share`.
    #[error("a rule names the topics themselves; leave out `$share` and the group")]
    Shared,
    /// `}` does not follow `${` in the same level.
    #[error("`{text}` is not closed with `}}` in its level")]
    UnclosedVariable {
        /// The text from `${` to the end of the level.
        text: Given,
    },
    /// The name between `${` and `}` is none of those known.
    #[error(
        "`{name}` is not a valid variable; write `username`, `client_id`, `tenant`, `group` or `attr.NAME`"
    )]
    UnknownVariable {
        /// The name between the braces.
        name: Given,
    },
    /// A first level that begins with `$` holds a variable.
    #[error("a first level that begins with `$` can't hold a variable")]
    VariableInReserved,
}
