//! Revocation of tokens.

use countersign_core::audit::AuditEntry;
use countersign_core::change::Change;
use countersign_core::credential::CredentialId;
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::name::TenantId;
use countersign_core::store::rows::{CredentialRows as _, TenantRows as _, TokenRows as _};
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;

use super::{JwtError, ShownToken, changes_of, describe};
use crate::context::Context;
use crate::view::{AuditedRevocation, AuditedToken};

/// Revokes a token. Sessions that presented it end.
///
/// # Errors
///
/// Returns [`JwtError`] when there is none, when it is revoked already, or when
/// the store can't be written; nothing changed then.
pub fn revoke<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    id: &TokenId,
) -> Result<ShownToken, JwtError> {
    let mut transaction = store.begin(Intent::Write)?;
    let missing = || JwtError::Missing { id: id.clone() };
    let before = transaction.token(id)?.ok_or_else(missing)?;
    if before.revoked_at.is_some() {
        return Err(JwtError::Revoked { id: id.clone() });
    }
    transaction.revoke_token(id, context.now)?;
    let before = describe(&mut transaction, before, context.now)?;
    let after = transaction.token(id)?.ok_or_else(missing)?;
    let after = describe(&mut transaction, after, context.now)?;
    let bearer = transaction.credential_by_id(after.record.bearer)?;
    let subject = match &bearer {
        Some(bearer) => bearer.name.as_str(),
        None => id.as_str(),
    };
    let row = context.audit(
        "jwt.revoke",
        subject,
        Some(&AuditedToken::of(&before)),
        Some(&AuditedToken::of(&after)),
    );
    transaction.commit(&[row], &changes_of([&after.record]))?;
    Ok(after)
}

/// Revokes all tokens that somebody made and that have not ended, of all
/// tenants or one, and returns them.
///
/// # Errors
///
/// Returns [`JwtError`] when the store can't be written; nothing changed then.
pub fn revoke_of_issuer<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    tenant: Option<&TenantId>,
    issuer: CredentialId,
) -> Result<Vec<ShownToken>, JwtError> {
    let mut transaction = store.begin(Intent::Write)?;
    let name = transaction
        .credential_by_id(issuer)?
        .map(|issuer| issuer.name);
    let subject = name.map_or_else(|| issuer.to_string(), |name| name.to_string());
    let ended = end(&mut transaction, tenant, context, &subject, |token| {
        token.issuer == issuer
    })?;
    let described = ended.describe(&mut transaction, context.now)?;
    transaction.commit(ended.row.as_slice(), &ended.changes)?;
    Ok(described)
}

/// Ends a key at once, and revokes all tokens that it signed and that have not
/// ended; returns these. The next token is signed by another key.
///
/// # Errors
///
/// Returns [`JwtError`] when there is no such key or the store can't be
/// written; nothing changed then.
pub fn revoke_of_key<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    key: &KeyId,
) -> Result<Vec<ShownToken>, JwtError> {
    let mut transaction = store.begin(Intent::Write)?;
    let mut owner = None;
    for tenant in transaction.tenants()? {
        let keys = transaction.token_keys(&tenant.id)?;
        if keys.iter().any(|sealed| sealed.key.id == *key) {
            owner = Some(tenant.id);
            break;
        }
    }
    let tenant = owner.ok_or_else(|| JwtError::NoKey { key: key.clone() })?;
    transaction.end_token_key(key, context.now)?;
    let ended = end(
        &mut transaction,
        Some(&tenant),
        context,
        key.as_str(),
        |token| token.key == *key,
    )?;
    let described = ended.describe(&mut transaction, context.now)?;
    let row = context.audit(
        "jwt.revoke-key",
        key.as_str(),
        None::<&AuditedRevocation>,
        Some(&AuditedRevocation::of(&ended.tokens)),
    );
    let mut changes = ended.changes;
    changes.push(Change::Tenant(tenant));
    transaction.commit(&[row], &changes)?;
    Ok(described)
}

/// Tokens that were revoked in the midst of an act.
pub(crate) struct RevokedTokens {
    tokens: Vec<TokenRecord>,
    row: Option<AuditEntry>,
    changes: Vec<Change>,
}

impl RevokedTokens {
    /// The rows and the changes of an act that is more than this.
    pub(crate) fn and(self, row: AuditEntry, change: Change) -> (Vec<AuditEntry>, Vec<Change>) {
        let rows = core::iter::once(row).chain(self.row).collect();
        let changes = core::iter::once(change).chain(self.changes).collect();
        (rows, changes)
    }

    fn describe<T: AdminTransaction>(
        &self,
        transaction: &mut T,
        now: Timestamp,
    ) -> Result<Vec<ShownToken>, JwtError> {
        let mut described = Vec::new();
        for token in &self.tokens {
            let token = transaction.token(&token.id)?;
            if let Some(token) = token {
                described.push(describe(transaction, token, now)?);
            }
        }
        Ok(described)
    }
}

/// Revokes the tokens that `goes` tells, of those that have not ended.
pub(crate) fn end<T: AdminTransaction>(
    transaction: &mut T,
    tenant: Option<&TenantId>,
    context: &Context<'_>,
    subject: &str,
    goes: impl Fn(&TokenRecord) -> bool,
) -> Result<RevokedTokens, StoreError> {
    let mut tokens = transaction.tokens(tenant)?;
    tokens.retain(|token| {
        token.revoked_at.is_none() && context.now < token.expires_at && goes(token)
    });
    for token in &tokens {
        transaction.revoke_token(&token.id, context.now)?;
    }
    let row = context.audit(
        "jwt.revoke",
        subject,
        None::<&AuditedRevocation>,
        Some(&AuditedRevocation::of(&tokens)),
    );
    Ok(RevokedTokens {
        row: (!tokens.is_empty()).then_some(row),
        changes: changes_of(&tokens),
        tokens,
    })
}
