//! The values that words have.

use crate::DiagnosticKind;

/// The first of the words that a space divides.
pub(crate) fn first(value: &str) -> &str {
    value.split(' ').next().unwrap_or_default()
}

pub(crate) fn flag(word: &str, value: &str) -> Result<bool, DiagnosticKind> {
    match first(value) {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(DiagnosticKind::BadValue {
            word: word.into(),
            value: other.into(),
            expected: "`true` or `false`",
        }),
    }
}

pub(crate) fn number(word: &str, value: &str) -> Result<i64, DiagnosticKind> {
    first(value).parse().map_err(|_| DiagnosticKind::BadValue {
        word: word.into(),
        value: first(value).into(),
        expected: "a whole number",
    })
}

pub(crate) fn port(word: &str, value: &str) -> Result<u16, DiagnosticKind> {
    let port = value.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| DiagnosticKind::BadValue {
        word: word.into(),
        value: value.into(),
        expected: "a port from 1 to 65535",
    })
}
