//! Text files as C programs and Go programs divide them into lines.

use crate::content::SourceContent;
use crate::error::SourceError;

/// The lines and their numbers, the first one being 1; without the `\n`.
pub(crate) fn numbered(content: &SourceContent) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = content.bytes.split(|byte| *byte == b'\n');
    lines
        .enumerate()
        .map(|(index, line)| (index.saturating_add(1), line))
}

/// The lines and their numbers as Go's `bufio.ScanLines` divides them: a CR at the
/// end belongs to the line's end, and what follows the last `\n` is a line only
/// if it holds something.
///
/// A line of 64 KiB makes a program in Go read no further without a word, so it
/// is refused, as is a NUL.
pub(crate) fn go_lines(
    content: &SourceContent,
) -> impl Iterator<Item = (usize, Result<&[u8], SourceError>)> {
    numbered(content).map(|(number, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let checked = if line.len() < LONGEST_GO_LINE {
            without_nul(content, number, line).map(|()| line)
        } else {
            let place = content.name.line(number);
            Err(SourceError::new(place, "the line is too long"))
        };
        (number, checked)
    })
}

/// Says whether mosquitto-go-auth takes a line for a comment, or for empty.
pub(crate) fn is_go_comment(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.iter().all(|byte| *byte == b' ')
}

/// Refuses a line with a NUL: programs in C read it to there and no further.
pub(crate) fn without_nul(
    content: &SourceContent,
    number: usize,
    line: &[u8],
) -> Result<(), SourceError> {
    if line.contains(&0) {
        let place = content.name.line(number);
        return Err(SourceError::new(place, "the line holds a NUL"));
    }
    Ok(())
}

/// A line, or a part of one, as text.
pub(crate) fn text<'a>(
    content: &SourceContent,
    number: usize,
    bytes: &'a [u8],
) -> Result<&'a str, SourceError> {
    core::str::from_utf8(bytes).map_err(|_| {
        let place = content.name.line(number);
        SourceError::new(place, "the line is not valid UTF-8")
    })
}

/// Without the white space around it that C's `isspace` knows.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let begin = bytes.iter().position(|byte| !is_space(*byte));
    trim_end(
        begin
            .and_then(|begin| bytes.get(begin..))
            .unwrap_or_default(),
    )
}

/// The same at its end alone.
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let last = bytes.iter().rposition(|byte| !is_space(*byte));
    last.and_then(|last| bytes.get(..=last)).unwrap_or_default()
}

/// C's `isspace`, in the C locale. A vertical tab is not in Rust's.
const fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// In bytes; Go's `bufio.MaxScanTokenSize`.
const LONGEST_GO_LINE: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_what_c_takes_for_it() {
        assert_eq!(trim(b" \t\r\x0b\x0c a b \r"), b"a b");
        assert_eq!(trim(b"  \r"), b"");
        assert_eq!(trim(b""), b"");
        assert_eq!(trim_end(b" a\x0b"), b" a");
        // No space of Unicode's.
        assert_eq!(trim("\u{a0}a\u{85}".as_bytes()), "\u{a0}a\u{85}".as_bytes());
    }
}
