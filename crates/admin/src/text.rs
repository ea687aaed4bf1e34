//! Free text for people: descriptions and reasons.

/// Free text of at most 1,024 bytes without control characters.
///
/// Listings print it to terminals, which must not obey it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FreeText(String);

impl FreeText {
    /// Takes over a text.
    ///
    /// # Errors
    ///
    /// Returns [`TextError`] when it is too long or holds a control character.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.len() > LONGEST_TEXT {
            return Err(TextError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(TextError::Control);
        }
        Ok(Self(text.into()))
    }

    /// The text; none where it is empty.
    #[must_use]
    pub fn into_filled(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0)
    }

    /// As [`FreeText::into_filled`], of a text that stays.
    pub(crate) fn filled(&self) -> Option<String> {
        self.clone().into_filled()
    }
}

/// Why a text is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It holds a control character.
    #[error("a text can't hold control characters, line ends included")]
    Control,
    /// It is longer than 1,024 bytes.
    #[error("a text can't be longer than 1024 bytes; this one has {bytes}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

const LONGEST_TEXT: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_command_a_terminal() {
        assert!(FreeText::parse("pump, line 1 – ü").is_ok());
        for bad in ["\u{1b}[2J", "a\nb", "\0", &"x".repeat(1_025)] {
            assert!(FreeText::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_empty_text_is_none() {
        assert_eq!(FreeText::parse("").unwrap().into_filled(), None);
        assert_eq!(
            FreeText::parse("x").unwrap().into_filled().as_deref(),
            Some("x")
        );
    }
}
