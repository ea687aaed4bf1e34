//! The values that words have.

use crate::FaultKind;

/// The first of the words that a space divides.
pub(crate) fn first(value: &str) -> &str {
    value.split(' ').next().unwrap_or_default()
}

pub(crate) fn flag(word: &str, value: &str) -> Result<bool, FaultKind> {
    match first(value) {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(FaultKind::BadValue {
            word: word.into(),
            value: other.into(),
            expected: "`true` or `false`",
        }),
    }
}

pub(crate) fn number(word: &str, value: &str) -> Result<i64, FaultKind> {
    first(value).parse().map_err(|_| FaultKind::BadValue {
        word: word.into(),
        value: first(value).into(),
        expected: "a whole number",
    })
}

pub(crate) fn port(word: &str, value: &str) -> Result<u16, FaultKind> {
    let port = value.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| FaultKind::BadValue {
        word: word.into(),
        value: value.into(),
        expected: "a port from 1 to 65535",
    })
}
