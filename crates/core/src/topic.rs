//! Topic names, topic filters and shared subscriptions (MQTT 5.0 §4.7, §4.8.2).
//!
//! A text becomes a [`TopicName`], a [`FilterRef`] or a [`Subscription`] by
//! parsing alone, which borrows and allocates nothing. Filters then answer
//! three questions: which topics they [match](FilterRef::matches), which
//! filters they [cover](FilterRef::covers) and which filters they
//! [intersect](FilterRef::intersects). All three are exact, iterative, and
//! linear in the length of the texts.

use core::fmt;

mod filter;
pub(crate) mod levels;
mod sendable;
mod subscription;

pub use filter::{FilterRef, TopicFilter};
pub(crate) use levels::has_wildcards;
pub use sendable::{NotSendable, sendable};
pub use subscription::{Subscription, SubscriptionError};

/// A topic that a message can carry: no wildcards (MQTT 5.0 §4.7.3).
///
/// # Examples
///
/// ```
/// use countersign_core::topic::{TopicFilter, TopicName};
///
/// let topic = TopicName::parse("plant/line1/temperature")?;
/// assert!(TopicFilter::parse("plant/#")?.matches(topic));
/// assert!(TopicName::parse("plant/+").is_err());
/// # Ok::<(), countersign_core::topic::TopicError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Reads a topic name, borrowing the text.
    ///
    /// # Errors
    ///
    /// Returns [`TopicError`] for a text that is empty, over 65,535 bytes, or
    /// holds NUL, `+` or `#`.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        check_length(text)?;
        if !holds_special(text) {
            return Ok(Self(text));
        }
        Err(if text.contains('\0') {
            TopicError::Nul
        } else {
            TopicError::WildcardInName
        })
    }

    /// Gives the text back.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Says whether the topic begins with `$`, which no wildcard matches.
    #[must_use]
    pub fn is_reserved(self) -> bool {
        self.0.starts_with('$')
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// Why a text is not a valid topic name or topic filter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// There is no character at all (MQTT 5.0 §4.7.3).
    #[error("a topic needs at least one character")]
    Empty,
    /// `#` is followed by another level (MQTT 5.0 §4.7.1.2).
    #[error("`#` at level {level} is not the last level")]
    HashNotLast {
        /// The offending level, counted from 0.
        level: usize,
    },
    /// The text holds the character NUL (MQTT 5.0 §4.7.3).
    #[error("a topic can't hold the character NUL")]
    Nul,
    /// The text is longer than the protocol can carry (MQTT 5.0 §4.7.3).
    #[error("{bytes} bytes are too long for a topic, which holds at most 65535")]
    TooLong {
        /// How long the text is.
        bytes: usize,
    },
    /// A topic name holds `+` or `#` (MQTT 5.0 §4.7.1).
    #[error("a topic name can't hold `+` or `#`")]
    WildcardInName,
    /// `+` or `#` shares its level with other text (MQTT 5.0 §4.7.1.3).
    #[error("the wildcard at level {level} does not stand alone")]
    WildcardNotAlone {
        /// The offending level, counted from 0.
        level: usize,
    },
}

/// Checks what names and filters have in common (MQTT 5.0 §4.7.3).
fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=MAX_BYTES => Ok(()),
        bytes => Err(TopicError::TooLong { bytes }),
    }
}

/// Says whether the text holds a byte that needs a closer look.
///
/// Whole blocks are looked at without a branch per byte, so that the compiler
/// can use vector instructions: this runs on every PUBLISH.
fn holds_special(text: &str) -> bool {
    let (blocks, rest) = text.as_bytes().as_chunks::<32>();
    blocks.iter().any(|block| {
        block
            .iter()
            .fold(false, |found, byte| found | is_special(*byte))
    }) || rest.iter().any(|byte| is_special(*byte))
}

fn is_special(byte: u8) -> bool {
    // Not `matches!`, which becomes a bit test that has no vector form.
    (byte == 0) | (byte == b'+') | (byte == b'#')
}

/// What the length field of an MQTT string can say (MQTT 5.0 §1.5.4).
const MAX_BYTES: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_text_is_no_topic() {
        assert_eq!(TopicName::parse(""), Err(TopicError::Empty));
    }

    #[test]
    fn a_name_holds_neither_wildcard_nor_nul_at_any_offset() {
        for offset in 0..70 {
            for (special, error) in [
                ("+", TopicError::WildcardInName),
                ("#", TopicError::WildcardInName),
                ("\0", TopicError::Nul),
            ] {
                let text = format!("{}{special}{}", "x".repeat(offset), "y".repeat(40));
                assert_eq!(TopicName::parse(&text), Err(error), "{offset}");
            }
        }
    }

    #[test]
    fn a_name_is_at_most_65535_bytes_long() {
        let longest = "é".repeat(32_767) + "x";
        assert!(TopicName::parse(&longest).is_ok());
        let longer = longest + "x";
        assert_eq!(
            TopicName::parse(&longer),
            Err(TopicError::TooLong { bytes: 65_536 })
        );
    }

    #[test]
    fn only_a_leading_dollar_makes_a_topic_reserved() {
        assert!(TopicName::parse("$SYS").unwrap().is_reserved());
        assert!(!TopicName::parse("a/$SYS").unwrap().is_reserved());
        assert!(!TopicName::parse("/$SYS").unwrap().is_reserved());
    }
}
