//! What ends with something else.

use std::collections::BTreeSet;

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::TenantId;
use countersign_core::ownership::Holder;
use countersign_core::role::RoleName;
use countersign_core::store::{StoreError, all_rows};
use countersign_core::token::TokenRecord;
use countersign_core::user::GrantedRight;

use crate::command::Tx;
use crate::error::AdminError;
use crate::lookup::Rows;
use crate::view::AuditedRevocation;

/// Revokes the tokens that `goes` tells, of those that have not ended, and
/// returns them. Where there are any, the audit keeps them in one row about
/// `subject`, what they end with.
///
/// # Errors
///
/// Returns [`AdminError`] when the store can't be written.
pub(crate) fn end_tokens(
    tx: &mut Tx<'_>,
    tenant: Option<&TenantId>,
    subject: &str,
    goes: impl Fn(&TokenRecord) -> bool,
) -> Result<Vec<TokenRecord>, AdminError> {
    let tokens = revoke_tokens(tx, tenant, goes)?;
    if !tokens.is_empty() {
        let revoked = AuditedRevocation::of(&tokens);
        tx.record("jwt.revoke", subject, None, Some(&revoked));
    }
    Ok(tokens)
}

/// As [`end_tokens`], for an act whose own row in the audit tells of them.
///
/// # Errors
///
/// Returns [`AdminError`] when the store can't be written.
pub(crate) fn revoke_tokens(
    tx: &mut Tx<'_>,
    tenant: Option<&TenantId>,
    goes: impl Fn(&TokenRecord) -> bool,
) -> Result<Vec<TokenRecord>, AdminError> {
    let now = tx.now;
    let mut tokens = all_rows(|page| tx.tokens(tenant, page))?;
    tokens.retain(|token| token.revoked_at.is_none() && now < token.expires_at && goes(token));
    for token in &tokens {
        tx.revoke_token(&token.id, now)?;
    }
    let bearers: BTreeSet<_> = tokens.iter().map(|token| token.bearer).collect();
    for bearer in bearers {
        tx.changed(Change::Credential(bearer));
    }
    Ok(tokens)
}

/// All users who are granted a role.
pub(crate) fn users_with_role(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    name: &RoleName,
) -> Result<Vec<Credential>, StoreError> {
    let wanted = GrantedRight::Role(name.clone());
    let mut users = all_rows(|page| rows.users(page))?;
    users.retain(|user| {
        let grant = user.kind.user().and_then(|about| about.grant_in(tenant));
        grant.is_some_and(|grant| grant.right == wanted)
    });
    Ok(users)
}

/// Gives up the client id that a principal was tied to, unless the stored session
/// under it is another principal's by now.
pub(crate) fn release_tie(
    rows: &mut Rows<'_>,
    tie: &ClientIdTie,
    principal: CredentialId,
) -> Result<(), StoreError> {
    let Some(stored) = rows.stored_session(tie)? else {
        return Ok(());
    };
    match stored.holder {
        Holder::Credential(holder) if holder != principal => Ok(()),
        Holder::Credential(_) | Holder::Former | Holder::Unauthenticated => {
            rows.release_client_id(tie)
        }
    }
}
