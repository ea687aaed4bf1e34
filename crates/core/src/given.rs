//! Texts that somebody gave, as errors and listings repeat them.

use core::fmt::{self, Write as _};

use crate::name::is_unseen;

/// A text that somebody gave and that is not what it should be, for an error to
/// repeat: on one line, with nothing in it that a terminal would obey, and not
/// longer than a line is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Given(Box<str>);

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        let mut beginning: String = text.chars().take(LONGEST).collect();
        if beginning.len() < text.len() {
            beginning.push('…');
        }
        Self(one_line(&beginning).into())
    }
}

impl From<String> for Given {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text on one line, with nothing in it that a terminal would obey and
/// nothing that is not seen.
#[must_use]
pub fn one_line(text: &str) -> String {
    OneLine(text).to_string()
}

/// A text that is shown as [`one_line`] makes it.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "the text may be a secret")]
pub struct OneLine<'t>(pub &'t str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_kept_off(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Says whether a character is shown by its number alone, because it ends a
/// line, commands a terminal, is not seen, or has others seen in another order.
#[must_use]
pub fn is_kept_off(character: char) -> bool {
    character.is_control() || is_unseen(character)
}

/// A text of a client's for a line of a log: without what would end the line or
/// its quotes, and cut after `most` characters.
#[must_use]
pub fn cut_line(text: &str, most: usize) -> String {
    let tame = |character: char| match character {
        '`' => '\'',
        _ if is_kept_off(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    let mut line: String = text.chars().take(most).map(tame).collect();
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}

const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_commands_no_terminal() {
        assert_eq!(one_line("a\nb\u{1b}[2J ü"), "a\\nb\\u{1b}[2J ü");
        assert_eq!(one_line("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
        assert_eq!(
            one_line("a\u{9b}31m\u{2028}\u{7f}"),
            "a\\u{9b}31m\\u{2028}\\u{7f}"
        );
    }

    #[test]
    fn a_text_neither_ends_its_line_nor_its_quotes_nor_fills_the_log() {
        assert_eq!(cut_line("a`b\n\u{1b}c", 64), "a'b\u{fffd}\u{fffd}c");
        assert_eq!(cut_line(&"x".repeat(64), 64), "x".repeat(64));
        assert_eq!(cut_line(&"ä".repeat(65_000), 64), "ä".repeat(64) + "…");
    }

    #[test]
    fn what_was_given_is_repeated_as_far_as_a_line_goes() {
        assert_eq!(Given::from("a'b\"\\").to_string(), "a'b\"\\");
        let long = "ü".repeat(LONGEST);
        assert_eq!(Given::from(long.as_str()).to_string(), long);
        let longer = Given::from(format!("{long}x"));
        assert_eq!(longer.to_string(), format!("{long}…"));
    }
}
