//! Names and client ids as they may be shown in a log, in the audit and in lists.

use std::sync::Arc;

use countersign_core::given::is_kept_off;
use countersign_core::scheme::Schemes;

use crate::connection::session::Session;

/// A name or client id as it may be shown: masked where it has the shape of
/// a secret.
pub(crate) fn shown(schemes: &Schemes, text: &str) -> String {
    schemes.masked(text).unwrap_or_else(|| text.to_owned())
}

/// What may be shown of a name or client id that a client presented and that
/// may be a secret in the wrong place: on one line, cut, and masked where a
/// secret stands in it.
pub(crate) fn shown_unknown(schemes: &Schemes, text: &str) -> String {
    let masked = schemes.masked_unknown(text);
    on_one_line(masked.as_deref().unwrap_or(text))
}

/// A session's client id as it may be shown. That of a thing is its
/// application id, which is secret: a few digits of its hash stand for it.
pub(crate) fn shown_client_id(schemes: &Schemes, session: &Session) -> Arc<str> {
    if session.is_of_thing() {
        return session.tie.hidden().into();
    }
    match schemes.masked(&session.client_id) {
        Some(masked) => masked.into(),
        None => Arc::clone(&session.client_id),
    }
}

/// A text of a client's for a line of a log: without what would end the line or
/// its quotes, and cut.
fn on_one_line(text: &str) -> String {
    let tame = |character: char| match character {
        '`' => '\'',
        _ if is_kept_off(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    let mut line: String = text.chars().take(LONGEST_SHOWN).map(tame).collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        line.push('…');
    }
    line
}

/// Characters of a client id that are shown.
const LONGEST_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_neither_ends_its_line_nor_its_quotes_nor_fills_the_log() {
        assert_eq!(on_one_line("a`b\n\u{1b}c"), "a'b\u{fffd}\u{fffd}c");
        assert_eq!(on_one_line(&"x".repeat(64)), "x".repeat(64));
        assert_eq!(on_one_line(&"ä".repeat(65_000)), "ä".repeat(64) + "…");
    }
}
