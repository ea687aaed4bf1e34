//! What is asked for of a tenant: a new one, or changes.

use countersign_core::client_id::ClientId;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign_core::topic::TopicFilter;

use crate::command::Tx;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup;

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// The topics it owns; if there are none, everything below its id.
    pub namespaces: Vec<TopicFilter>,
    /// What it asks of clients that connect.
    pub authentication: Authentication,
    /// How it judges SUBSCRIBE.
    pub subscribe: SubscribeMode,
    /// How all of its client ids begin.
    pub client_id_prefix: Option<ClientId>,
    /// When its users are locked out, if other than the settings say.
    pub lockout: Option<LockoutPolicy>,
    /// What its credentials may do if no rule says so.
    pub default_rights: DefaultRights,
}

impl NewTenant {
    /// A tenant that owns everything below its id and asks for a login from
    /// everybody.
    #[must_use]
    pub fn new(id: TenantId) -> Self {
        Self {
            id,
            namespaces: Vec::new(),
            authentication: Authentication::Required,
            subscribe: SubscribeMode::Strict,
            client_id_prefix: None,
            lockout: None,
            default_rights: DefaultRights::Namespaces,
        }
    }
}

/// What to change of a tenant; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct TenantChanges {
    /// What it asks of clients that connect.
    pub authentication: Option<Authentication>,
    /// How it judges SUBSCRIBE.
    pub subscribe: Option<SubscribeMode>,
    /// Topics it owns from now on.
    pub add_namespaces: Vec<TopicFilter>,
    /// Topics it no longer owns.
    pub remove_namespaces: Vec<TopicFilter>,
    /// How its client ids begin from now on; `Some(None)` is anyhow.
    pub client_id_prefix: Option<Option<ClientId>>,
    /// When its users are locked out from now on; `Some(None)` is as the
    /// settings say.
    pub lockout: Option<Option<LockoutPolicy>>,
    /// What its credentials may do from now on if no rule says so.
    pub default_rights: Option<DefaultRights>,
    /// What its clients without a login may do from now on if no rule says so.
    pub anonymous_rights: Option<DefaultRights>,
    /// Roles that all its devices and things hold from now on.
    pub default_roles: RoleChanges,
    /// Roles that its clients without a login hold from now on.
    pub anonymous_roles: RoleChanges,
    /// Whether its rules for subscribing may name `$SYS` from now on.
    pub sys_read: Option<bool>,
    /// How names begin from now on that its administrators give where names stay
    /// as they are; `Some(None)` leaves them to the platform.
    pub name_prefix: Option<Option<LoginName>>,
}

/// Roles that are given and taken away.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RoleChanges {
    /// Those that are given.
    pub add: Vec<RoleName>,
    /// Those that are taken away, before others are given.
    pub remove: Vec<RoleName>,
}

impl RoleChanges {
    fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// Changes the roles that a tenant gives, which are kept by name.
    pub(super) fn apply(
        &self,
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        given: &mut Vec<RoleName>,
    ) -> Result<(), AdminError> {
        for role in &self.remove {
            let Some(place) = given.iter().position(|held| held == role) else {
                return Err(AdminError::new(
                    ErrorKind::Conflict,
                    Subject::in_tenant(Noun::Role, role, tenant),
                    format!("tenant `{tenant}` does not give role `{role}` that way"),
                ));
            };
            given.remove(place);
        }
        for role in &self.add {
            lookup::role(tx, tenant, role)?;
            if !given.contains(role) {
                given.push(role.clone());
            }
        }
        given.sort_unstable();
        Ok(())
    }
}

impl TenantChanges {
    /// Says whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.authentication.is_none()
            && self.subscribe.is_none()
            && self.add_namespaces.is_empty()
            && self.remove_namespaces.is_empty()
            && self.client_id_prefix.is_none()
            && self.lockout.is_none()
            && self.default_rights.is_none()
            && self.anonymous_rights.is_none()
            && self.default_roles.is_empty()
            && self.anonymous_roles.is_empty()
            && self.sys_read.is_none()
            && self.name_prefix.is_none()
    }
}
