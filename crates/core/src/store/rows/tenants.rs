//! Tenants.

use crate::name::TenantId;
use crate::store::{Listed, Page, StoreError};
use crate::tenant::Tenant;

/// Tenants.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait TenantRows {
    /// The tenant with this id.
    ///
    /// # Errors
    ///
    /// See [`TenantRows`].
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Tenant>, StoreError>;

    /// Tenants, by id.
    ///
    /// # Errors
    ///
    /// See [`TenantRows`].
    fn tenants(&mut self, page: &Page<TenantId>) -> Result<Listed<Tenant>, StoreError>;

    /// Writes a tenant, new or changed.
    ///
    /// # Errors
    ///
    /// See [`TenantRows`].
    fn put_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError>;

    /// Removes a tenant. Its credentials, roles, keys and tokens and the grants in
    /// it go with it.
    ///
    /// # Errors
    ///
    /// See [`TenantRows`]; also when there is no such tenant.
    fn remove_tenant(&mut self, id: &TenantId) -> Result<(), StoreError>;
}
