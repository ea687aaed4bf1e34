//! Tokens and the keys that sign them, as they are shown.

use countersign_core::jwt::TokenId;
use countersign_core::token::TokenRecord;
use serde::Serialize;

use super::{SecretText, rfc3339};
use crate::jwt::{CreatedToken, RotatedKey, ShownKey, ShownToken};

/// What the making of a token answers with.
///
/// It holds the token, which is printed this once and nowhere else.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreatedTokenView {
    token: SecretText,
    jti: String,
    expires_at: String,
}

impl CreatedTokenView {
    /// The view of a token that was made just now.
    #[must_use]
    pub fn of(made: &CreatedToken) -> Self {
        Self {
            token: (&made.token).into(),
            jti: made.record.id.to_string(),
            expires_at: rfc3339(made.record.expires_at),
        }
    }
}

/// All that is shown of a token.
#[derive(Clone, Debug, Serialize)]
pub struct TokenView {
    jti: String,
    tenant: String,
    whoami: Option<String>,
    role: String,
    things: Vec<String>,
    issuer: Option<String>,
    key: String,
    issued_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    valid: bool,
}

impl TokenView {
    /// The view of a token.
    #[must_use]
    pub fn of(described: &ShownToken) -> Self {
        let ShownToken {
            record,
            whoami,
            issuer,
            is_valid,
        } = described;
        Self {
            jti: record.id.to_string(),
            tenant: record.tenant.to_string(),
            whoami: whoami.as_ref().map(ToString::to_string),
            role: record.role.to_string(),
            things: record.things.iter().map(ToString::to_string).collect(),
            issuer: issuer.as_ref().map(ToString::to_string),
            key: record.key.to_string(),
            issued_at: rfc3339(record.issued_at),
            expires_at: rfc3339(record.expires_at),
            revoked_at: record.revoked_at.map(rfc3339),
            valid: *is_valid,
        }
    }
}

/// What the audit keeps of a token: all that is shown.
pub(crate) type AuditedToken = TokenView;

/// What a new key of a tenant answers with.
#[derive(Clone, Debug, Serialize)]
pub struct RotatedKeyView {
    key: String,
    tenant: String,
    created_at: String,
    old_key_until: Option<String>,
}

impl RotatedKeyView {
    /// The view of a key that was made just now.
    #[must_use]
    pub fn of(rotated: &RotatedKey) -> Self {
        Self {
            key: rotated.key.id.to_string(),
            tenant: rotated.key.tenant.to_string(),
            created_at: rfc3339(rotated.key.created_at),
            old_key_until: rotated.old_key_until.map(rfc3339),
        }
    }
}

/// All that is shown of a key that signs tokens.
#[derive(Clone, Debug, Serialize)]
pub struct KeyView {
    key: String,
    tenant: String,
    created_at: String,
    ends_at: Option<String>,
    valid: bool,
}

impl KeyView {
    /// The view of a key.
    #[must_use]
    pub fn of(shown: &ShownKey) -> Self {
        let ShownKey { key, is_valid } = shown;
        Self {
            key: key.id.to_string(),
            tenant: key.tenant.to_string(),
            created_at: rfc3339(key.created_at),
            ends_at: key.ends_at.map(rfc3339),
            valid: *is_valid,
        }
    }
}

/// What the audit keeps of a key: all that is shown.
pub(crate) type AuditedKey = RotatedKeyView;

/// What the audit keeps of tokens that were revoked together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditedRevocation {
    tokens: Vec<String>,
}

impl AuditedRevocation {
    pub(crate) fn of(tokens: &[TokenRecord]) -> Self {
        let ids = tokens.iter().map(|token| &token.id);
        Self {
            tokens: ids.map(TokenId::to_string).collect(),
        }
    }
}
