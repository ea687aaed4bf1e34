//! Tenants.

use countersign_core::name::TenantId;
use countersign_core::store::rows::TenantRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::tenant::Tenant;

use super::MemoryTransaction;
use super::errors::{found, taken};
use super::table::page_of;

impl TenantRows for MemoryTransaction<'_> {
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tables.tenants.get(id).cloned())
    }

    fn tenants(&mut self, page: &Page<TenantId>) -> Result<Listed<Tenant>, StoreError> {
        let tenants = self.tables.tenants.values().cloned();
        Ok(page_of(tenants.collect(), page))
    }

    fn put_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        let is_taken = |other: &Tenant| {
            other.id != tenant.id
                && other.client_id_prefix.is_some()
                && other.client_id_prefix == tenant.client_id_prefix
        };
        if self.tables.tenants.values().any(is_taken) {
            return Err(taken("another tenant has this prefix"));
        }
        let given = tenant.default_roles.iter().chain(&tenant.anonymous_roles);
        for role in given {
            let key = (tenant.id.clone(), role.clone());
            found(self.tables.roles.contains_key(&key), "the role")?;
        }
        self.tables.tenants.put(tenant.id.clone(), tenant.clone());
        Ok(())
    }

    fn remove_tenant(&mut self, id: &TenantId) -> Result<(), StoreError> {
        found(self.tables.remove_tenant(id), "the tenant")
    }
}
