//! Finding live sessions by what they are called.

use countersign_core::client_id::ClientIdTie;
use countersign_core::given::Given;
use countersign_core::presence::SessionNumber;
use countersign_core::store::{BrokerPresence, StoreError};
use countersign_core::time::Timestamp;

use super::Rows;
use crate::error::{AdminError, ErrorKind, Noun, Subject};

/// The session that is connected now and has this name.
pub(crate) fn session_named(
    rows: &mut Rows<'_>,
    target: &str,
) -> Result<Option<BrokerPresence>, StoreError> {
    match parse_session(target) {
        Some((broker, session)) => rows.presence_of(broker, session),
        None => Ok(None),
    }
}

/// The live sessions that have this name or this client id, as far as the store knows.
pub(crate) fn sessions_called(
    rows: &mut Rows<'_>,
    target: &str,
    now: Timestamp,
) -> Result<Vec<BrokerPresence>, StoreError> {
    if let Some(named) = session_named(rows, target)? {
        return Ok(vec![named]);
    }
    let mut sessions = rows.presence_with(&ClientIdTie::of(target))?;
    sessions.retain(|session| session.is_connected(now));
    Ok(sessions)
}

/// There is no session that is called so, or the caller may not know of it.
pub(crate) fn no_session(target: &str) -> AdminError {
    let target = Given::from(target);
    let message = format!("no client that is connected is called `{target}`");
    let subject = Subject::new(Noun::ClientId, target);
    AdminError::new(ErrorKind::NotFound, subject, message)
}

/// The broker and the session that a name of a session is made of.
fn parse_session(text: &str) -> Option<(&str, SessionNumber)> {
    let (broker, number) = text.rsplit_once(':')?;
    let session = SessionNumber(number.parse().ok()?);
    // `01` is not how a session is called.
    (session.0.to_string() == number).then_some((broker, session))
}
