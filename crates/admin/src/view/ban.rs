//! Bans, as they are shown.

use countersign_core::ban::{Ban, BanTarget};
use serde::Serialize;

use super::rfc3339;

/// All that is shown of a ban.
#[derive(Clone, Debug, Serialize)]
pub struct BanView {
    id: i64,
    address: Option<String>,
    client_id: Option<String>,
    tenant: Option<String>,
    until: Option<String>,
    reason: Option<String>,
    created_by: String,
    created_at: String,
}

impl BanView {
    /// The view of a ban.
    #[must_use]
    pub fn of(ban: &Ban) -> Self {
        let (address, client_id, tenant) = match &ban.target {
            BanTarget::Network(network) => (Some(network.to_string()), None, None),
            BanTarget::ClientId(_, tenant) => (None, Some(ban.shown.clone()), tenant.as_ref()),
        };
        Self {
            id: ban.id.0,
            address,
            client_id,
            tenant: tenant.map(ToString::to_string),
            until: ban.until.map(rfc3339),
            reason: ban.reason.clone(),
            created_by: ban.created_by.clone(),
            created_at: rfc3339(ban.created_at),
        }
    }
}
