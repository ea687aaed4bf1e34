//! What holds for a whole store: its settings, schemes and tenants, kept in
//! memory and read again when any of them changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::change::ChangeSeq;
use countersign_core::client_id::ClientId;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rights::{Rights, TopicUse, joined_tenant};
use countersign_core::rule::Territories;
use countersign_core::scheme::Schemes;
use countersign_core::secret::Argon2Params;
use countersign_core::store::{GateStore, StoreError, StoreState};
use countersign_core::tenant::{Authentication, Tenant};

use crate::walls::Walls;

/// The settings, schemes and tenants of a store.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) schemes: Schemes,
    pub(crate) walls: Walls,
    pub(crate) argon2: Argon2Params,
    pub(crate) client_id_hold: Duration,
    pub(crate) lockout: LockoutPolicy,
    tenants: HashMap<TenantId, Arc<Tenant>>,
    /// What a principal may do that may just use all that its tenant owns.
    plain: HashMap<TenantId, Arc<Rights>>,
    /// Whose client ids begin how.
    prefixes: BTreeMap<ClientId, TenantId>,
    /// The store's state that this is true of.
    state: Option<StoreState>,
    /// The change that this is read after.
    seq: ChangeSeq,
}

impl Policy {
    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn read<S: GateStore>(store: &mut S) -> Result<Self, StoreError> {
        // The numbers first: what changes meanwhile is read again later.
        let state = store.state()?;
        let seq = store.last_policy_change()?;
        let settings = store.settings()?;
        let schemes = store.schemes()?;
        let tenants = store.tenants()?;
        let owned = tenants
            .iter()
            .map(|tenant| (tenant.id.as_str(), &tenant.namespaces));
        let walls = Walls::new(Territories::new(owned));
        let plain = tenants
            .iter()
            .map(|tenant| (tenant.id.clone(), Arc::new(Rights::of_tenant(tenant))))
            .collect();
        let prefixes = tenants
            .iter()
            .filter_map(|tenant| Some((tenant.client_id_prefix.clone()?, tenant.id.clone())))
            .collect();
        let tenants = tenants
            .into_iter()
            .map(|tenant| (tenant.id.clone(), tenant))
            .collect();
        Ok(Self {
            schemes,
            walls,
            argon2: settings.argon2,
            client_id_hold: settings.client_id_hold,
            lockout: settings.lockout,
            tenants,
            plain,
            prefixes,
            state,
            seq,
        })
    }

    /// Reads it again if somebody has changed any of it. Costs next to nothing
    /// if nobody has committed anything.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn refresh<S: GateStore>(&mut self, store: &mut S) -> Result<(), StoreError> {
        let state = store.state()?;
        if StoreState::is_the_same(self.state, state) {
            return Ok(());
        }
        if store.last_policy_change()? == self.seq {
            self.state = state;
            return Ok(());
        }
        *self = Self::read(store)?;
        Ok(())
    }

    /// Says whether no tenant admits clients without a login.
    pub(crate) fn has_no_open_tenant(&self) -> bool {
        self.open().next().is_none()
    }

    /// What this tenant asks of clients; one that is no more asks for a login.
    pub(crate) fn authentication(&self, id: &TenantId) -> Authentication {
        self.tenants
            .get(id)
            .map_or(Authentication::Required, |tenant| tenant.authentication)
    }

    /// Says whether a client id keeps the prefixes of all tenants, for a client
    /// of `tenant`.
    pub(crate) fn keeps_prefixes(&self, client_id: &str, tenant: Option<&TenantId>) -> bool {
        let begins = |prefix: &ClientId| client_id.starts_with(prefix.as_str());
        self.tenants.values().all(|it| match &it.client_id_prefix {
            Some(prefix) => (tenant == Some(&it.id)) == begins(prefix),
            None => true,
        })
    }

    /// The tenant with this id.
    pub(crate) fn tenant(&self, id: &TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(id)
    }

    /// The tenant whose prefix this client id begins with. No prefix is one of
    /// another, so there is one at most, and it is the last that does not sort
    /// after the id.
    pub(crate) fn tenant_by_client_id(&self, client_id: &ClientId) -> Option<&TenantId> {
        let (prefix, tenant) = self.prefixes.range(..=client_id).next_back()?;
        client_id
            .as_str()
            .starts_with(prefix.as_str())
            .then_some(tenant)
    }

    /// Says whether there is such a tenant.
    pub(crate) fn has_tenant(&self, id: &TenantId) -> bool {
        self.tenants.contains_key(id)
    }

    /// What clients without a login may do in a tenant, if it admits them.
    pub(crate) fn rights_in(&self, id: &TenantId) -> Option<&Arc<Rights>> {
        if self.authentication(id).admits_anonymous() {
            self.plain.get(id)
        } else {
            None
        }
    }

    /// What a device, an operator or a thing may do while it is connected as
    /// `client_id`, with the things that are bound to its session.
    ///
    /// # Errors
    ///
    /// Returns the store's error when its roles can't be read.
    pub(crate) fn rights_of_credential<S: GateStore>(
        &self,
        credential: &Credential,
        client_id: &str,
        children: &[LoginName],
        store: &mut S,
    ) -> Result<Arc<Rights>, StoreError> {
        let tenant = credential.tenant.as_ref();
        let scheme = self.schemes.find(credential.scheme.as_str());
        let is_plain = matches!(credential.kind, Kind::Device)
            && credential.roles.is_empty()
            && credential.rules.is_empty()
            && scheme.is_some_and(|it| it.grants_namespaces() && it.rules().next().is_none());
        let plain = tenant
            .filter(|_| is_plain)
            .and_then(|id| self.plain.get(id));
        if let Some(rights) = plain {
            return Ok(Arc::clone(rights));
        }
        let roles = if credential.roles.is_empty() {
            Vec::new()
        } else {
            store.roles_of(credential)?
        };
        let tenant = tenant.and_then(|id| self.tenants.get(id));
        if tenant.is_none() && credential.tenant.is_some() {
            // Its tenant is no more; without one it would stand outside of all
            // walls.
            return Ok(Arc::new(Rights::none()));
        }
        let tenant = tenant.map(|tenant| &**tenant);
        let rights = Rights::of_credential(
            credential,
            Some(client_id),
            tenant,
            scheme,
            &roles,
            children,
        );
        Ok(Arc::new(rights))
    }

    /// The tenant that an unauthenticated session without one joins by this
    /// use, and what the session may do there.
    pub(crate) fn joined(
        &self,
        usage: TopicUse<'_>,
        client_id: &str,
    ) -> Option<(&Arc<Tenant>, &Arc<Rights>)> {
        let owners = self.walls.territories();
        let tenant = joined_tenant(usage, Some(client_id), owners, |id| self.tenants.get(id))?;
        Some((tenant, self.plain.get(&tenant.id)?))
    }

    /// The tenants that admit clients without a login.
    fn open(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants
            .values()
            .filter(|tenant| tenant.authentication.admits_anonymous())
    }
}
