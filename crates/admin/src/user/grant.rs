//! What users may do in tenants: at most one grant in each.

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::store::rows::CredentialRows as _;
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::user::{Grant, GrantedRight};

use super::{ShownUser, UserError, about, find};
use crate::context::Context;
use crate::jwt;
use crate::lookup::{self, Rows};
use crate::view::AuditedUser;

/// Something to be granted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewGrant {
    /// In this tenant.
    pub tenant: TenantId,
    /// Limited to this group and those below.
    pub group: Option<GroupPath>,
    /// What it gives.
    pub right: GrantedRight,
}

/// Grants a user something in a tenant, in the place of what was granted there
/// before. Who administers the tenant no more loses the tokens made in it.
///
/// # Errors
///
/// Returns [`UserError`] when there is no such user, tenant or role, when just
/// this is granted already, or when the store can't be written; nothing changed
/// then.
pub fn grant<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
    new: NewGrant,
) -> Result<ShownUser, UserError> {
    let NewGrant {
        tenant,
        group,
        right,
    } = new;
    let granted = Grant {
        tenant,
        group,
        right,
    };
    let tenant = granted.tenant.clone();
    change(
        store,
        context,
        email,
        &tenant,
        "user.grant",
        |transaction, user| {
            lookup::tenant(&mut Rows::of(transaction), &granted.tenant)?;
            if let GrantedRight::Role(role) = &granted.right {
                lookup::role(&mut Rows::of(transaction), &granted.tenant, role)?;
            }
            let email = user.name.clone();
            let about = about(user)?;
            if about.grant_in(&granted.tenant) == Some(&granted) {
                return Err(UserError::Granted {
                    email,
                    tenant: granted.tenant,
                });
            }
            about.grants.retain(|old| old.tenant != granted.tenant);
            about.grants.push(granted);
            about.grants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
            Ok(())
        },
    )
}

/// Takes away what a user was granted in a tenant. Their sessions there end,
/// and so do the tokens that they made for it.
///
/// # Errors
///
/// Returns [`UserError`] when there is no such user or tenant, when nothing is
/// granted, or when the store can't be written; nothing changed then.
pub fn ungrant<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
    tenant: &TenantId,
) -> Result<ShownUser, UserError> {
    change(
        store,
        context,
        email,
        tenant,
        "user.ungrant",
        |transaction, user| {
            lookup::tenant(&mut Rows::of(transaction), tenant)?;
            let email = user.name.clone();
            let about = about(user)?;
            if about.grant_in(tenant).is_none() {
                return Err(UserError::NotGranted {
                    email,
                    tenant: tenant.clone(),
                });
            }
            about.grants.retain(|grant| grant.tenant != *tenant);
            Ok(())
        },
    )
}

/// One act on the grants of a user in a tenant.
fn change<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    email: &LoginName,
    tenant: &TenantId,
    act: &'static str,
    change: impl FnOnce(&mut S::Transaction<'_>, &mut Credential) -> Result<(), UserError>,
) -> Result<ShownUser, UserError> {
    let mut transaction = store.begin(Intent::Write)?;
    let mut user = find(&mut transaction, email)?.user;
    let before = AuditedUser::of(&user);
    change(&mut transaction, &mut user)?;
    user.updated_at = context.now;
    transaction.update_credential(&user)?;
    let is_admin = user.is_org_admin_of(tenant);
    let ended = jwt::end(
        &mut transaction,
        Some(tenant),
        context,
        email.as_str(),
        |token| token.issuer == user.id && !is_admin,
    )?;
    let described = find(&mut transaction, email)?;
    let after = AuditedUser::of(&described.user);
    let row = context.audit(act, email.as_str(), Some(&before), Some(&after));
    let (rows, changes) = ended.and(row, Change::Credential(user.id));
    transaction.commit(&rows, &changes)?;
    Ok(described)
}
