//! Names and client ids as they may be shown in a log, in the audit and in lists.

use std::sync::Arc;

use countersign_core::given::cut_line;
use countersign_core::name::LoginName;
use countersign_core::scheme::Schemes;
use countersign_core::store::{Directory, StoreError};

use crate::connection::session::Session;
use crate::journal::denied_uses::{ALL_OTHERS, DeniedPrincipal, DeniedUse, TopicStart};

/// A name or client id as it may be shown: masked where it has the shape of
/// a secret.
pub(crate) fn shown(schemes: &Schemes, text: &str) -> String {
    schemes.masked(text).unwrap_or_else(|| text.to_owned())
}

/// What may be shown of a name or client id that a client presented and that
/// may be a secret in the wrong place: on one line, cut, and masked where a
/// secret stands in it.
pub(crate) fn shown_unknown(schemes: &Schemes, text: &str) -> String {
    schemes.shown_unknown(text)
}

/// A principal that was denied the use of a topic, and the topic or filter, as
/// both may be shown.
pub(crate) fn shown_denied(
    denied: &DeniedUse,
    schemes: &Schemes,
    directory: &mut impl Directory,
) -> Result<(String, String), StoreError> {
    let name = match &denied.principal {
        DeniedPrincipal::Named(name) => Some(name),
        DeniedPrincipal::Others | DeniedPrincipal::Unauthenticated => None,
    };
    let credential = match name.and_then(|name| LoginName::parse(name).ok()) {
        Some(name) => directory.credential(&name),
        None => Ok(None),
    };
    let topic = match (&denied.topic, credential) {
        (_, Err(error)) if !error.is_of_one_record() => return Err(error),
        (None, _) => ALL_OTHERS.to_owned(),
        // Where it may hold a token can't be told.
        (Some(_), Err(_)) => HIDDEN.to_owned(),
        (Some(start), Ok(None)) => {
            shown_topic(schemes, start, &String::from_utf8_lossy(start.bytes()))
        }
        (Some(start), Ok(Some(it))) => {
            let text = String::from_utf8_lossy(start.bytes());
            let scheme = schemes.find(it.scheme.as_str());
            let text = scheme.map(|scheme| scheme.shown_topic(&text, &it.attributes));
            text.map_or(HIDDEN.to_owned(), |text| shown_topic(schemes, start, &text))
        }
    };
    let subject = match &denied.principal {
        DeniedPrincipal::Named(name) => shown(schemes, name),
        DeniedPrincipal::Others => ALL_OTHERS.into(),
        DeniedPrincipal::Unauthenticated => ANONYMOUS.into(),
    };
    Ok((subject, topic))
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

/// The beginning of a topic as it may be shown, `text` being what the scheme of its
/// principal leaves of it.
fn shown_topic(schemes: &Schemes, start: &TopicStart, text: &str) -> String {
    let masked = schemes.masked_unknown(text);
    let text = masked.as_deref().unwrap_or(text);
    let ends = text
        .char_indices()
        .map(|(at, character)| at.saturating_add(character.len_utf8()));
    let most = ends.take_while(|end| *end <= LONGEST_TOPIC).count();
    let mut shown = cut_line(text, most);
    if start.is_cut() && !shown.ends_with('…') {
        shown.push('…');
    }
    shown
}

/// A client that presents no name.
pub(crate) const ANONYMOUS: &str = "(anonymous)";
/// What stands for a text of which nothing may be shown.
const HIDDEN: &str = "(hidden)";
/// Bytes of a topic that are shown.
const LONGEST_TOPIC: usize = 128;
