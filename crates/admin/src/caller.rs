//! The caller of a command, and the one table of who may run what.

use countersign_core::api_token::{ApiTokenId, TokenScope};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::BrokerPresence;
use countersign_core::time::Timestamp;
use countersign_core::user::Grant;
use countersign_core::web_session::WebSessionId;

pub use self::horizon::Horizon;
pub(crate) use self::rights::forbidden;
use self::rights::{CallerRights, Scope};
use crate::error::{AdminError, Noun};
use crate::lookup::{self, Rows, no_credential, no_user};

mod horizon;
mod rights;
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
    /// That of an operator who asks where its own rules let it ask: at the topic of
    /// dynamic-security's commands. It is the platform's there, as long as it is in
    /// force.
    Operator(CredentialId),
    /// That of the principal whose session it is, as the command's own
    /// transaction finds it.
    Session(CredentialId),
    /// That of an API token, which is never more than its owner's.
    Token(ApiTokenId),
    /// That of a user who signed in at the service, in all tenants at once.
    User(SignedInUser),
}

/// A user who signed in at the service. It counts for as long as nothing that was given
/// out before had to stop working.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SignedInUser {
    /// The user.
    pub id: CredentialId,
    /// The generation in which the password was proved.
    pub generation: Generation,
    /// The web session; none of one request with a password.
    pub session: Option<WebSessionId>,
}

/// What a command needs its caller to be permitted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Permission {
    /// To change what belongs to a tenant.
    Administer(TenantId),
    /// What any caller may who is there still; what it is about is looked at besides.
    Any,
    /// To change a credential, as an administrator of its tenant.
    Change(LoginName),
    /// To make a plain credential in a tenant, in these groups and with these roles.
    CreateIn(TenantId, Vec<GroupPath>, Vec<RoleName>),
    /// To end an API token.
    EndApiToken(ApiTokenId),
    /// To end a key that signs tokens of a tenant, and the tokens with it.
    EndKey(KeyId),
    /// To end a token.
    EndToken(TokenId),
    /// To end the sessions that are called so: by their names or their client ids.
    Kick(String),
    /// To make an API token with this scope.
    MakeApiToken(TokenScope),
    /// To change a user, who may have grants in several tenants; see
    /// [`User::managing_grants`](countersign_core::user::User::managing_grants).
    ManageUser(LoginName),
    /// To run the life cycle of a credential.
    Operate(LoginName),
    /// What every user may do with what is the user's own. Nobody else has any.
    Own,
    /// What concerns the whole store.
    Platform,
    /// To see what belongs to a tenant.
    See(TenantId),
    /// To see a row of the audit.
    SeeAuditRow(i64),
    /// To see a credential.
    SeeCredential(LoginName),
    /// To see what is known of a name: why its client can't connect.
    SeeName(LoginName),
    /// To see credentials of a tenant: all, or those that the caller administers or
    /// views.
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
    /// Returns [`AdminError`] when the caller may see nothing of the tenant, and
    /// when the store can't be read.
    pub(crate) fn limit_in(
        self,
        tenant: &TenantId,
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<Option<GroupPath>, AdminError> {
        let rights = CallerRights::of(self, store, now)?;
        if rights.is_platform() {
            return Ok(None);
        }
        match rights.scope_in(tenant) {
            Some(scope) => Ok(scope.limit),
            None => Err(rights.not_admin(tenant)),
        }
    }

    /// The tenants of which the caller may see all; none where the caller may see all
    /// tenants.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when there is no such caller any more, and when the store
    /// can't be read.
    pub(crate) fn seen_tenants(
        self,
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<Option<Vec<TenantId>>, AdminError> {
        let rights = CallerRights::of(self, store, now)?;
        Ok((!rights.is_platform()).then(|| rights.seen_tenants()))
    }

    /// The one tenant of which the caller may see something, by what the caller is and
    /// not as a platform administrator; none where there are several, or none.
    ///
    /// # Errors
    ///
    /// As [`Authority::seen_tenants`].
    pub(crate) fn only_tenant(
        self,
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<Option<TenantId>, AdminError> {
        let mut tenants = CallerRights::of(self, store, now)?.partly_seen_tenants();
        let only = tenants.pop();
        Ok(only.filter(|_| tenants.is_empty()))
    }

    /// What the caller may know of each of these users: all of those whom the caller
    /// manages, for which there is none here; of the others the name, and those grants
    /// that lie in tenants which the caller administers.
    ///
    /// # Errors
    ///
    /// As [`Authority::seen_tenants`].
    pub(crate) fn known_grants(
        self,
        users: &[Credential],
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<Vec<Option<Vec<Grant>>>, AdminError> {
        let rights = CallerRights::of(self, store, now)?;
        let known = users.iter().map(|user| {
            if rights.is_platform() || rights.manages(user) {
                return None;
            }
            let grants = user.kind.user().map_or(&[][..], |about| &about.grants);
            let known = grants.iter().filter(|it| rights.administers(&it.tenant));
            Some(known.cloned().collect())
        });
        Ok(known.collect())
    }

    /// Those of these sessions that the caller may end.
    ///
    /// # Errors
    ///
    /// As [`Authority::seen_tenants`].
    pub(crate) fn kickable(
        self,
        sessions: Vec<BrokerPresence>,
        store: &mut Rows<'_>,
        now: Timestamp,
    ) -> Result<Vec<BrokerPresence>, AdminError> {
        let rights = CallerRights::of(self, store, now)?;
        let mut kickable = rights.seen_sessions(sessions, store)?;
        kickable.retain(|(_, scope)| scope.administers);
        Ok(kickable.into_iter().map(|(session, _)| session).collect())
    }

    /// The user whose own things the caller may see and change.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] of kind `Forbidden` when the caller is not a user who
    /// signed in.
    pub(crate) fn own(self) -> Result<SignedInUser, AdminError> {
        match self {
            Self::User(user) => Ok(user),
            Self::Operator(_) | Self::Platform | Self::Session(_) | Self::Token(_) => Err(
                forbidden("the caller is not a user who signed in with a password"),
            ),
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
        if *permission == Permission::Own {
            self.own()?;
        }
        let rights = CallerRights::of(self, store, now)?;
        if *permission == Permission::Own && rights.user().is_none() {
            let name = rights.name;
            return Err(forbidden(format!("`{name}` is not signed in any more")));
        }
        if rights.is_platform() {
            return Ok(());
        }
        let scope_in = |tenant: &TenantId| rights.scope_in(tenant);
        let administers = |tenant: &TenantId| rights.administers(tenant);
        match permission {
            Permission::Platform | Permission::MakeApiToken(TokenScope::Platform) => Err(
                forbidden(format!("`{}` is not a platform administrator", rights.name)),
            ),
            Permission::Own => Ok(()),
            Permission::Any if rights.is_in_force() => Ok(()),
            Permission::Any => Err(forbidden("the caller may do nothing any more")),
            Permission::Kick(target) => {
                let called = lookup::sessions_called(store, target, now)?;
                let seen = rights.seen_sessions(called, store)?;
                if seen.iter().any(|(_, scope)| scope.administers) {
                    return Ok(());
                }
                // Whoever may see it knows that it is there.
                let tenant = seen.first().and_then(|(it, _)| it.presence.tenant.as_ref());
                Err(match tenant {
                    Some(tenant) => rights.not_admin(tenant),
                    None => lookup::no_session(target),
                })
            }
            Permission::SeeAuditRow(id) => {
                let seen = rights.seen_tenants();
                match lookup::tenant_of_row(store, *id, &seen)? {
                    Some(_) => Ok(()),
                    None => Err(lookup::no_row(*id)),
                }
            }
            Permission::SeeName(name) => {
                let unknown = || no_credential(name);
                let found = store.credential(name)?.ok_or_else(unknown)?;
                let is_seen = match &found.tenant {
                    Some(tenant) => scope_in(tenant).is_some_and(|it| it.limit.is_none()),
                    None => {
                        let user = Permission::ManageUser(name.clone());
                        self.check(&user, store, now).is_ok()
                    }
                };
                if is_seen {
                    return Ok(());
                }
                Err(unknown())
            }
            Permission::Administer(tenant) => {
                if administers(tenant) {
                    return Ok(());
                }
                Err(rights.not_admin(tenant))
            }
            Permission::See(tenant) => match scope_in(tenant) {
                Some(scope) if scope.limit.is_none() => Ok(()),
                Some(_) | None => Err(rights.not_admin(tenant)),
            },
            Permission::SeeSome(tenant) => match scope_in(tenant) {
                Some(_) => Ok(()),
                None => Err(rights.not_admin(tenant)),
            },
            // A token of an administrator of a group is one of that group, and of who
            // views one of what is viewed.
            Permission::MakeApiToken(TokenScope::Tenant(tenant)) => match scope_in(tenant) {
                Some(scope) if scope.administers => Ok(()),
                Some(_) | None => Err(rights.not_admin(tenant)),
            },
            Permission::MakeApiToken(TokenScope::Viewer(tenant)) => match scope_in(tenant) {
                Some(_) => Ok(()),
                None => Err(rights.not_admin(tenant)),
            },
            Permission::CreateIn(tenant, groups, roles) => {
                let fits = |scope: &Scope| scope.administers && scope.holds_all(groups);
                let Some(scope) = scope_in(tenant).filter(fits) else {
                    return Err(rights.not_admin(tenant));
                };
                for role in roles {
                    if !scope.may_give(store, tenant, role)? {
                        return Err(rights.not_admin(tenant));
                    }
                }
                Ok(())
            }
            Permission::Change(name)
            | Permission::Operate(name)
            | Permission::SeeCredential(name) => {
                let unknown = || no_credential(name);
                let credential = store.credential(name)?.ok_or_else(unknown)?;
                let tenant = credential.tenant.as_ref().ok_or_else(unknown)?;
                let Some(scope) = scope_in(tenant).filter(|it| it.holds_all(&credential.groups))
                else {
                    return Err(unknown());
                };
                let is_to_see = matches!(permission, Permission::SeeCredential(_));
                let is_to_operate = matches!(permission, Permission::Operate(_));
                if is_to_see || is_to_operate && scope.administers || scope.is_org_admin() {
                    return Ok(());
                }
                // Whoever may see it knows that it is there.
                Err(rights.not_admin(tenant))
            }
            Permission::EndApiToken(id) => {
                let unknown = || lookup::no_api_token(*id);
                let token = store.api_token(*id)?.ok_or_else(unknown)?;
                let is_own = token.owner.is_some() && token.owner == rights.user();
                if is_own || token.scope.tenant().is_some_and(administers) {
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
                if rights.manages(&user) {
                    return Ok(());
                }
                Err(unknown())
            }
        }
    }
}

/// The name of an operator who speaks for the owner.
fn operator(store: &mut Rows<'_>, id: CredentialId, now: Timestamp) -> Result<String, AdminError> {
    let found = store.credential_by_id(id)?;
    let found = found.ok_or_else(|| forbidden("the caller was deleted"))?;
    if matches!(found.kind, Kind::Operator) && found.is_in_force(now).is_ok() {
        return Ok(found.name.to_string());
    }
    Err(forbidden("the caller is not an operator in force"))
}

impl Caller<'_> {
    /// The principal in whose name the command acts: the one whose session runs it, or
    /// the owner of the API token.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] of kind `Invalid` when there is none.
    pub(crate) fn principal(&self, store: &mut Rows<'_>) -> Result<CredentialId, AdminError> {
        let found = match self.authority {
            Authority::Session(id) => Some(id),
            Authority::User(user) => Some(user.id),
            Authority::Token(id) => store.api_token(id)?.and_then(|token| token.owner),
            Authority::Operator(_) | Authority::Platform => None,
        };
        found.ok_or_else(|| {
            AdminError::invalid(
                Noun::Caller,
                self.actor,
                "the caller is not a principal that makes tokens; name one",
            )
        })
    }
}

/// Checks that a principal administers a whole tenant at `now`, by what it is itself
/// and not as a platform administrator.
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
    let rights = CallerRights::of(Authority::Session(principal), store, now)?;
    if rights.administers(tenant) {
        return Ok(());
    }
    Err(forbidden(format!(
        "`{}` does not administer tenant `{tenant}`",
        rights.name
    )))
}
