//! Which topics brokers carry.
//!
//! MQTT 5.0 §1.5.4 leaves it to the receiver to close the connection over
//! control characters and Unicode non-characters, and says nothing about the
//! number of levels. Brokers close it over both.

/// Checks that brokers carry a topic, or a filter, of this text.
///
/// This is for people who write rules or ask what a broker would answer; what
/// a client sends has passed the broker.
///
/// # Errors
///
/// Returns [`NotSendable`] for a text that a broker closes the connection over.
pub fn sendable(text: &str) -> Result<(), NotSendable> {
    if let Some(character) = text.chars().find(|it| it.is_control() || is_none(*it)) {
        return Err(NotSendable::Character {
            code: character.into(),
        });
    }
    let slashes = text.bytes().filter(|byte| *byte == b'/').count();
    if slashes > MOST_SLASHES {
        return Err(NotSendable::Levels { slashes });
    }
    Ok(())
}

/// Why brokers carry no such topic.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSendable {
    /// It holds a control character or a Unicode non-character.
    #[error("a topic can't hold the character U+{code:04X}; brokers close the connection over it")]
    Character {
        /// Its number.
        code: u32,
    },
    /// It has too many levels.
    #[error(
        "a topic can't hold {slashes} slashes; brokers close the connection over more than 200"
    )]
    Levels {
        /// How many slashes it holds.
        slashes: usize,
    },
}

/// Says whether this is a non-character (Unicode 23.7).
fn is_none(character: char) -> bool {
    let code = u32::from(character);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

const MOST_SLASHES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_close_the_connection_over_is_not_sendable() {
        for bad in [
            "\u{1}",
            "\t",
            "\u{1f}",
            "\u{7f}",
            "\u{80}",
            "\u{9f}",
            "\u{fdd0}",
            "\u{fdef}",
            "\u{fffe}",
            "\u{ffff}",
            "\u{1fffe}",
            "\u{10ffff}",
        ] {
            assert!(sendable(&format!("a/{bad}")).is_err(), "{bad:?}");
        }
        for good in [
            "a b", "\u{a0}", "\u{feff}", "\u{d7ff}", "\u{e000}", "\u{202e}", "ü",
        ] {
            assert!(sendable(&format!("a/{good}")).is_ok(), "{good:?}");
        }
        assert!(sendable(&"/".repeat(200)).is_ok());
        assert!(sendable(&"/".repeat(201)).is_err());
    }
}
