//! JSON as it is printed: a terminal may be what reads it.

use core::fmt::Write;
use std::io;

use countersign_core::given::is_kept_off;
use serde::Serialize;
use serde_json::{Error, Result};
use zeroize::Zeroizing;

use crate::wiped;

/// A document on one line.
pub(crate) fn line(document: &impl Serialize) -> Result<Zeroizing<String>> {
    wiped::text(|out| serde_json::to_writer(Printed(out), document))
}

/// A document over several lines.
pub(crate) fn lines(document: &impl Serialize) -> Result<Zeroizing<String>> {
    wiped::text(|out| serde_json::to_writer_pretty(Printed(out), document))
}

/// Writes a document on one line.
pub(crate) fn write_line(mut writer: impl io::Write, document: &impl Serialize) -> Result<()> {
    writer
        .write_all(line(document)?.as_bytes())
        .map_err(Error::io)
}

/// Takes a document, and writes one that means the same, and in which what a
/// terminal would obey, or would not show, stands as an escape.
struct Printed<'w>(&'w mut dyn Write);

impl io::Write for Printed<'_> {
    fn write(&mut self, document: &[u8]) -> io::Result<usize> {
        let text = core::str::from_utf8(document).map_err(io::Error::other)?;
        // Line ends are between values alone; JSON has them escaped in texts.
        let is_escaped = |character: char| character != '\n' && is_kept_off(character);
        for character in text.chars() {
            if is_escaped(character) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(self.0, "\\u{unit:04x}").map_err(io::Error::other)?;
                }
            } else {
                self.0.write_char(character).map_err(io::Error::other)?;
            }
        }
        Ok(document.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
