//! What imports made.

use countersign_core::credential::CredentialId;
use countersign_core::imported::ImportMark;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::store::StoreError;
use countersign_core::store::rows::ImportRows;

use super::MemoryTransaction;
use super::errors::found;

impl ImportRows for MemoryTransaction<'_> {
    fn credential_import(&mut self, id: CredentialId) -> Result<Option<ImportMark>, StoreError> {
        Ok(self.tables.credential_imports.get(&id).cloned())
    }

    fn put_credential_import(
        &mut self,
        id: CredentialId,
        mark: &ImportMark,
    ) -> Result<(), StoreError> {
        found(self.tables.credentials.contains_key(&id), "the credential")?;
        self.tables.credential_imports.put(id, mark.clone());
        Ok(())
    }

    fn role_import(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Option<ImportMark>, StoreError> {
        let key = (tenant.clone(), name.clone());
        Ok(self.tables.role_imports.get(&key).cloned())
    }

    fn put_role_import(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        mark: &ImportMark,
    ) -> Result<(), StoreError> {
        let key = (tenant.clone(), name.clone());
        found(self.tables.roles.contains_key(&key), "the role")?;
        let mark = ImportMark {
            secret: None,
            ..mark.clone()
        };
        self.tables.role_imports.put(key, mark);
        Ok(())
    }

    fn has_own_credentials(&mut self, tenant: &TenantId) -> Result<bool, StoreError> {
        let imports = &self.tables.credential_imports;
        let is_own = |id: &CredentialId| !imports.contains_key(id);
        let mut all = self.tables.credentials.iter();
        Ok(all.any(|(id, row)| {
            row.credential.tenant.as_ref() == Some(tenant)
                && !matches!(row.credential.kind, Kind::Bearer)
                && is_own(id)
        }))
    }
}
