//! What a caller may, as a transaction finds it: as a platform administrator, and in
//! each tenant.

use std::collections::BTreeSet;

use countersign_core::api_token::{ApiToken, TokenScope};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::BrokerPresence;
use countersign_core::time::Timestamp;
use countersign_core::user::{GrantedRight, User};

use super::{Authority, SignedInUser, operator};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{Rows, no_tenant};

/// A caller, as a transaction finds them.
pub(super) struct CallerRights {
    /// What refusals call the caller.
    pub(super) name: String,
    who: Who,
}

enum Who {
    /// The owner of the store, or who speaks for it.
    Owner,
    /// A principal. One that is not in force may do nothing.
    Principal {
        principal: Box<Credential>,
        is_in_force: bool,
    },
    /// An API token and its owner, whose rights it never exceeds.
    Token {
        token: Box<ApiToken>,
        owner: Option<Box<Credential>>,
        is_in_force: bool,
    },
}

impl CallerRights {
    /// The caller that speaks by this authority at `now`.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] of kind `Forbidden` when there is no such caller any
    /// more.
    pub(super) fn of(
        authority: Authority,
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<Self, AdminError> {
        let (name, who) = match authority {
            Authority::Platform => ("the owner".to_owned(), Who::Owner),
            Authority::Operator(id) => (operator(store, id, now)?, Who::Owner),
            Authority::Session(id) => {
                let principal = principal(store, id)?;
                let is_in_force = principal.is_in_force(now).is_ok();
                (
                    principal.name.to_string(),
                    Who::principal(principal, is_in_force),
                )
            }
            Authority::User(user) => {
                let principal = principal(store, user.id)?;
                let is_in_force = principal.is_in_force(now).is_ok()
                    && is_signed_in(&user, &principal, store, now)?;
                (
                    principal.name.to_string(),
                    Who::principal(principal, is_in_force),
                )
            }
            Authority::Token(id) => {
                let gone = || forbidden("the API token of the caller was revoked");
                let token = store.api_token(id)?.ok_or_else(gone)?;
                let owner = match token.owner {
                    Some(owner) => Some(Box::new(principal(store, owner)?)),
                    None => None,
                };
                let owner_is_in_force = owner.as_ref().is_none_or(|it| it.is_in_force(now).is_ok());
                let is_in_force = token.is_usable(now) && owner_is_in_force;
                let who = Who::Token {
                    token: Box::new(token),
                    owner,
                    is_in_force,
                };
                (format!("token {id}"), who)
            }
        };
        Ok(Self { name, who })
    }

    /// Says whether the caller may do everything.
    pub(super) fn is_platform(&self) -> bool {
        match &self.who {
            Who::Owner => true,
            Who::Principal {
                principal,
                is_in_force,
            } => *is_in_force && is_platform_admin(principal),
            Who::Token {
                token,
                owner,
                is_in_force,
            } => {
                let owner_may = owner.as_ref().is_none_or(|it| is_platform_admin(it));
                *is_in_force && token.scope == TokenScope::Platform && owner_may
            }
        }
    }

    /// What of a tenant the caller may see or administer, if anything.
    pub(super) fn scope_in(&self, tenant: &TenantId) -> Option<Scope> {
        match &self.who {
            Who::Owner => Some(Scope::ORG_ADMIN),
            Who::Principal {
                principal,
                is_in_force,
            } => Scope::of(principal, tenant).filter(|_| *is_in_force),
            Who::Token {
                token,
                owner,
                is_in_force,
            } => {
                let of_token = match &token.scope {
                    TokenScope::Platform => Some(Scope::ORG_ADMIN),
                    TokenScope::Tenant(of) => (of == tenant).then_some(Scope::ORG_ADMIN),
                    TokenScope::Viewer(of) => (of == tenant).then_some(Scope::VIEWER),
                };
                let of_owner = match owner {
                    Some(owner) if is_platform_admin(owner) => Some(Scope::ORG_ADMIN),
                    Some(owner) => Scope::of(owner, tenant),
                    None => Some(Scope::ORG_ADMIN),
                };
                let both = of_token.zip(of_owner).filter(|_| *is_in_force);
                both.map(|(token, owner)| Scope {
                    administers: token.administers && owner.administers,
                    limit: owner.limit,
                })
            }
        }
    }

    /// Says whether the caller administers all of a tenant.
    pub(super) fn administers(&self, tenant: &TenantId) -> bool {
        let scope = self.scope_in(tenant);
        scope.is_some_and(|scope| scope.is_org_admin())
    }

    /// Says whether the caller manages a user, as an administrator of tenants.
    pub(super) fn manages(&self, user: &Credential) -> bool {
        let grants = user.kind.user().map_or(&[][..], User::managing_grants);
        !grants.is_empty() && grants.iter().all(|grant| self.administers(&grant.tenant))
    }

    /// Says whether the caller may do anything at all.
    pub(super) fn is_in_force(&self) -> bool {
        match &self.who {
            Who::Owner => true,
            Who::Principal { is_in_force, .. } | Who::Token { is_in_force, .. } => *is_in_force,
        }
    }

    /// What of which tenants the caller may see, without what a platform administrator
    /// sees besides.
    pub(super) fn scopes(&self) -> Vec<(TenantId, Scope)> {
        let (principal, scope) = match &self.who {
            Who::Owner => (None, None),
            Who::Principal { principal, .. } => (Some(&**principal), None),
            Who::Token { token, owner, .. } => (owner.as_deref(), token.scope.tenant()),
        };
        let granted = principal.and_then(|it| it.kind.user());
        let granted = granted.into_iter().flat_map(|user| &user.grants);
        let granted = granted.map(|grant| &grant.tenant);
        let own = principal.and_then(|it| it.tenant.as_ref());
        let all: BTreeSet<_> = granted.chain(own).chain(scope).collect();
        let seen = all.into_iter().filter_map(|tenant| {
            let scope = self.scope_in(tenant)?;
            Some((tenant.clone(), scope))
        });
        seen.collect()
    }

    /// The tenants of which the caller may see all, without those that a platform
    /// administrator sees besides.
    pub(super) fn seen_tenants(&self) -> Vec<TenantId> {
        self.tenants_where(|scope| scope.limit.is_none())
    }

    /// The tenants of which the caller may see something, without those that a platform
    /// administrator sees besides.
    pub(super) fn partly_seen_tenants(&self) -> Vec<TenantId> {
        self.tenants_where(|_| true)
    }

    fn tenants_where(&self, is_wanted: impl Fn(&Scope) -> bool) -> Vec<TenantId> {
        let scopes = self.scopes().into_iter();
        let wanted = scopes.filter(|(_, scope)| is_wanted(scope));
        wanted.map(|(tenant, _)| tenant).collect()
    }

    /// Those of these sessions that the caller may see, and what of their tenants.
    pub(super) fn seen_sessions(
        &self,
        sessions: Vec<BrokerPresence>,
        store: &mut Rows<'_>,
    ) -> Result<Vec<(BrokerPresence, Scope)>, AdminError> {
        let mut seen = Vec::new();
        for session in sessions {
            let tenant = session.presence.tenant.as_ref();
            let Some(scope) = tenant.and_then(|tenant| self.scope_in(tenant)) else {
                continue;
            };
            if scope.holds_session(&session, store)? {
                seen.push((session, scope));
            }
        }
        Ok(seen)
    }

    /// The user whose own things these are.
    pub(super) fn user(&self) -> Option<CredentialId> {
        match &self.who {
            Who::Principal {
                principal,
                is_in_force: true,
            } => principal.kind.user().map(|_| principal.id),
            Who::Owner | Who::Principal { .. } | Who::Token { .. } => None,
        }
    }

    /// Why the caller may not do what an administrator of a tenant may. Who has
    /// nothing to do with a tenant is not told that there is one.
    pub(super) fn not_admin(&self, tenant: &TenantId) -> AdminError {
        if !self.knows(tenant) {
            return no_tenant(tenant);
        }
        forbidden(format!(
            "`{}` does not administer tenant `{tenant}`",
            self.name
        ))
    }

    /// Says whether the caller has anything to do with a tenant.
    fn knows(&self, tenant: &TenantId) -> bool {
        let is_of = |it: &Credential| {
            let grant = it.kind.user().and_then(|user| user.grant_in(tenant));
            it.tenant.as_ref() == Some(tenant) || grant.is_some()
        };
        match &self.who {
            Who::Owner => true,
            Who::Principal { principal, .. } => is_of(principal),
            Who::Token { token, owner, .. } => {
                let is_of_token = token.scope.tenant() == Some(tenant);
                is_of_token
                    && owner
                        .as_ref()
                        .is_none_or(|it| is_of(it) || is_platform_admin(it))
            }
        }
    }
}

impl Who {
    fn principal(principal: Credential, is_in_force: bool) -> Self {
        Self::Principal {
            principal: Box::new(principal),
            is_in_force,
        }
    }
}

/// What of a tenant a caller may see or administer: all of it, or the credentials of
/// a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Scope {
    /// Whether that may be changed.
    pub(super) administers: bool,
    /// The credentials that are in this group, or below it, and nowhere else; none for
    /// all of the tenant.
    pub(super) limit: Option<GroupPath>,
}

impl Scope {
    pub(super) const ORG_ADMIN: Self = Self {
        administers: true,
        limit: None,
    };
    const VIEWER: Self = Self {
        administers: false,
        limit: None,
    };

    /// What of `tenant` this principal may see or administer, if anything.
    fn of(principal: &Credential, tenant: &TenantId) -> Option<Self> {
        if principal.is_org_admin_of(tenant) {
            return Some(Self::ORG_ADMIN);
        }
        let Kind::User(user) = &principal.kind else {
            return None;
        };
        let grant = user.grant_in(tenant)?;
        let administers = match grant.right {
            GrantedRight::OrgAdmin => true,
            GrantedRight::Viewer => false,
            GrantedRight::Role(_) => return None,
        };
        Some(Self {
            administers,
            limit: grant.group.clone(),
        })
    }

    /// Says whether the whole tenant may be changed.
    pub(super) fn is_org_admin(&self) -> bool {
        *self == Self::ORG_ADMIN
    }

    /// Says whether what is in these groups lies in it, and nowhere else.
    pub(super) fn holds_all(&self, groups: &[GroupPath]) -> bool {
        match &self.limit {
            None => true,
            Some(limit) => !groups.is_empty() && groups.iter().all(|group| limit.covers(group)),
        }
    }

    /// Says whether a session of the tenant is in it, by whose it is.
    pub(super) fn holds_session(
        &self,
        session: &BrokerPresence,
        store: &mut Rows<'_>,
    ) -> Result<bool, AdminError> {
        if self.limit.is_none() {
            return Ok(true);
        }
        let user = match session.presence.credential {
            Some(id) => store.credential_by_id(id)?,
            None => None,
        };
        Ok(user.is_some_and(|user| {
            user.tenant == session.presence.tenant && self.holds_all(&user.groups)
        }))
    }

    /// Says whether a credential in it may be given this role: those that are held
    /// by its group or by one below.
    pub(super) fn may_give(
        &self,
        store: &mut Rows<'_>,
        tenant: &TenantId,
        role: &RoleName,
    ) -> Result<bool, AdminError> {
        Ok(match &self.limit {
            None => true,
            Some(limit) => {
                let holding = store.groups_of_role(tenant, role)?;
                holding.iter().any(|group| limit.covers(group))
            }
        })
    }
}

/// Says whether a principal administers the whole store.
fn is_platform_admin(principal: &Credential) -> bool {
    principal
        .kind
        .user()
        .is_some_and(|user: &User| user.is_platform_admin)
}

/// Says whether a user is still signed in.
fn is_signed_in(
    signed_in: &SignedInUser,
    user: &Credential,
    store: &mut Rows<'_>,
    now: Timestamp,
) -> Result<bool, AdminError> {
    let is_same = user.kind.user().is_some() && user.generation == signed_in.generation;
    let Some(id) = signed_in.session else {
        return Ok(is_same);
    };
    let session = store.web_session(id)?;
    let session = session.filter(|it| it.user == user.id && it.generation == user.generation);
    Ok(is_same && session.is_some_and(|it| it.is_alive(now)))
}

/// The principal with this number.
fn principal(store: &mut Rows<'_>, id: CredentialId) -> Result<Credential, AdminError> {
    let found = store.credential_by_id(id)?;
    found.ok_or_else(|| forbidden("the caller was deleted"))
}

pub(crate) fn forbidden(message: impl Into<String>) -> AdminError {
    AdminError::new(
        ErrorKind::Forbidden,
        Subject::nameless(Noun::Caller),
        message,
    )
}
