//! JSON as it is printed: a terminal may be what reads it.

use std::fmt::Write as _;
use std::io;

use countersign_core::given::is_kept_off;
use serde::Serialize;
use serde_json::{Error, Result};

/// Writes a document on one line.
pub(crate) fn write_line(writer: impl io::Write, document: &impl Serialize) -> Result<()> {
    write(writer, &serde_json::to_string(document)?)
}

/// Writes a document over several lines.
pub(crate) fn write_lines(writer: impl io::Write, document: &impl Serialize) -> Result<()> {
    write(writer, &serde_json::to_string_pretty(document)?)
}

/// Writes a document that means the same, and in which what a terminal would
/// obey, or would not show, stands as an escape.
fn write(mut writer: impl io::Write, document: &str) -> Result<()> {
    // Line ends are between values alone; JSON has them escaped in texts.
    let is_escaped = |character: char| character != '\n' && is_kept_off(character);
    let mut printed = String::with_capacity(document.len());
    for character in document.chars() {
        if is_escaped(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // A text takes all that is written to it.
                let _ = write!(printed, "\\u{unit:04x}");
            }
        } else {
            printed.push(character);
        }
    }
    writer.write_all(printed.as_bytes()).map_err(Error::io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_escaped_and_means_the_same() {
        let text = "\u{1b}[2J \u{9b}31m \u{7f} \u{202e}\u{e0041} ü\n\"";
        let mut printed = Vec::new();
        write_line(&mut printed, &[text]).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(!printed.chars().any(is_kept_off), "{printed}");
        assert_eq!(
            serde_json::from_str::<[String; 1]>(&printed).unwrap(),
            [text]
        );
    }
}
