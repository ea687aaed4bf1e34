//! Lines for the broker's log.

use std::ffi::CString;

use countersign::core::given::is_kept_off;

/// `text` as one line that the broker can write: no control character, so that
/// no client forges a second one, and not longer than the broker's buffer.
pub(crate) fn one_line(text: &str) -> CString {
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for character in text.chars() {
        let character = if is_kept_off(character) {
            '\u{fffd}'
        } else {
            character
        };
        if line.len().saturating_add(character.len_utf8()) > LONGEST {
            break;
        }
        line.push(character);
    }
    // NUL is a control character, so there is none.
    CString::new(line).unwrap_or_default()
}

/// Mosquitto 2.0 formats a line, its time stamp included, into 1,000 bytes.
const LONGEST: usize = 900;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_second_line_and_no_end_in_the_middle() {
        let line = one_line("a\nb\rc\0d\x1b[2Je\u{85}f\u{2028}g");
        assert_eq!(
            line.to_str().unwrap(),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}[2Je\u{fffd}f\u{fffd}g"
        );
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        let line = one_line(&"ä".repeat(1_000));
        assert_eq!(line.to_str().unwrap().len(), 900);
        let line = one_line(&format!("x{}", "ä".repeat(1_000)));
        assert_eq!(line.to_str().unwrap().len(), 899);
    }
}
