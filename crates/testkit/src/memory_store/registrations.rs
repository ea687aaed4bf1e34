//! What authorities and issuers registered.

use countersign_core::auto_registration::DeviceRegistration;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::registrar::Registrar;
use countersign_core::store::StoreError;
use countersign_core::store::rows::{DeviceRegistrationRows, RegistrationCount};

use super::MemoryTransaction;
use super::errors::{found, gone, taken};
use super::tables::Tables;

impl Tables {
    pub(super) fn was_registered(&self, tenant: &TenantId, name: &LoginName) -> bool {
        let key = (tenant.clone(), name.clone());
        self.registered_names.contains_key(&key)
    }

    /// Says that the role is there that devices are given.
    pub(super) fn has_role_of(
        &self,
        tenant: &TenantId,
        registers: Option<&DeviceRegistration>,
    ) -> Result<(), StoreError> {
        let Some(registers) = registers else {
            return Ok(());
        };
        let key = (tenant.clone(), registers.role.clone());
        found(self.roles.contains_key(&key), "the role")
    }

    /// Which devices a registrar makes, if it makes any.
    fn registers(&self, registrar: Registrar) -> Option<&DeviceRegistration> {
        match registrar {
            Registrar::Authority(id) => self.authorities.get(&id)?.registers.as_ref(),
            Registrar::Issuer(id) => self.issuers.get(&id)?.registers.as_ref(),
        }
    }
}

impl DeviceRegistrationRows for MemoryTransaction<'_> {
    fn device_count(&mut self, registrar: Registrar) -> Result<RegistrationCount, StoreError> {
        if self.tables.registers(registrar).is_none() {
            return Err(gone("what it registers"));
        }
        let count = self.tables.device_counts.get(&registrar);
        Ok(count.copied().unwrap_or_default())
    }

    fn count_device(
        &mut self,
        registrar: Registrar,
        count: RegistrationCount,
    ) -> Result<(), StoreError> {
        let tables = &mut self.tables;
        let registers = match registrar {
            Registrar::Authority(id) => tables.authorities.row(&id).map(|it| &mut it.registers),
            Registrar::Issuer(id) => tables.issuers.row(&id).map(|it| &mut it.registers),
        };
        if let Some(Some(registers)) = registers {
            registers.registered = count.registered;
            tables.device_counts.put(registrar, count);
        }
        Ok(())
    }

    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError> {
        Ok(self.tables.was_registered(tenant, name))
    }

    fn note_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<(), StoreError> {
        let tables = &mut self.tables;
        found(tables.tenants.contains_key(tenant), "the tenant")?;
        if tables.was_registered(tenant, name) {
            return Err(taken("the name"));
        }
        tables
            .registered_names
            .put((tenant.clone(), name.clone()), ());
        Ok(())
    }

    fn forget_registered(
        &mut self,
        tenant: &TenantId,
        name: &LoginName,
    ) -> Result<bool, StoreError> {
        let key = (tenant.clone(), name.clone());
        Ok(self.tables.registered_names.remove(&key))
    }
}
