//! Roles and who holds them.

use crate::credential::CredentialId;
use crate::name::{GroupPath, TenantId};
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

    /// Deletes a role and takes it from its holders, groups among them.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`]; also when there is no such role.
    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError>;

    /// Gives a role to a group; says whether the group did not hold it before.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`]; also when there is no such role.
    fn assign_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        group: &GroupPath,
    ) -> Result<bool, StoreError>;

    /// Takes a role from a group; says whether the group held it.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn unassign_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        group: &GroupPath,
    ) -> Result<bool, StoreError>;

    /// The groups that hold a role, by path.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn groups_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<GroupPath>, StoreError>;

    /// The roles that this very group holds, by name.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError>;

    /// Groups of a tenant whose paths begin so, by path: those that hold a role and those
    /// that a credential is in, `most` of them. Where other tenants have thousands of
    /// groups beside them, not all that credentials are in are found.
    ///
    /// # Errors
    ///
    /// See [`RoleRows`].
    fn groups(
        &mut self,
        tenant: &TenantId,
        begin: &str,
        most: usize,
    ) -> Result<Vec<GroupPath>, StoreError>;

    /// The numbers of the credentials that hold a role: by themselves, by a
    /// grant, or by tokens made for them that are still kept. Things are not
    /// among them; their application is. Nor are those who hold it by a group.
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
