//! Bans.

use countersign_core::ban::{Ban, BanId, BanTarget};
use countersign_core::name::TenantId;
use countersign_core::store::rows::BanRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::errors::{found, taken};
use super::table::page_of;
use super::tables::{Tables, next};

impl Tables {
    pub(super) fn ban_on(&self, target: &BanTarget) -> Option<Ban> {
        let mut bans = self.bans.values();
        bans.find(|ban| ban.target == *target).cloned()
    }

    pub(super) fn bans_of(&self, tenant: Option<&TenantId>) -> Vec<Ban> {
        let is_its = |ban: &&Ban| tenant.is_none() || tenant == tenant_of(ban);
        self.bans.values().filter(is_its).cloned().collect()
    }
}

/// Whose principals alone a ban refuses.
pub(super) fn tenant_of(ban: &Ban) -> Option<&TenantId> {
    match &ban.target {
        BanTarget::ClientId(_, tenant) => tenant.as_ref(),
        BanTarget::Network(_) => None,
    }
}

impl BanRows for MemoryTransaction<'_> {
    fn ban(&mut self, id: BanId) -> Result<Option<Ban>, StoreError> {
        Ok(self.tables.bans.get(&id).cloned())
    }

    fn ban_on(&mut self, target: &BanTarget) -> Result<Option<Ban>, StoreError> {
        Ok(self.tables.ban_on(target))
    }

    fn bans(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<BanId>,
    ) -> Result<Listed<Ban>, StoreError> {
        Ok(page_of(self.tables.bans_of(tenant), page))
    }

    fn count_bans(&mut self, tenant: Option<&TenantId>, most: u64) -> Result<u64, StoreError> {
        Ok((self.tables.bans_of(tenant).len() as u64).min(most))
    }

    fn add_ban(&mut self, ban: &Ban) -> Result<BanId, StoreError> {
        if self.tables.ban_on(&ban.target).is_some() {
            return Err(taken("there is a ban of this"));
        }
        let has_tenant = tenant_of(ban);
        let has_tenant = has_tenant.is_none_or(|id| self.tables.tenants.contains_key(id));
        found(has_tenant, "the tenant")?;
        let id = BanId(next(&mut self.tables.last_numbers.ban));
        self.tables.bans.put(id, Ban { id, ..ban.clone() });
        Ok(id)
    }

    fn remove_ban(&mut self, id: BanId) -> Result<bool, StoreError> {
        Ok(self.tables.bans.remove(&id))
    }

    fn remove_ended_bans(&mut self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        let bans = &mut self.tables.bans;
        Ok(bans.remove_some(most, |_, ban| !ban.is_in_force(now)))
    }
}
