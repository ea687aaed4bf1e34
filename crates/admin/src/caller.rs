//! The caller of a command, and the one table of who may run what.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::time::Timestamp;
use countersign_core::user::{GrantedRight, User};

use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows, no_credential, no_user};

#[cfg(test)]
mod table;
#[cfg(test)]
mod told;

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
    /// To make a plain credential in a tenant, in these groups and with these roles.
    CreateIn(TenantId, Vec<GroupPath>, Vec<RoleName>),
    /// To end a key that signs tokens of a tenant, and the tokens with it.
    EndKey(KeyId),
    /// To end a token.
    EndToken(TokenId),
    /// To change a user, who may have grants in several tenants; see
    /// [`User::managing_grants`](countersign_core::user::User::managing_grants).
    ManageUser(LoginName),
    /// To see a credential, and to run its life cycle.
    Operate(LoginName),
    /// What concerns the whole store.
    Platform,
    /// To see what belongs to a tenant.
    See(TenantId),
    /// To see credentials of a tenant: all, or those that the caller administers.
    SeeSome(TenantId),
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
    /// The group of a tenant that the caller's word is limited to, where it is.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the caller administers nothing of the tenant, and
    /// when the store can't be read.
    pub(crate) fn limit_in(
        self,
        tenant: &TenantId,
        store: &mut Rows<'_>,
    ) -> Result<Option<GroupPath>, AdminError> {
        let Self::Session(id) = self else {
            return Ok(None);
        };
        let caller = found(store, id)?;
        match Scope::of(&caller, tenant) {
            Some(Scope::Group(group)) => Ok(Some(group)),
            Some(Scope::Tenant) => Ok(None),
            None => Err(not_admin(&caller, tenant)),
        }
    }

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
        let caller = found(store, id)?;
        let in_force = caller.is_in_force(now).is_ok();
        let scope_in = |tenant| Scope::of(&caller, tenant).filter(|_| in_force);
        let administers = |tenant| scope_in(tenant) == Some(Scope::Tenant);
        match permission {
            Permission::Platform => Err(forbidden(format!(
                "`{}` is not a platform administrator",
                caller.name
            ))),
            Permission::Administer(tenant) | Permission::See(tenant) => {
                if administers(tenant) {
                    return Ok(());
                }
                Err(not_admin(&caller, tenant))
            }
            Permission::SeeSome(tenant) => match scope_in(tenant) {
                Some(Scope::Tenant | Scope::Group(_)) => Ok(()),
                None => Err(not_admin(&caller, tenant)),
            },
            Permission::CreateIn(tenant, groups, roles) => {
                let Some(scope) = scope_in(tenant).filter(|scope| scope.holds_all(groups)) else {
                    return Err(not_admin(&caller, tenant));
                };
                for role in roles {
                    if !scope.may_give(store, tenant, role)? {
                        return Err(not_admin(&caller, tenant));
                    }
                }
                Ok(())
            }
            Permission::Change(name) | Permission::Operate(name) => {
                let unknown = || no_credential(name);
                let credential = store.credential(name)?.ok_or_else(unknown)?;
                let Some(scope) = credential.tenant.as_ref().and_then(scope_in) else {
                    return Err(unknown());
                };
                let is_of_group = matches!(permission, Permission::Operate(_))
                    && scope.holds_all(&credential.groups);
                if is_of_group || scope == Scope::Tenant {
                    return Ok(());
                }
                Err(unknown())
            }
            Permission::EndToken(id) => {
                let token = lookup::token(store, id)?;
                if administers(&token.tenant) {
                    return Ok(());
                }
                Err(lookup::no_token(id))
            }
            Permission::EndKey(id) => {
                if administers(&lookup::tenant_of_key(store, id)?) {
                    return Ok(());
                }
                Err(lookup::no_key(id))
            }
            Permission::ManageUser(email) => {
                let unknown = || no_user(email);
                let user = store.credential(email)?.ok_or_else(unknown)?;
                let grants = user.kind.user().map_or(&[][..], User::managing_grants);
                let all = grants.iter().all(|grant| administers(&grant.tenant));
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

/// What of a tenant a principal administers.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Scope {
    /// All of it.
    Tenant,
    /// The credentials that are in this group, or below it, and nowhere else.
    Group(GroupPath),
}

impl Scope {
    /// What of `tenant` this principal administers, if anything.
    fn of(caller: &Credential, tenant: &TenantId) -> Option<Self> {
        if caller.is_org_admin_of(tenant) {
            return Some(Self::Tenant);
        }
        let Kind::User(user) = &caller.kind else {
            return None;
        };
        let grant = user.grant_in(tenant)?;
        let is_admin = grant.right == GrantedRight::OrgAdmin;
        let group = grant.group.clone().filter(|_| is_admin)?;
        Some(Self::Group(group))
    }

    /// Says whether what is in these groups lies in it, and nowhere else.
    fn holds_all(&self, groups: &[GroupPath]) -> bool {
        match self {
            Self::Tenant => true,
            Self::Group(limit) => {
                !groups.is_empty() && groups.iter().all(|group| limit.covers(group))
            }
        }
    }

    /// Says whether a credential in it may be given this role: those that are held
    /// by its group or by one below.
    fn may_give(
        &self,
        store: &mut Rows<'_>,
        tenant: &TenantId,
        role: &RoleName,
    ) -> Result<bool, AdminError> {
        Ok(match self {
            Self::Tenant => true,
            Self::Group(limit) => {
                let holding = store.groups_of_role(tenant, role)?;
                holding.iter().any(|group| limit.covers(group))
            }
        })
    }
}

/// The caller whose session runs a command.
fn found(store: &mut Rows<'_>, id: CredentialId) -> Result<Credential, AdminError> {
    let caller = store.credential_by_id(id)?;
    caller.ok_or_else(|| forbidden("the caller was deleted"))
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
