//! Bans.

use crate::ban::{Ban, BanId, BanTarget};
use crate::name::TenantId;
use crate::store::{Keyed, Listed, Page, StoreError};
use crate::time::Timestamp;

/// Bans. With a tenant, its bans go.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait BanRows {
    /// The ban with this number.
    ///
    /// # Errors
    ///
    /// See [`BanRows`].
    fn ban(&mut self, id: BanId) -> Result<Option<Ban>, StoreError>;

    /// The ban of this very target.
    ///
    /// # Errors
    ///
    /// See [`BanRows`].
    fn ban_on(&mut self, target: &BanTarget) -> Result<Option<Ban>, StoreError>;

    /// Bans by number: all, or those of a tenant.
    ///
    /// # Errors
    ///
    /// See [`BanRows`].
    fn bans(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<BanId>,
    ) -> Result<Listed<Ban>, StoreError>;

    /// How many there are, of a tenant or of all, up to `most`.
    ///
    /// # Errors
    ///
    /// See [`BanRows`].
    fn count_bans(&mut self, tenant: Option<&TenantId>, most: u64) -> Result<u64, StoreError>;

    /// Adds a ban; its number in `ban` does not count.
    ///
    /// # Errors
    ///
    /// Returns kind `Conflict` when there is one of its target; else see [`BanRows`].
    fn add_ban(&mut self, ban: &Ban) -> Result<BanId, StoreError>;

    /// Removes a ban; says whether there was one.
    ///
    /// # Errors
    ///
    /// See [`BanRows`].
    fn remove_ban(&mut self, id: BanId) -> Result<bool, StoreError>;

    /// Removes up to `most` bans that ended before `now`; says how many they were.
    ///
    /// # Errors
    ///
    /// See [`BanRows`].
    fn remove_ended_bans(&mut self, now: Timestamp, most: usize) -> Result<usize, StoreError>;
}

impl Keyed for Ban {
    type Key = BanId;

    fn key(&self) -> BanId {
        self.id
    }
}
