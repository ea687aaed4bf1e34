//! Issuers of others, and the tokens of theirs that were revoked.

use crate::issuer::{IssuerId, IssuerName, IssuerRecord, IssuerText, KeySource};
use crate::name::TenantId;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Issuers of others, and the tokens of theirs that were revoked. With a tenant, its
/// issuers go, and with a role what means it.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait IssuerRows {
    /// The issuer with this number.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError>;

    /// The issuer with this name.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn issuer_by_name(&mut self, name: &IssuerName) -> Result<Option<IssuerRecord>, StoreError>;

    /// Those whose tokens say that this one issued them, in the order in which they were
    /// added; [`MOST_ALIKE`] at most.
    ///
    /// [`MOST_ALIKE`]: crate::issuer::MOST_ALIKE
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Vec<IssuerRecord>, StoreError>;

    /// The issuers of a tenant, or all, in the order in which they were added;
    /// [`MOST_ISSUERS`] at most.
    ///
    /// [`MOST_ISSUERS`]: crate::issuer::MOST_ISSUERS
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn issuers(&mut self, tenant: Option<&TenantId>) -> Result<Vec<IssuerRecord>, StoreError>;

    /// Adds an issuer; its number does not count.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when some issuer has its name, or what its tokens say of
    /// who issued them and whom they are for; else see [`IssuerRows`].
    fn add_issuer(&mut self, issuer: &IssuerRecord) -> Result<IssuerId, StoreError>;

    /// Gives an issuer other keys; says whether there was one.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn set_issuer_keys(
        &mut self,
        id: IssuerId,
        keys: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Writes down where the keys of an issuer are fetched, and what came of it; none if
    /// they are not.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn set_key_source(
        &mut self,
        id: IssuerId,
        source: Option<&KeySource>,
    ) -> Result<(), StoreError>;

    /// Where the keys of issuers are fetched, by the issuers' numbers.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn key_sources(&mut self) -> Result<Vec<(IssuerId, KeySource)>, StoreError>;

    /// Removes an issuer, with what was revoked of its tokens; says whether there was one.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn remove_issuer(&mut self, id: IssuerId) -> Result<bool, StoreError>;

    /// Revokes a token of an issuer; says whether it was not yet.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn revoke_issued_token(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Says whether a token of an issuer was revoked.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError>;

    /// How many tokens of an issuer were revoked.
    ///
    /// # Errors
    ///
    /// See [`IssuerRows`].
    fn count_revoked_of_issuer(&mut self, id: IssuerId) -> Result<u64, StoreError>;
}
