//! Tokens (JWT) and the keys that sign them.

use crate::credential::CredentialId;
use crate::jwt::{KeyId, TokenId};
use crate::name::TenantId;
use crate::store::{Listed, Page, StoreError};
use crate::time::Timestamp;
use crate::token::{SealedTokenKey, TokenKey, TokenRecord};

/// Tokens and the keys that sign them.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait TokenRows {
    /// The public part of the key with this id.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError>;

    /// The keys that sign tokens of a tenant, newest first, those whose
    /// signatures count no more included.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn token_keys(&mut self, tenant: &TenantId) -> Result<Vec<SealedTokenKey>, StoreError>;

    /// Adds a key that signs tokens.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn add_token_key(&mut self, key: &SealedTokenKey) -> Result<(), StoreError>;

    /// Says from when on the signatures of a key count no more; never later than
    /// was said before.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`]; also when there is no such key.
    fn end_token_key(&mut self, key: &KeyId, at: Timestamp) -> Result<(), StoreError>;

    /// Removes those keys of a tenant whose signatures count no more at `now`,
    /// with what is kept of the tokens that they signed.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn remove_ended_token_keys(
        &mut self,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The token with this number.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError>;

    /// Tokens that have not ended long since, by tenant and time.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn tokens(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(TenantId, Timestamp, TokenId)>,
    ) -> Result<Listed<TokenRecord>, StoreError>;

    /// How many tokens of this issuer are kept.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn count_tokens_of(&mut self, issuer: CredentialId) -> Result<u64, StoreError>;

    /// How many bearers of tokens a tenant has.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn bearers(&mut self, tenant: &TenantId) -> Result<u64, StoreError>;

    /// Adds a token.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn add_token(&mut self, token: &TokenRecord) -> Result<(), StoreError>;

    /// Revokes a token; one that is revoked stays as it is.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`]; also when there is no such token.
    fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), StoreError>;

    /// Removes those tokens of this issuer that were revoked or have ended by
    /// `now`.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn remove_ended_tokens_of(
        &mut self,
        issuer: CredentialId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes up to `most` tokens that ended before `at`; says how many they were.
    ///
    /// # Errors
    ///
    /// See [`TokenRows`].
    fn remove_tokens(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError>;
}
