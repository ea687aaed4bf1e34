//! The settings, schemes and tenants of a store, kept in memory and read again
//! when any of them changes.

use core::ops::Bound;
use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::access::{self, Access, AccessSubject, PolicyLookup, joined_tenant};
use countersign_core::change::ChangeSeq;
use countersign_core::client_id::ClientId;
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::number_map::NumberMap;
use countersign_core::rights::{Rights, TopicUse};
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::store::{
    DamagedTenant, GateStore, LogPosition, Settings, StoreError, StoreErrorKind, StoreMark,
};
use countersign_core::tenant::{Authentication, Tenant};

use crate::cache::anonymous_rights::AnonymousRights;
use crate::cache::complaints::Complaints;
use crate::cache::verdict_cache::VerdictCache;

mod read;

/// The settings, schemes and tenants of a store.
#[derive(Debug)]
pub(crate) struct StoreSnapshot {
    pub(crate) schemes: Schemes,
    pub(crate) verdict_cache: VerdictCache,
    pub(crate) settings: Settings,
    tenants: NumberMap<TenantId, Arc<Tenant>>,
    /// What a credential may do that has no rules but the default ones.
    default_rights: NumberMap<TenantId, Arc<Rights>>,
    /// What clients without a login may do.
    anonymous: NumberMap<TenantId, AnonymousRights>,
    /// Tenants that can't be read.
    damaged: NumberMap<TenantId, DamagedTenant>,
    damaged_schemes: BTreeMap<SchemeName, StoreError>,
    /// What can't be read.
    pub(crate) complaints: Complaints,
    /// Whose client ids begin how; none is a tenant whose id can't be read.
    prefixes: BTreeMap<ClientId, Option<TenantId>>,
    /// When the store was looked at.
    mark: StoreMark,
    /// The change that this is read after.
    seq: ChangeSeq,
}

impl StoreSnapshot {
    /// Reads it again if somebody has changed any of it. Costs next to nothing
    /// if there was no commit.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn refresh<S: GateStore>(&mut self, store: &mut S) -> Result<(), StoreError> {
        let mark = store.mark()?;
        if self.mark == mark {
            return Ok(());
        }
        let log_position = store.log_position()?;
        self.refresh_to(store, mark, log_position)
    }

    /// The same, for a caller that has asked how far the logs go, after the moment
    /// of `mark`.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn refresh_to<S: GateStore>(
        &mut self,
        store: &mut S,
        mark: StoreMark,
        log_position: LogPosition,
    ) -> Result<(), StoreError> {
        if self.mark.is_of_same_files(mark) && log_position.last_policy_change == self.seq {
            self.mark = mark;
            return Ok(());
        }
        *self = Self::read(store, Some(self))?;
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
        match self.owner_of_prefix(client_id) {
            Some(owner) => tenant.is_some() && owner == tenant,
            None => tenant.is_none_or(|id| self.prefix_of(id).is_none()),
        }
    }

    /// Says whether no tenant's client ids begin so.
    pub(crate) fn is_of_no_prefix(&self, client_id: &str) -> bool {
        self.owner_of_prefix(client_id).is_none()
    }

    /// How all client ids of a tenant begin.
    fn prefix_of(&self, id: &TenantId) -> Option<&ClientId> {
        match self.tenants.get(id) {
            Some(tenant) => tenant.client_id_prefix.as_ref(),
            None => self.damaged.get(id)?.client_id_prefix.as_ref(),
        }
    }

    /// The tenant whose prefix this client id begins with, which has none itself
    /// if its id can't be read. No prefix is one of another, so there is one at
    /// most, and it is the last that does not sort after the id.
    fn owner_of_prefix(&self, client_id: &str) -> Option<Option<&TenantId>> {
        let up_to_it = (Bound::Unbounded, Bound::Included(client_id));
        let (prefix, owner) = self.prefixes.range::<str, _>(up_to_it).next_back()?;
        let begins_so = client_id.starts_with(prefix.as_str());
        begins_so.then_some(owner.as_ref())
    }

    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// Returns an error of one record when it can't be read.
    pub(crate) fn tenant(&self, id: &TenantId) -> Result<Option<&Arc<Tenant>>, StoreError> {
        if self.is_damaged(id) {
            return Err(unreadable("look up a tenant", &format!("tenant `{id}`")));
        }
        Ok(self.tenants.get(id))
    }

    /// Has a record name its tenant and its scheme by the texts that are kept here, so
    /// that all records share them.
    pub(crate) fn share_texts(&self, record: &mut Credential) {
        let tenant = record.tenant.as_mut();
        if let Some(id) = tenant
            && let Some(tenant) = self.tenants.get(id)
        {
            id.clone_from(&tenant.id);
        }
        if let Some(scheme) = self.schemes.find(record.scheme.as_str()) {
            record.scheme.clone_from(scheme.name());
        }
    }

    /// Says whether there is such a tenant and it can't be read.
    pub(crate) fn is_damaged(&self, id: &TenantId) -> bool {
        self.damaged.contains_key(id)
    }

    /// The tenant whose prefix this client id begins with.
    ///
    /// # Errors
    ///
    /// Returns an error of one record when the tenant's id can't be read.
    pub(crate) fn tenant_by_client_id(
        &self,
        client_id: &ClientId,
    ) -> Result<Option<&TenantId>, StoreError> {
        match self.owner_of_prefix(client_id.as_str()) {
            Some(None) => Err(unreadable("look up a prefix", "the tenant of a prefix")),
            Some(owner) => Ok(owner),
            None => Ok(None),
        }
    }

    /// Says whether there is such a tenant.
    pub(crate) fn has_tenant(&self, id: &TenantId) -> bool {
        self.tenants.contains_key(id)
    }

    /// Says whether the tenant with this id admits clients without a login.
    pub(crate) fn admits_anonymous(&self, id: &str) -> bool {
        let tenant = self.tenants.get(id);
        tenant.is_some_and(|tenant| tenant.authentication.admits_anonymous())
    }

    /// What clients without a login may do in a tenant, if it admits them.
    pub(crate) fn rights_in(&self, id: &TenantId, client_id: Option<&str>) -> Option<Arc<Rights>> {
        if !self.admits_anonymous(id.as_str()) {
            return None;
        }
        let anonymous = self.anonymous.get(id)?;
        Some(anonymous.connected_as(client_id))
    }

    /// What a principal may do while it is connected as `client_id`.
    ///
    /// # Errors
    ///
    /// Returns the store's error when its roles can't be read, and an error of one
    /// record when its tenant or its scheme can't.
    pub(crate) fn rights_of<S: GateStore>(
        &self,
        subject: AccessSubject<'_>,
        client_id: &str,
        store: &mut S,
    ) -> Result<Arc<Rights>, StoreError> {
        let lookup = &mut SnapshotLookup {
            snapshot: self,
            store,
        };
        if let Some(rights) = self.shared_rights(subject, lookup)? {
            return Ok(Arc::clone(rights));
        }
        let access = Access::resolve(subject, lookup)?;
        Ok(Arc::new(access.rights(Some(client_id))))
    }

    /// The rights that all principals of a tenant share who have no rules of their
    /// own, if these are such a principal's.
    fn shared_rights<S: GateStore>(
        &self,
        subject: AccessSubject<'_>,
        lookup: &mut SnapshotLookup<'_, S>,
    ) -> Result<Option<&Arc<Rights>>, StoreError> {
        let AccessSubject::Credential {
            credential,
            more_roles: [],
            ..
        } = subject
        else {
            return Ok(None);
        };
        let scheme = self.scheme(&credential.scheme)?;
        let Some(id) = &credential.tenant else {
            return Ok(None);
        };
        let Some(tenant) = self.tenant(id)? else {
            return Ok(None);
        };
        let is_one = access::has_defaults_alone(credential, tenant, scheme, lookup)?;
        let rights = self.default_rights.get(&tenant.id);
        Ok(rights.filter(|_| is_one))
    }

    fn scheme(&self, name: &SchemeName) -> Result<Option<&Scheme>, StoreError> {
        if self.damaged_schemes.contains_key(name) {
            return Err(unreadable("look up a scheme", &format!("scheme `{name}`")));
        }
        Ok(self.schemes.find(name.as_str()))
    }

    /// The tenant that an unauthenticated session without one joins by this
    /// use, and what the session may do there.
    pub(crate) fn joined(
        &self,
        usage: TopicUse<'_>,
        client_id: &str,
    ) -> Option<(&Arc<Tenant>, Arc<Rights>)> {
        let owners = self.verdict_cache.topic_owners();
        let tenant = joined_tenant(usage, Some(client_id), owners, |id| self.tenants.get(id))?;
        let anonymous = self.anonymous.get(&tenant.id)?;
        Some((tenant, anonymous.connected_as(Some(client_id))))
    }

    /// The tenants that admit clients without a login.
    fn open(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants
            .values()
            .filter(|tenant| tenant.authentication.admits_anonymous())
    }
}

/// What access follows from: the snapshot, and roles from the store.
struct SnapshotLookup<'a, S> {
    snapshot: &'a StoreSnapshot,
    store: &'a mut S,
}

impl<S: GateStore> PolicyLookup for SnapshotLookup<'_, S> {
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.snapshot.tenant(id)?.cloned())
    }

    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError> {
        self.store.role_named(tenant, name)
    }

    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        self.store.roles_of_group(tenant, group)
    }

    fn scheme(&mut self, name: &SchemeName) -> Result<Option<&Scheme>, StoreError> {
        self.snapshot.scheme(name)
    }
}

fn unreadable(action: &'static str, what: &str) -> StoreError {
    StoreError::new(action, StoreErrorKind::Damaged)
        .with_detail(format!("{what} can't be read; restore a backup"))
}
