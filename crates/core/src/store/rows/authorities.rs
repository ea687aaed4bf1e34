//! Authorities (CAs) of tenants.

use crate::certificate::{AuthorityId, AuthorityRecord, Fingerprint, SignerHints};
use crate::name::TenantId;
use crate::store::StoreError;

/// Authorities (CAs) of tenants. With a tenant, its authorities go.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait AuthorityRows {
    /// The authority with this number.
    ///
    /// # Errors
    ///
    /// See [`AuthorityRows`].
    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError>;

    /// The authority whose certificate has this fingerprint.
    ///
    /// # Errors
    ///
    /// See [`AuthorityRows`].
    fn authority_by_fingerprint(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<AuthorityRecord>, StoreError>;

    /// The authority whose key has this digest.
    ///
    /// # Errors
    ///
    /// See [`AuthorityRows`].
    fn authority_by_key(&mut self, key: &[u8; 32]) -> Result<Option<AuthorityRecord>, StoreError>;

    /// Those that may be meant by `hints`, in the order in which they were added: of the
    /// identifier of a key [`MOST_ALIKE`], and as many of a name.
    ///
    /// [`MOST_ALIKE`]: crate::certificate::MOST_ALIKE
    ///
    /// # Errors
    ///
    /// See [`AuthorityRows`].
    fn authorities_like(&mut self, hints: &SignerHints)
    -> Result<Vec<AuthorityRecord>, StoreError>;

    /// The authorities of a tenant, or all, in the order in which they were added;
    /// [`MOST_AUTHORITIES`] at most.
    ///
    /// [`MOST_AUTHORITIES`]: crate::certificate::MOST_AUTHORITIES
    ///
    /// # Errors
    ///
    /// See [`AuthorityRows`].
    fn authorities(
        &mut self,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<AuthorityRecord>, StoreError>;

    /// Adds an authority; its number does not count.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when its certificate or its key is some authority's
    /// already; else see [`AuthorityRows`].
    fn add_authority(&mut self, authority: &AuthorityRecord) -> Result<AuthorityId, StoreError>;

    /// Removes an authority; says whether there was one.
    ///
    /// # Errors
    ///
    /// See [`AuthorityRows`].
    fn remove_authority(&mut self, id: AuthorityId) -> Result<bool, StoreError>;
}
