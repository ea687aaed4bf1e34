//! Roles and who holds them.

use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::role::{Role, RoleName};
use crate::store::{Listed, Page, StoreError};

/// Roles of tenants.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait RoleRows {
    /// The role of this name in a tenant.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError>;

    /// Roles, by tenant and name.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn roles(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(TenantId, RoleName)>,
    ) -> Result<Listed<Role>, StoreError>;

    /// Writes a role with all its rules, new or changed.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn put_role(&mut self, role: &Role) -> Result<(), StoreError>;

    /// Deletes a role and takes it from its holders.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`]; also when there is no such role.
    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError>;

    /// The numbers of the credentials that hold a role: by themselves, by a
    /// grant, or by tokens made for them that are still kept. Things are not
    /// among them; their application is.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn holders_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<CredentialId>, StoreError>;
}
