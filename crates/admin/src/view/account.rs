//! Web sessions of users, as they are shown.

use serde::Serialize;

use super::rfc3339;
use crate::account::ShownWebSession;

/// All that is shown of a web session.
#[derive(Clone, Debug, Serialize)]
pub struct WebSessionView {
    id: i64,
    current: bool,
    address: Option<String>,
    created_at: String,
    last_used_at: String,
    expires_at: String,
}

impl WebSessionView {
    /// The view of a web session.
    #[must_use]
    pub fn of(shown: &ShownWebSession) -> Self {
        let session = &shown.session;
        Self {
            id: session.id.0,
            current: shown.is_current,
            address: session.address.clone(),
            created_at: rfc3339(session.created_at),
            last_used_at: rfc3339(session.last_used_at),
            expires_at: rfc3339(session.ends_at()),
        }
    }
}
