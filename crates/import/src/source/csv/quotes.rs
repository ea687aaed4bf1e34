//! The quotes of a table, which the reader takes as they come.

/// Checks that each quoted field ends with its quote; the reader takes whatever comes. If
/// not, gives the line where it is so. A quote within a field that does not begin with one
/// is text.
pub(super) fn check(bytes: &[u8]) -> Result<(), (usize, &'static str)> {
    let mut state = Quoting::Begin;
    let (mut line, mut opened) = (1_usize, 1_usize);
    let mut rest = bytes;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let is_end = matches!(byte, b'\n' | b'\r');
        state = match (state, byte) {
            (Quoting::Begin, b'"') => {
                opened = line;
                Quoting::Within
            }
            (Quoting::Within, b'"') => Quoting::Closed,
            // Two stand for one.
            (Quoting::Closed, b'"') | (Quoting::Within, _) => Quoting::Within,
            (Quoting::Begin | Quoting::Closed | Quoting::Text, b',') => Quoting::Begin,
            (Quoting::Begin | Quoting::Closed | Quoting::Text, _) if is_end => Quoting::Begin,
            (Quoting::Closed, _) => return Err((line, "something follows a closing quote")),
            (Quoting::Begin | Quoting::Text, _) => Quoting::Text,
        };
        if *byte == b'\n' || (*byte == b'\r' && behind.first() != Some(&b'\n')) {
            line = line.saturating_add(1);
        }
    }
    match state {
        Quoting::Within => Err((opened, "a quote is not closed")),
        Quoting::Begin | Quoting::Closed | Quoting::Text => Ok(()),
    }
}

/// Where in a field a reader is.
#[derive(Clone, Copy)]
enum Quoting {
    /// Before its first character.
    Begin,
    /// Behind what may be its closing quote.
    Closed,
    /// In one that does not begin with a quote.
    Text,
    /// Between its quotes.
    Within,
}
