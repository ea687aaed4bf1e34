//! Roles and who holds them.

use std::collections::BTreeSet;

use countersign_core::credential::CredentialId;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::store::rows::RoleRows;
use countersign_core::store::{Listed, Page, StoreError};

use super::MemoryTransaction;
use super::errors::found;
use super::table::page_of;

impl RoleRows for MemoryTransaction<'_> {
    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError> {
        Ok(self.tables.role(tenant, name))
    }

    fn roles(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(TenantId, RoleName)>,
    ) -> Result<Listed<Role>, StoreError> {
        let roles = self.tables.roles.values();
        let own = roles.filter(|role| tenant.is_none_or(|id| role.tenant == *id));
        Ok(page_of(own.cloned().collect(), page))
    }

    fn put_role(&mut self, role: &Role) -> Result<(), StoreError> {
        let has_tenant = self.tables.tenants.contains_key(&role.tenant);
        found(has_tenant, "the tenant")?;
        let key = (role.tenant.clone(), role.name.clone());
        self.tables.roles.put(key, role.clone());
        Ok(())
    }

    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError> {
        found(self.tables.remove_role(tenant, name), "the role")
    }

    fn assign_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        group: &GroupPath,
    ) -> Result<bool, StoreError> {
        let has_role = self.tables.role(tenant, name).is_some();
        found(has_role, "the role")?;
        let key = (tenant.clone(), group.clone(), name.clone());
        let is_new = !self.tables.group_roles.contains_key(&key);
        self.tables.group_roles.put(key, ());
        Ok(is_new)
    }

    fn unassign_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        group: &GroupPath,
    ) -> Result<bool, StoreError> {
        let key = (tenant.clone(), group.clone(), name.clone());
        Ok(self.tables.group_roles.remove(&key))
    }

    fn groups_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<GroupPath>, StoreError> {
        let held = self.tables.group_roles.keys();
        let held = held.filter(|(of, _, role)| of == tenant && role == name);
        Ok(held.map(|(_, group, _)| group.clone()).collect())
    }

    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        Ok(self.tables.roles_of_group(tenant, group))
    }

    fn groups(
        &mut self,
        tenant: &TenantId,
        begin: &str,
        most: usize,
    ) -> Result<Vec<GroupPath>, StoreError> {
        let held = self.tables.group_roles.keys();
        let held = held.filter(|(of, ..)| of == tenant);
        let rows = self.tables.credentials.values().map(|row| &row.credential);
        let own = rows.filter(|it| it.tenant.as_ref() == Some(tenant));
        let joined = own.flat_map(|it| it.groups.clone());
        let all = held.map(|(_, group, _)| group.clone()).chain(joined);
        let all: BTreeSet<_> = all.filter(|it| it.as_str().starts_with(begin)).collect();
        Ok(all.into_iter().take(most).collect())
    }

    fn holders_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<CredentialId>, StoreError> {
        Ok(self.tables.holders_of_role(tenant, name))
    }
}
