//! What users have besides a credential: second factors and the tenant of their
//! last login.

use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::secret::SecretDigest;
use crate::store::StoreError;
use crate::totp::Step;
use crate::user::RecoveryCodeId;

/// What users have besides a credential.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait UserRows {
    /// Replaces the recovery codes of a user and forgets the last step of a
    /// code.
    ///
    /// # Errors
    ///
    /// See [`UserRows`]; also when there is no such user.
    fn put_recovery_codes(
        &mut self,
        user: CredentialId,
        codes: &[SecretDigest],
    ) -> Result<(), StoreError>;

    /// The users who administer the platform.
    ///
    /// # Errors
    ///
    /// See [`UserRows`].
    fn platform_admins(&mut self) -> Result<Vec<CredentialId>, StoreError>;

    /// Removes a recovery code of a user; says whether it was there.
    ///
    /// # Errors
    ///
    /// See [`UserRows`].
    fn remove_recovery_code(
        &mut self,
        user: CredentialId,
        code: RecoveryCodeId,
    ) -> Result<bool, StoreError>;

    /// Makes a step the last one that a code of a user was accepted for.
    ///
    /// # Errors
    ///
    /// See [`UserRows`]; also when there is no such user.
    fn put_last_step(&mut self, user: CredentialId, step: Step) -> Result<(), StoreError>;

    /// The same, if the user has a confirmed second factor and the last step was
    /// an earlier one. Says whether.
    ///
    /// # Errors
    ///
    /// See [`UserRows`].
    fn use_step(&mut self, user: CredentialId, step: Step) -> Result<bool, StoreError>;

    /// Makes a tenant the one that a user worked in last.
    ///
    /// # Errors
    ///
    /// See [`UserRows`]; also when there is no such user.
    fn put_last_tenant(&mut self, user: CredentialId, tenant: &TenantId) -> Result<(), StoreError>;
}
