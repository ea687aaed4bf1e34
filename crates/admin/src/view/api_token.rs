//! API tokens, as they are shown.

use serde::Serialize;

use super::{SecretText, rfc3339};
use crate::api_token::{CreatedApiToken, ShownApiToken};

/// What the making of an API token answers with.
///
/// It holds the token, which is printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreatedApiTokenView {
    id: i64,
    scope: String,
    secret: SecretText,
    expires_at: String,
}

impl CreatedApiTokenView {
    /// The view of a token that was made just now.
    #[must_use]
    pub fn of(created: &CreatedApiToken) -> Self {
        let token = &created.shown.token;
        Self {
            id: token.id.0,
            scope: token.scope.to_string(),
            secret: (&created.secret).into(),
            expires_at: rfc3339(token.expires_at),
        }
    }
}

/// All that is shown of an API token.
#[derive(Clone, Debug, Serialize)]
pub struct ApiTokenView {
    id: i64,
    scope: String,
    owner: Option<String>,
    created_by: String,
    description: Option<String>,
    created_at: String,
    expires_at: String,
    last_used_at: Option<String>,
}

impl ApiTokenView {
    /// The view of a token.
    #[must_use]
    pub fn of(shown: &ShownApiToken) -> Self {
        let ShownApiToken { token, owner } = shown;
        Self {
            id: token.id.0,
            scope: token.scope.to_string(),
            owner: owner.as_ref().map(ToString::to_string),
            created_by: token.created_by.clone(),
            description: token.description.clone(),
            created_at: rfc3339(token.created_at),
            expires_at: rfc3339(token.expires_at),
            last_used_at: token.last_used_at.map(rfc3339),
        }
    }
}

/// What the audit keeps of an API token: by its tenant, the tenant's audit has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditedApiToken {
    tenant: Option<String>,
    scope: String,
    owner: Option<String>,
    description: Option<String>,
    expires_at: String,
}

impl AuditedApiToken {
    pub(crate) fn of(shown: &ShownApiToken) -> Self {
        let ShownApiToken { token, owner } = shown;
        Self {
            tenant: token.scope.tenant().map(ToString::to_string),
            scope: token.scope.to_string(),
            owner: owner.as_ref().map(ToString::to_string),
            description: token.description.clone(),
            expires_at: rfc3339(token.expires_at),
        }
    }
}
