//! Followers of this store, and whether it follows another one.

use crate::follower::{Follower, FollowerName, FollowerProgress, MachineKey};
use crate::hand_back::{Asked, HandBackPlace, Maker};
use crate::name::LoginName;
use crate::secret::SecretDigest;
use crate::store::{Keyed, Listed, Page, StoreError};
use crate::time::Timestamp;

/// Followers of this store.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait FollowerRows {
    /// The follower with this name.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn follower(&mut self, name: &FollowerName) -> Result<Option<Follower>, StoreError>;

    /// The follower whose secret has this digest.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn follower_by_digest(&mut self, digest: &SecretDigest)
    -> Result<Option<Follower>, StoreError>;

    /// Up to where was judged what a follower handed back; none where that is nothing, or
    /// was under another secret.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn handed_back(&mut self, name: &FollowerName) -> Result<Option<HandBackPlace>, StoreError>;

    /// Writes down up to where that is, if the follower is there.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn put_handed_back(
        &mut self,
        name: &FollowerName,
        place: HandBackPlace,
    ) -> Result<(), StoreError>;

    /// The number of the last change that followers are told of.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn last_told(&mut self) -> Result<i64, StoreError>;

    /// The number of the first change that followers are still told of; 0 where there is none.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn first_told(&mut self) -> Result<i64, StoreError>;

    /// Removes the oldest changes that followers are told of, up to `most` and as long as they
    /// were made before `before`; says how many they were. The last one stays for ever.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn cut_told(&mut self, before: Timestamp, most: usize) -> Result<usize, StoreError>;

    /// Followers, by name.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn followers(&mut self, page: &Page<FollowerName>) -> Result<Listed<Follower>, StoreError>;

    /// Writes a follower, in place of the one with this name where there is one. How far
    /// it has followed, and how much was refused, stays as it was.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`]; also when one of its tenants is not there.
    fn put_follower(&mut self, follower: &Follower) -> Result<(), StoreError>;

    /// Writes down how far a follower has followed, if it is there.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn note_follower(
        &mut self,
        name: &FollowerName,
        progress: FollowerProgress,
    ) -> Result<(), StoreError>;

    /// Writes down the key of a follower's machine, if the follower is there and no key of
    /// it is known yet; says whether that was so. A replica that is begun already
    /// (`is_begun`) is begun anew: what is sealed for the key is not in it.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn pin_machine(
        &mut self,
        name: &FollowerName,
        key: &MachineKey,
        is_begun: bool,
    ) -> Result<bool, StoreError>;

    /// Adds to how much of what a follower said was refused, if it is there.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn note_refused(&mut self, name: &FollowerName, count: u64) -> Result<(), StoreError>;

    /// Writes down that the centre is to be asked to make somebody, if this store is a
    /// replica; none where it is not. Of a name there is one such row for each sort of
    /// maker, and of all of them there are [`MOST_ASKED`](crate::hand_back::MOST_ASKED).
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn ask_to_register(
        &mut self,
        by: Maker,
        name: &LoginName,
        at: Timestamp,
    ) -> Result<Option<Asked>, StoreError>;

    /// Removes a follower; says whether it was there.
    ///
    /// # Errors
    ///
    /// See [`FollowerRows`].
    fn remove_follower(&mut self, name: &FollowerName) -> Result<bool, StoreError>;
}

impl Keyed for Follower {
    type Key = FollowerName;

    fn key(&self) -> FollowerName {
        self.name.clone()
    }
}
