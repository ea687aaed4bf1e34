//! Schemes and which tenants use them.

use std::collections::BTreeSet;

use countersign_core::name::TenantId;
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::store::StoreError;
use countersign_core::store::rows::SchemeRows;

use super::MemoryTransaction;
use super::errors::{found, taken};
use super::tables::Tables;

impl Tables {
    /// All schemes, built in and added.
    pub(super) fn schemes(&self) -> Schemes {
        let mut schemes = Schemes::built_in();
        for scheme in self.schemes.values() {
            schemes.add(scheme.clone()).expect("its name was free");
        }
        for scheme in self.with_passwords.keys() {
            schemes.expect_passwords(scheme.clone());
        }
        schemes
    }
}

impl SchemeRows for MemoryTransaction<'_> {
    fn schemes(&mut self) -> Result<Schemes, StoreError> {
        Ok(self.tables.schemes())
    }

    fn add_scheme(&mut self, scheme: &Scheme) -> Result<(), StoreError> {
        let mut schemes = self.tables.schemes();
        let added = schemes.add(scheme.clone());
        added.map_err(|error| taken(&error.to_string()))?;
        let name = scheme.name().clone();
        self.tables.schemes.put(name, scheme.clone());
        Ok(())
    }

    fn expect_passwords(&mut self, scheme: &SchemeName) -> Result<(), StoreError> {
        self.tables.with_passwords.put(scheme.clone(), ());
        Ok(())
    }

    fn remove_scheme(&mut self, name: &SchemeName) -> Result<(), StoreError> {
        found(self.tables.schemes.remove(name), "the scheme")?;
        self.tables.with_passwords.remove(name);
        Ok(())
    }

    fn tenants_using_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError> {
        Ok(self.tables.users_of_scheme(name))
    }

    fn schemes_used_by(&mut self, tenant: &TenantId) -> Result<Vec<SchemeName>, StoreError> {
        let rows = self.tables.credentials.values().map(|row| &row.credential);
        let own = rows.filter(|it| it.tenant.as_ref() == Some(tenant));
        let schemes: BTreeSet<_> = own.map(|it| it.scheme.clone()).collect();
        Ok(schemes.into_iter().collect())
    }
}
