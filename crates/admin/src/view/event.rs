//! What is shown of what happens, as it happens.

use std::sync::Arc;

use countersign_core::audit::{AuditOutcome, AuditRow, RefusedAct};
use countersign_core::reason::Reason;
use countersign_core::store::BrokerPresence;
use countersign_core::time::rfc3339;
use serde::Serialize;

use super::ClientView;

/// What is shown of a session that began or ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ClientEventView {
    #[serde(flatten)]
    client: ClientView,
    connected: bool,
}

impl ClientEventView {
    pub(crate) fn of(session: &BrokerPresence, connected: bool) -> Self {
        Self {
            client: ClientView::of(session, false),
            connected,
        }
    }
}

/// What is shown of an act on a credential.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CredentialEventView {
    name: String,
    act: String,
    time: String,
}

impl CredentialEventView {
    pub(crate) fn of(row: &AuditRow) -> Self {
        Self {
            name: row.entry.subject.clone(),
            act: row.entry.act.clone(),
            time: rfc3339(row.entry.time),
        }
    }
}

/// What is shown of a login, and of a use of a topic that was denied.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UseEventView {
    name: Option<String>,
    act: String,
    outcome: &'static str,
    cause: Option<&'static str>,
    topic: Option<String>,
    address: Option<String>,
    client_id: Option<String>,
    count: i64,
    time: String,
}

impl UseEventView {
    pub(crate) fn of(row: &AuditRow) -> Self {
        let entry = &row.entry;
        Self {
            name: Some(entry.subject.clone()),
            act: entry.act.clone(),
            outcome: entry.outcome.as_str(),
            cause: entry.cause.map(Reason::as_str),
            topic: entry.topic.clone(),
            address: entry.address.clone(),
            client_id: entry.client_id.clone(),
            count: entry.count,
            time: rfc3339(entry.time),
        }
    }

    /// The login that a session began with.
    pub(crate) fn of_session(session: &BrokerPresence) -> Self {
        let presence = &session.presence;
        let text = |text: &Arc<str>| text.to_string();
        Self {
            name: presence.username.as_ref().map(text),
            act: RefusedAct::Login.as_str().to_owned(),
            outcome: AuditOutcome::Done.as_str(),
            cause: None,
            topic: None,
            address: presence.address.as_ref().map(text),
            client_id: Some(presence.client_id.to_string()),
            count: 1,
            time: rfc3339(presence.connected_at),
        }
    }
}
