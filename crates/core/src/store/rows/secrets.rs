//! Secrets of credentials.

use crate::credential::CredentialId;
use crate::name::LoginName;
use crate::secret::{SecretDigest, SecretId, Verifier};
use crate::store::{Listed, Page, StoreError};
use crate::time::Timestamp;

/// Secrets of credentials.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait SecretRows {
    /// Says whether a credential has this secret itself.
    ///
    /// # Errors
    ///
    /// See [`SecretRows`].
    fn has_secret(&mut self, owner: CredentialId, secret: SecretId) -> Result<bool, StoreError>;

    /// Says whether some credential has the secret with this digest.
    ///
    /// # Errors
    ///
    /// See [`SecretRows`].
    fn is_secret_taken(&mut self, digest: &SecretDigest) -> Result<bool, StoreError>;

    /// The names of those who have a password that is hashed slowly, in their order.
    ///
    /// # Errors
    ///
    /// See [`SecretRows`].
    fn names_with_password(
        &mut self,
        page: &Page<LoginName>,
    ) -> Result<Listed<LoginName>, StoreError>;

    /// Gives a credential one more secret, newer than those it has.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when the same secret is stored already, else see
    /// [`SecretRows`].
    fn add_secret(
        &mut self,
        credential: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError>;

    /// Says when a secret stops to work.
    ///
    /// # Errors
    ///
    /// See [`SecretRows`]; also when there is no such secret.
    fn limit_secret(
        &mut self,
        secret: SecretId,
        ends_at: Option<Timestamp>,
        until_used: bool,
    ) -> Result<(), StoreError>;

    /// Keeps what a secret begins with, for listings: of one that serves as a
    /// name.
    ///
    /// # Errors
    ///
    /// See [`SecretRows`]; also when there is no such secret.
    fn put_hint(&mut self, secret: SecretId, hint: &str) -> Result<(), StoreError>;

    /// Removes a secret.
    ///
    /// # Errors
    ///
    /// See [`SecretRows`]; also when there is no such secret.
    fn remove_secret(&mut self, secret: SecretId) -> Result<(), StoreError>;

    /// Removes the secrets of a credential that are older than this one and were
    /// to work until it was used.
    ///
    /// # Errors
    ///
    /// See [`SecretRows`].
    fn retire_older_secrets(
        &mut self,
        owner: CredentialId,
        newest: SecretId,
    ) -> Result<(), StoreError>;
}
