//! What users may do in tenants: at most one grant in each.

use countersign_core::name::{LoginName, TenantId};
use countersign_core::user::{Grant, GrantedRight, User};

use super::{ShownUser, about, change, known};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::{cascade, lookup};

/// Grants a user something in a tenant, in the place of what was granted there
/// before. A user who administers the tenant no more loses the tokens made in it.
///
/// A grant of the platform hands the user over to the tenant: its administrators
/// manage the user from then on, unless another tenant grants something, too. A grant
/// of theirs does not. Of a user whom the caller does not manage then, the output tells
/// what tenants of the caller grant, and no more.
#[derive(Clone, Debug)]
pub struct GrantUser {
    /// The address.
    pub email: LoginName,
    /// What is granted, and where.
    pub grant: Grant,
}

impl Command for GrantUser {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::Administer(self.grant.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let Self { email, grant } = self;
        let tenant = &grant.tenant;
        let hands_over = tx.may(&Permission::Platform);
        change_grants(tx, "user.grant", email, tenant, |tx, user| {
            if let GrantedRight::Role(role) = &grant.right {
                lookup::role(tx, tenant, role)?;
            }
            let is_handed_over = hands_over && user.handed_over.insert(tenant.clone());
            let grants = &mut user.grants;
            if grants.contains(grant) && !is_handed_over {
                let message =
                    format!("`{email}` is granted just that in tenant `{tenant}` already");
                return Err(refused(ErrorKind::Exists, email, tenant, message));
            }
            grants.retain(|old| old.tenant != *tenant);
            grants.push(grant.clone());
            grants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
            Ok(())
        })
    }
}

/// Takes away what a user was granted in a tenant. Their sessions there end,
/// and so do the tokens that they made for it.
#[derive(Clone, Debug)]
pub struct UngrantUser {
    /// The address.
    pub email: LoginName,
    /// The tenant.
    pub tenant: TenantId,
}

impl Command for UngrantUser {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::Administer(self.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let Self { email, tenant } = self;
        let shown = change_grants(tx, "user.ungrant", email, tenant, |_, user| {
            let before = user.grants.len();
            user.grants.retain(|grant| grant.tenant != *tenant);
            user.handed_over.remove(tenant);
            if user.grants.len() == before {
                let message = format!("`{email}` is granted nothing in tenant `{tenant}`");
                return Err(refused(ErrorKind::NotFound, email, tenant, message));
            }
            Ok(())
        })?;
        let user = lookup::user(tx, email)?;
        tx.remove_web_sessions_of(user.id)?;
        Ok(shown)
    }
}

/// One act on the grants of a user in a tenant.
fn change_grants(
    tx: &mut Tx<'_>,
    act: &'static str,
    email: &LoginName,
    tenant: &TenantId,
    edit: impl FnOnce(&mut Tx<'_>, &mut User) -> Result<(), AdminError>,
) -> Result<ShownUser, AdminError> {
    let is_platform = tx.may(&Permission::Platform);
    let shown = change(tx, act, email, |tx, user| {
        lookup::tenant(tx, tenant)?;
        edit(tx, about(user)?)
    });
    let shown = shown.map_err(|error| {
        // Of the devices of other tenants an administrator of one learns nothing.
        if error.kind() == ErrorKind::WrongKind && !is_platform {
            return lookup::no_user(email);
        }
        error
    })?;
    let user = &shown.user;
    if !user.is_org_admin_of(tenant) {
        cascade::end_tokens(tx, Some(tenant), email.as_str(), |token| {
            token.issuer == user.id
        })?;
    }
    let mut told = known(tx, vec![shown.user])?;
    told.pop().ok_or_else(|| lookup::no_user(email))
}

fn refused(kind: ErrorKind, email: &LoginName, tenant: &TenantId, message: String) -> AdminError {
    AdminError::new(
        kind,
        Subject::in_tenant(Noun::Grant, email, tenant),
        message,
    )
}
