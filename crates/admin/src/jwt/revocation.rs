//! Revocation of tokens.

use countersign_core::change::Change;
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::name::TenantId;
use countersign_core::token::TokenRecord;

use super::ShownToken;
use crate::caller::Permission;
use crate::cascade;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup;
use crate::view::{AuditedRevocation, AuditedToken};

/// Revokes a token that is not revoked yet. Sessions that presented it end.
#[derive(Clone, Debug)]
pub struct RevokeToken(pub TokenId);

impl Command for RevokeToken {
    type Output = ShownToken;

    fn needs(&self) -> Permission {
        Permission::EndToken(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownToken, AdminError> {
        let (id, now) = (&self.0, tx.now);
        let before = lookup::token(tx, id)?;
        if before.revoked_at.is_some() {
            let message = format!("token `{id}` is revoked already");
            let subject = Subject::new(Noun::Token, id);
            return Err(AdminError::new(ErrorKind::Conflict, subject, message));
        }
        tx.revoke_token(id, now)?;
        let before = AuditedToken::of(&ShownToken::of(tx, before, now)?);
        let after = lookup::token(tx, id)?;
        let after = ShownToken::of(tx, after, now)?;
        let bearer = after.record.bearer;
        let name = tx.credential_by_id(bearer)?.map(|bearer| bearer.name);
        let subject = name.as_ref().map_or(id.as_str(), |name| name.as_str());
        tx.record(
            "jwt.revoke",
            subject,
            Some(&before),
            Some(&AuditedToken::of(&after)),
        );
        tx.changed(Change::Credential(bearer));
        Ok(after)
    }
}

/// Revokes all tokens that a principal made and that have not ended, of a tenant
/// or of all; these are the output.
#[derive(Clone, Debug)]
pub struct RevokeTokensOfIssuer {
    /// What the principal is called, as in [`Issuer::Named`](super::Issuer).
    pub issuer: String,
    /// Of this tenant alone. Without it an application is called by its login
    /// name.
    pub tenant: Option<TenantId>,
}

impl Command for RevokeTokensOfIssuer {
    type Output = Vec<ShownToken>;

    fn needs(&self) -> Permission {
        let of_tenant = |tenant: &TenantId| Permission::Administer(tenant.clone());
        self.tenant.as_ref().map_or(Permission::Platform, of_tenant)
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ShownToken>, AdminError> {
        let tenant = self.tenant.as_ref();
        let issuer = lookup::issuer(tx, tenant, &self.issuer)?;
        let subject = issuer.name.as_str();
        let tokens = cascade::end_tokens(tx, tenant, subject, |it| it.issuer == issuer.id)?;
        show(tx, &tokens)
    }
}

/// Ends a key at once, and revokes all tokens that it signed and that have not
/// ended; these are the output. The next token is signed by another key.
#[derive(Clone, Debug)]
pub struct RevokeTokensOfKey(pub KeyId);

impl Command for RevokeTokensOfKey {
    type Output = Vec<ShownToken>;

    fn needs(&self) -> Permission {
        Permission::EndKey(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ShownToken>, AdminError> {
        let (key, now) = (&self.0, tx.now);
        let tenant = lookup::tenant_of_key(tx, key)?;
        tx.end_token_key(key, now)?;
        let tokens = cascade::revoke_tokens(tx, Some(&tenant), |token| token.key == *key)?;
        let after = AuditedRevocation::of(&tokens);
        tx.record("jwt.revoke-key", key.as_str(), None, Some(&after));
        tx.changed(Change::Tenant(tenant));
        show(tx, &tokens)
    }
}

/// Tokens as they are after they were revoked.
fn show(tx: &mut Tx<'_>, tokens: &[TokenRecord]) -> Result<Vec<ShownToken>, AdminError> {
    let now = tx.now;
    let mut shown = Vec::new();
    for token in tokens {
        if let Some(token) = tx.token(&token.id)? {
            shown.push(ShownToken::of(tx, token, now)?);
        }
    }
    Ok(shown)
}
