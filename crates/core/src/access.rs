//! Access: from a principal to its rights.
//!
//! [`Access::resolve`] finds all rules that hold for a principal, where each
//! comes from and what its variables stand for. The broker's check, `countersign
//! check` and every preview of a change ask it, so they can't differ.

use std::sync::Arc;

use crate::credential::Credential;
use crate::kind::Kind;
use crate::limit::{SessionLimits, UseLimits};
use crate::name::{GroupPath, LoginName, TenantId};
use crate::rights::Rights;
use crate::role::{Role, RoleName};
use crate::rule::Variables;
use crate::scheme::{Scheme, SchemeName};
use crate::store::StoreError;
use crate::tenant::Tenant;
use crate::token::TokenRecord;
use crate::user::{Grant, GrantedRight};

mod bound;
mod client_ids;
mod grants;
mod held;
mod join;
mod owners;
mod variables;

pub use self::bound::BoundRule;
pub use self::client_ids::{UNKNOWN_CLIENT_ID, telling_client_ids};
pub use self::grants::Grants;
pub use self::join::joined_tenant;
pub use self::owners::topic_owners;

use self::grants::HeldRole;
use self::held::{HeldRoles, has_roles_by_groups};
use self::variables::PrincipalVariables;

/// Whose access is asked about.
#[derive(Clone, Copy, Debug)]
pub enum AccessSubject<'a> {
    /// A client without a login, in a tenant.
    Anonymous {
        /// The tenant.
        tenant: &'a TenantId,
    },
    /// A device, an operator or a thing.
    Credential {
        /// Its record.
        credential: &'a Credential,
        /// The things that are bound to its session.
        children: &'a [LoginName],
        /// The roles of its tenant that it has besides its own.
        more_roles: &'a [RoleName],
    },
    /// The holder of a token.
    Token {
        /// Its record.
        credential: &'a Credential,
        /// The token.
        token: &'a TokenRecord,
    },
    /// A user who works in a tenant.
    User {
        /// The user's record.
        credential: &'a Credential,
        /// The tenant.
        tenant: &'a TenantId,
    },
}

impl<'a> AccessSubject<'a> {
    /// A device, an operator or a thing without children.
    #[must_use]
    pub const fn of_credential(credential: &'a Credential) -> Self {
        Self::Credential {
            credential,
            children: &[],
            more_roles: &[],
        }
    }

    /// The groups of its tenant that it is in.
    #[must_use]
    pub fn groups(&self) -> &'a [GroupPath] {
        match *self {
            Self::Anonymous { .. } | Self::Token { .. } => &[],
            Self::Credential { credential, .. } => &credential.groups,
            Self::User { credential, tenant } => {
                let grant = credential
                    .kind
                    .user()
                    .and_then(|user| user.grant_in(tenant));
                grant.map_or(&[], Grant::groups)
            }
        }
    }
}

/// Looks up what access follows from besides the principal.
pub trait PolicyLookup {
    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when it can't be read.
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError>;

    /// The role with this name in a tenant.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when it can't be read.
    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError>;

    /// The roles that this very group of a tenant holds, by name.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when they can't be read.
    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError>;

    /// The scheme with this name.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when it can't be read.
    fn scheme(&mut self, name: &SchemeName) -> Result<Option<&Scheme>, StoreError>;
}

/// All rules that hold for a principal, and all that their meaning follows from
/// but the client id of the session.
#[derive(Clone, Debug, Default)]
pub struct Access<'a> {
    grants: Grants,
    variables: PrincipalVariables<'a>,
    /// None for an operator, and for a principal that may do nothing.
    tenant: Option<Arc<Tenant>>,
    /// The only things whose topics it may use; none is no limit.
    things: &'a [LoginName],
    /// What its own limits and those of its roles leave it.
    limits: UseLimits,
}

impl<'a> Access<'a> {
    /// Finds the access of a principal.
    ///
    /// A scheme, role or tenant that does not exist grants nothing, and a
    /// principal whose tenant does not exist has no rights at all: without a
    /// tenant, no topic owner would stop it.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when something can't be looked up.
    pub fn resolve(
        subject: AccessSubject<'a>,
        lookup: &mut impl PolicyLookup,
    ) -> Result<Self, StoreError> {
        let access = match subject {
            AccessSubject::Anonymous { tenant } => match lookup.tenant(tenant)? {
                Some(tenant) => {
                    let mut roles = Vec::new();
                    for name in &tenant.anonymous_roles {
                        roles.extend(lookup.role(&tenant.id, name)?);
                    }
                    Some(Self::of_anonymous(tenant, &roles))
                }
                None => None,
            },
            AccessSubject::Credential {
                credential,
                children,
                more_roles,
            } => Self::of_credential(credential, children, more_roles, lookup)?,
            AccessSubject::Token { credential, token } => {
                Self::of_token(credential, token, lookup)?
            }
            AccessSubject::User { credential, tenant } => {
                Self::of_user(credential, tenant, lookup)?
            }
        };
        Ok(access.unwrap_or_default())
    }

    /// The access of a client without a login, by its tenant and those of the
    /// tenant's anonymous roles that exist.
    #[must_use]
    pub fn of_anonymous(tenant: Arc<Tenant>, roles: &[Role]) -> Self {
        Self {
            grants: Grants::of_anonymous(&tenant, roles),
            limits: tightest(UseLimits::default(), roles),
            tenant: Some(tenant),
            ..Self::default()
        }
    }

    fn of_credential(
        credential: &'a Credential,
        children: &[LoginName],
        more_roles: &[RoleName],
        lookup: &mut impl PolicyLookup,
    ) -> Result<Option<Self>, StoreError> {
        let (tenant, roles) = match (&credential.kind, &credential.tenant) {
            (Kind::Application(_) | Kind::Bearer | Kind::User(_), _)
            | (Kind::Operator, Some(_))
            | (Kind::Device | Kind::Thing(_), None) => return Ok(None),
            // No other kind may stand outside of all tenants.
            (Kind::Operator, None) => (None, Vec::new()),
            (Kind::Device | Kind::Thing(_), Some(id)) => {
                let Some(tenant) = lookup.tenant(id)? else {
                    return Ok(None);
                };
                let mut roles = HeldRoles::default();
                let own = credential.roles.iter();
                let own = own.chain(more_roles);
                roles.add(id, own.chain(&tenant.default_roles), lookup)?;
                roles.add_of_groups(id, &credential.groups, lookup)?;
                (Some(tenant), roles.into_inner())
            }
        };
        let scheme = lookup.scheme(&credential.scheme)?;
        let grants = Grants::of_credential(credential, tenant.as_deref(), scheme, &roles);
        Ok(Some(Self {
            grants: grants.and_children(scheme, children),
            variables: PrincipalVariables::of_credential(credential, scheme),
            tenant,
            things: &[],
            limits: limits_of(credential, &roles),
        }))
    }

    fn of_user(
        credential: &'a Credential,
        tenant: &TenantId,
        lookup: &mut impl PolicyLookup,
    ) -> Result<Option<Self>, StoreError> {
        let Kind::User(user) = &credential.kind else {
            return Ok(None);
        };
        let Some(grant) = user.grant_in(tenant) else {
            return Ok(None);
        };
        let Some(tenant) = lookup.tenant(tenant)? else {
            return Ok(None);
        };
        let mut roles = HeldRoles::default();
        if let GrantedRight::Role(name) = &grant.right {
            roles.add(&tenant.id, [name], lookup)?;
        }
        roles.add_of_groups(&tenant.id, grant.groups(), lookup)?;
        let roles = roles.into_inner();
        Ok(Some(Self {
            grants: Grants::of_user(grant, &tenant, &roles),
            variables: PrincipalVariables::of_user(credential, grant),
            tenant: Some(tenant),
            things: &[],
            limits: limits_of(credential, &roles),
        }))
    }

    fn of_token(
        credential: &'a Credential,
        token: &'a TokenRecord,
        lookup: &mut impl PolicyLookup,
    ) -> Result<Option<Self>, StoreError> {
        if token.bearer != credential.id {
            return Ok(None);
        }
        let Some(tenant) = lookup.tenant(&token.tenant)? else {
            return Ok(None);
        };
        let mut roles = HeldRoles::default();
        roles.add(&tenant.id, [&token.role], lookup)?;
        let roles = roles.into_inner();
        Ok(Some(Self {
            grants: Grants::of_token(&roles),
            variables: PrincipalVariables::of_token(credential),
            tenant: Some(tenant),
            things: &token.things,
            limits: limits_of(credential, &roles),
        }))
    }

    /// The rules, in the order in which they are considered.
    #[must_use]
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The tenant that its topics are in; none for an operator, and for a
    /// principal that may do nothing.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_deref().map(|tenant| &tenant.id)
    }

    /// The limits of its sessions.
    #[must_use]
    pub fn limits(&self) -> SessionLimits {
        let tenant = self.tenant.as_deref();
        SessionLimits {
            holder: self.limits,
            tenant: tenant.map(|it| it.limits).unwrap_or_default(),
        }
    }

    /// What the variables stand for in a session with this client id.
    #[must_use]
    pub fn variables<'s>(&'s self, client_id: Option<&'s str>) -> impl Variables + 's {
        self.variables.connected_as(client_id)
    }

    /// The rules with the variables of a session with this client id filled in,
    /// each with the topics that it gives or takes.
    #[must_use]
    pub fn bound_rules(&self, client_id: Option<&str>) -> Vec<BoundRule> {
        bound::bound_rules(
            &self.grants,
            &self.variables.connected_as(client_id),
            self.tenant.as_deref(),
        )
    }

    /// The rules compiled for a session with this client id. Of a client id that
    /// is not known, rules with `${client_id}` allow nothing.
    #[must_use]
    pub fn rights(&self, client_id: Option<&str>) -> Rights {
        let variables = self.variables.connected_as(client_id);
        Rights::compile(
            self.grants.iter(),
            &variables,
            self.tenant.as_deref(),
            self.things,
        )
        .limited_to(self.limits())
    }
}

/// The tightest of a credential's own limits and those of its roles.
fn limits_of(credential: &Credential, roles: &[HeldRole]) -> UseLimits {
    tightest(credential.limits, roles.iter().map(|held| &held.role))
}

fn tightest<'r>(own: UseLimits, roles: impl IntoIterator<Item = &'r Role>) -> UseLimits {
    let roles = roles.into_iter();
    roles.fold(own, |limits, role| limits.tightest(role.limits))
}

/// Says whether a credential of `tenant` has no rules but the default ones of its
/// scheme, and no limits of its own, so that all such credentials have the same rights.
///
/// # Errors
///
/// Returns [`StoreError`] when it can't be looked up which roles its groups hold.
pub fn has_defaults_alone(
    credential: &Credential,
    tenant: &Tenant,
    scheme: Option<&Scheme>,
    lookup: &mut impl PolicyLookup,
) -> Result<bool, StoreError> {
    let has_no_rules = matches!(credential.kind, Kind::Device)
        && tenant.default_roles.is_empty()
        && credential.roles.is_empty()
        && credential.rules.is_empty()
        && credential.limits.is_none()
        && scheme.is_some_and(|it| it.grants_namespaces() && it.rules().next().is_none());
    Ok(has_no_rules && !has_roles_by_groups(&tenant.id, &credential.groups, lookup)?)
}

/// The rights that all credentials of a tenant share that
/// [have defaults alone](has_defaults_alone).
#[must_use]
pub fn default_rights(tenant: Arc<Tenant>) -> Rights {
    let access = Access {
        grants: Grants::of_default_credential(&tenant),
        tenant: Some(tenant),
        ..Access::default()
    };
    access.rights(None)
}
