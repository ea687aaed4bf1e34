//! The caller of a command, and the one table of who may run what.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::time::Timestamp;
use countersign_core::user::GrantedRight;

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows, no_credential, no_user};

#[cfg(test)]
mod table;

/// The caller of a command.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What the audit calls the caller: `cli:OSUSER`.
    pub actor: &'a str,
    /// What the caller's word counts for.
    pub authority: Authority,
}

/// What a caller's word counts for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authority {
    /// That of a platform administrator: the owner of the store's file is one.
    Platform,
    /// That of the principal whose session it is, as the command's own
    /// transaction finds it.
    Session(CredentialId),
}

/// What a command needs its caller to be permitted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Permission {
    /// To change what belongs to a tenant.
    Administer(TenantId),
    /// To change a credential, as an administrator of its tenant.
    Change(LoginName),
    /// To make a plain credential in a tenant, sorted under a group.
    CreateIn(TenantId, Option<GroupPath>),
    /// To end a key that signs tokens of a tenant, and the tokens with it.
    EndKey(KeyId),
    /// To end a token.
    EndToken(TokenId),
    /// To change a user, who may have grants in several tenants.
    ManageUser(LoginName),
    /// To see a credential, and to run its life cycle.
    Operate(LoginName),
    /// What concerns the whole store.
    Platform,
    /// To see what belongs to a tenant.
    See(TenantId),
}

impl<'a> Caller<'a> {
    /// The owner of the store, called `actor` in the audit.
    #[must_use]
    pub fn owner(actor: &'a str) -> Self {
        Self {
            actor,
            authority: Authority::Platform,
        }
    }
}

impl Permission {
    /// To see what belongs to a tenant, or to all where none is named.
    pub(crate) fn see(tenant: Option<&TenantId>) -> Self {
        tenant.map_or(Self::Platform, |tenant| Self::See(tenant.clone()))
    }
}

impl Authority {
    /// Checks the permission of the caller at `now`.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] of kind `Forbidden` when the caller may not, and
    /// of kind `NotFound` when the caller may not know what it is about.
    pub(crate) fn check(
        self,
        permission: &Permission,
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<(), AdminError> {
        let Self::Session(id) = self else {
            return Ok(());
        };
        let Some(caller) = store.credential_by_id(id)? else {
            return Err(forbidden("the caller was deleted"));
        };
        let in_force = caller.is_in_force(now).is_ok();
        let administers = |tenant, group| in_force && administers(&caller, tenant, group);
        match permission {
            Permission::Platform => Err(forbidden(format!(
                "`{}` is not a platform administrator",
                caller.name
            ))),
            Permission::Administer(tenant) | Permission::See(tenant) => {
                if administers(tenant, None) {
                    return Ok(());
                }
                Err(not_admin(&caller, tenant))
            }
            Permission::CreateIn(tenant, group) => {
                if administers(tenant, group.as_ref()) {
                    return Ok(());
                }
                Err(not_admin(&caller, tenant))
            }
            Permission::Change(name) | Permission::Operate(name) => {
                let unknown = || no_credential(name);
                let credential = store.credential(name)?.ok_or_else(unknown)?;
                let of_group = matches!(permission, Permission::Operate(_));
                let group = credential.group.as_ref().filter(|_| of_group);
                match &credential.tenant {
                    Some(tenant) if administers(tenant, group) => Ok(()),
                    Some(_) | None => Err(unknown()),
                }
            }
            Permission::EndToken(id) => {
                let token = lookup::token(store, id)?;
                if administers(&token.tenant, None) {
                    return Ok(());
                }
                Err(lookup::no_token(id))
            }
            Permission::EndKey(id) => {
                if administers(&lookup::tenant_of_key(store, id)?, None) {
                    return Ok(());
                }
                Err(lookup::no_key(id))
            }
            Permission::ManageUser(email) => {
                let unknown = || no_user(email);
                let user = store.credential(email)?.ok_or_else(unknown)?;
                let grants = match &user.kind {
                    Kind::User(about) => about.grants.as_slice(),
                    Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::Thing(_) => &[],
                };
                let all = grants.iter().all(|grant| administers(&grant.tenant, None));
                if all && !grants.is_empty() {
                    return Ok(());
                }
                Err(unknown())
            }
        }
    }
}

impl Caller<'_> {
    /// The principal whose session runs the command.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] of kind `Invalid` when it is no session's command.
    pub(crate) fn principal(&self) -> Result<CredentialId, AdminError> {
        match self.authority {
            Authority::Session(id) => Ok(id),
            Authority::Platform => Err(AdminError::invalid(
                Noun::Caller,
                self.actor,
                "the caller is not a principal that makes tokens; name one",
            )),
        }
    }
}

/// Checks that a principal administers a whole tenant at `now`.
///
/// # Errors
///
/// Returns [`AdminError`] of kind `Forbidden` when it does not.
pub(crate) fn check_admin(
    store: &mut Rows<'_>,
    principal: CredentialId,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), AdminError> {
    let permission = Permission::Administer(tenant.clone());
    Authority::Session(principal).check(&permission, store, now)
}

/// Says whether a principal administers this group of a tenant, or all of it
/// where no group is named.
fn administers(caller: &Credential, tenant: &TenantId, group: Option<&GroupPath>) -> bool {
    if caller.is_org_admin_of(tenant) {
        return true;
    }
    let (Kind::User(user), Some(group)) = (&caller.kind, group) else {
        return false;
    };
    user.grant_in(tenant).is_some_and(|grant| {
        let limit = grant.group.as_ref();
        grant.right == GrantedRight::OrgAdmin && limit.is_some_and(|limit| limit.covers(group))
    })
}

fn forbidden(message: impl Into<String>) -> AdminError {
    AdminError::new(
        ErrorKind::Forbidden,
        Subject::nameless(Noun::Caller),
        message,
    )
}

fn not_admin(caller: &Credential, tenant: &TenantId) -> AdminError {
    forbidden(format!(
        "`{}` does not administer tenant `{tenant}`",
        caller.name
    ))
}
