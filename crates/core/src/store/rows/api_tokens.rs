//! API tokens.

use crate::api_token::{ApiToken, ApiTokenId};
use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::secret::SecretDigest;
use crate::store::{Keyed, Listed, Page, StoreError};
use crate::time::Timestamp;

/// API tokens.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait ApiTokenRows {
    /// The token with this number.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`].
    fn api_token(&mut self, id: ApiTokenId) -> Result<Option<ApiToken>, StoreError>;

    /// The token with this digest.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`].
    fn api_token_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<ApiToken>, StoreError>;

    /// Tokens, by number.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`].
    fn api_tokens(
        &mut self,
        which: &ApiTokensOf,
        page: &Page<ApiTokenId>,
    ) -> Result<Listed<ApiToken>, StoreError>;

    /// How many there are, up to `most`.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`].
    fn count_api_tokens(&mut self, which: &ApiTokensOf, most: u64) -> Result<u64, StoreError>;

    /// Adds a token; its number in `token` does not count.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`]; also when its owner or tenant is not there.
    fn add_api_token(
        &mut self,
        token: &ApiToken,
        digest: &SecretDigest,
    ) -> Result<ApiTokenId, StoreError>;

    /// Takes note that a token was used.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`].
    fn use_api_token(&mut self, id: ApiTokenId, at: Timestamp) -> Result<(), StoreError>;

    /// Removes a token; says whether it was there.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`].
    fn remove_api_token(&mut self, id: ApiTokenId) -> Result<bool, StoreError>;

    /// Removes up to `most` tokens that ended by `now`; says how many they were.
    ///
    /// # Errors
    ///
    /// See [`ApiTokenRows`].
    fn remove_ended_api_tokens(&mut self, now: Timestamp, most: usize)
    -> Result<usize, StoreError>;
}

/// Which API tokens are meant.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ApiTokensOf {
    /// All.
    #[default]
    Everybody,
    /// Those that were made with this one.
    Parent(ApiTokenId),
    /// Those whose scope is the platform.
    Platform,
    /// Those whose scope is this tenant.
    Tenant(TenantId),
    /// Those of this user.
    User(CredentialId),
}

impl Keyed for ApiToken {
    type Key = ApiTokenId;

    fn key(&self) -> ApiTokenId {
        self.id
    }
}
