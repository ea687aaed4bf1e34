//! What imports made.

use crate::credential::CredentialId;
use crate::imported::ImportMark;
use crate::name::TenantId;
use crate::role::RoleName;
use crate::store::StoreError;

/// Which credentials and roles an import made, and from what. A mark goes with its
/// object.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait ImportRows {
    /// What is remembered of a credential that an import made.
    ///
    /// # Errors
    ///
    /// See [`ImportRows`].
    fn credential_import(&mut self, id: CredentialId) -> Result<Option<ImportMark>, StoreError>;

    /// Remembers that an import made a credential, or what it changed of it.
    ///
    /// # Errors
    ///
    /// See [`ImportRows`]; also when there is no such credential.
    fn put_credential_import(
        &mut self,
        id: CredentialId,
        mark: &ImportMark,
    ) -> Result<(), StoreError>;

    /// What is remembered of a role that an import made.
    ///
    /// # Errors
    ///
    /// See [`ImportRows`].
    fn role_import(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Option<ImportMark>, StoreError>;

    /// Remembers that an import made a role, or what it changed of it. The secret
    /// of the mark does not count.
    ///
    /// # Errors
    ///
    /// See [`ImportRows`]; also when there is no such role.
    fn put_role_import(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        mark: &ImportMark,
    ) -> Result<(), StoreError>;

    /// Says whether a tenant has credentials that no import made. Bearers of tokens
    /// don't count: they come along with a token.
    ///
    /// # Errors
    ///
    /// See [`ImportRows`].
    fn has_own_credentials(&mut self, tenant: &TenantId) -> Result<bool, StoreError>;
}
