//! Whose a client id is that a login asked for and did not get.

use countersign_core::connect::{ClientIdOwner, Request, owner_of_client_id};
use countersign_core::credential::CredentialId;
use countersign_core::scheme::Schemes;
use countersign_core::store::GateStore;
use countersign_core::time::{Timestamp, rfc3339};
use serde_json::json;

use crate::connection::session::Session;
use crate::masking::shown;
use crate::state::State;

/// Whose the client id is that a login asked for.
pub(super) fn owner_of<S: GateStore>(
    state: &mut State<S>,
    request: &Request,
    now: Timestamp,
) -> Option<ClientIdOwner> {
    let live: Vec<CredentialId> = state
        .sessions
        .live(&request.tie)
        .filter_map(Session::credential)
        .collect();
    let name = request.name.as_ref();
    // Whose it is is for people to read; without it the refusal stands.
    let mut directory = state.directory(None, now).ok()?;
    let owner = owner_of_client_id(&request.client_id, name, &live, &mut directory).ok()?;
    Some(owner.unwrap_or(ClientIdOwner::Host))
}

/// Whose it is, as the audit says it.
pub(super) fn owner_as_json(owner: &ClientIdOwner, schemes: &Schemes) -> String {
    match owner {
        ClientIdOwner::Credential { name, since } => json!({
            "held_by": shown(schemes, name.as_str()),
            "held_since": since.map(rfc3339),
        }),
        ClientIdOwner::Tenant(tenant) => json!({ "held_by_tenant": tenant.as_str() }),
        ClientIdOwner::Host => json!({ "held_by_host": true }),
        ClientIdOwner::Former => json!({ "needs_clean_start": true }),
    }
    .to_string()
}

/// Whose it is, as the log says it.
pub(super) fn owner_as_text(owner: &ClientIdOwner, schemes: &Schemes) -> String {
    match owner {
        ClientIdOwner::Credential { name, since } => {
            let since = since.map_or_else(String::new, |at| format!(" since {}", rfc3339(at)));
            format!(" held by `{}`{since}", shown(schemes, name.as_str()))
        }
        ClientIdOwner::Tenant(tenant) => format!(" held by tenant `{tenant}`"),
        ClientIdOwner::Host => format!(" kept for {}", ClientIdOwner::OF_HOST),
        ClientIdOwner::Former => {
            " left behind by an earlier holder, free with a clean start".into()
        }
    }
}
