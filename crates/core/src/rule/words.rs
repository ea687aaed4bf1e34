//! The words of a rule: whether it gives or takes away, and what it is about.

use core::fmt;

use crate::given::Given;

/// Whether a rule gives or takes away.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Effect {
    /// Gives, unless another rule takes away.
    Allow,
    /// Takes away, whatever other rules give.
    Deny,
}

impl Effect {
    /// Parses `allow` or `deny`.
    ///
    /// # Errors
    ///
    /// Returns [`WordError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(WordError {
                text: text.into(),
                known: "`allow` or `deny`",
            }),
        }
    }

    /// The effect as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// Publishing and subscribing.
    Both,
    /// Sending messages, Wills included.
    Publish,
    /// Subscribing, and receiving what was subscribed to.
    Subscribe,
}

impl Action {
    /// Parses `both`, `publish` or `subscribe`.
    ///
    /// # Errors
    ///
    /// Returns [`WordError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        match text {
            "both" => Ok(Self::Both),
            "publish" => Ok(Self::Publish),
            "subscribe" => Ok(Self::Subscribe),
            _ => Err(WordError {
                text: text.into(),
                known: "`publish`, `subscribe` or `both`",
            }),
        }
    }

    /// The action as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is none of the words that can stand here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` can't stand here; write {known}")]
pub struct WordError {
    text: Given,
    known: &'static str,
}
