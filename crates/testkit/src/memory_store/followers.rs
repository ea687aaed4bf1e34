//! Followers.

use countersign_core::follower::{Follower, FollowerName, FollowerProgress, MachineKey};
use countersign_core::hand_back::{Asked, HandBackPlace, Maker};
use countersign_core::name::LoginName;
use countersign_core::secret::SecretDigest;
use countersign_core::store::rows::{FollowerRows, PresenceRows as _};
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::errors::found;
use super::table::page_of;

impl FollowerRows for MemoryTransaction<'_> {
    fn follower(&mut self, name: &FollowerName) -> Result<Option<Follower>, StoreError> {
        Ok(self.tables.followers.get(name).cloned())
    }

    fn follower_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<Follower>, StoreError> {
        let mut followers = self.tables.followers.values();
        Ok(followers.find(|it| it.digest == *digest).cloned())
    }

    fn handed_back(&mut self, name: &FollowerName) -> Result<Option<HandBackPlace>, StoreError> {
        Ok(self.tables.handed_back.get(name).copied())
    }

    fn put_handed_back(
        &mut self,
        name: &FollowerName,
        place: HandBackPlace,
    ) -> Result<(), StoreError> {
        if self.tables.followers.contains_key(name) {
            self.tables.handed_back.put(name.clone(), place);
        }
        Ok(())
    }

    /// Nobody follows a store in memory.
    fn last_told(&mut self) -> Result<i64, StoreError> {
        Ok(0)
    }

    fn first_told(&mut self) -> Result<i64, StoreError> {
        Ok(0)
    }

    fn cut_told(&mut self, _before: Timestamp, _most: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn followers(&mut self, page: &Page<FollowerName>) -> Result<Listed<Follower>, StoreError> {
        let followers = self.tables.followers.values();
        Ok(page_of(followers.cloned().collect(), page))
    }

    fn put_follower(&mut self, follower: &Follower) -> Result<(), StoreError> {
        let mut tenants = follower.tenants.iter().flatten();
        let has_tenants = tenants.all(|id| self.tables.tenants.contains_key(id));
        found(has_tenants, "the tenant")?;
        let before = self.tables.followers.get(&follower.name);
        let is_renewed = before.is_some_and(|it| it.digest != follower.digest);
        let kept = Follower {
            progress: before.and_then(|it| it.progress),
            lag: None,
            refused: before.map_or(0, |it| it.refused),
            ..follower.clone()
        };
        self.tables.followers.put(follower.name.clone(), kept);
        if is_renewed {
            self.tables.handed_back.remove(&follower.name);
        }
        Ok(())
    }

    fn note_follower(
        &mut self,
        name: &FollowerName,
        progress: FollowerProgress,
    ) -> Result<(), StoreError> {
        if let Some(follower) = self.tables.followers.row(name) {
            follower.progress = Some(progress);
        }
        Ok(())
    }

    fn pin_machine(
        &mut self,
        name: &FollowerName,
        key: &MachineKey,
        is_begun: bool,
    ) -> Result<bool, StoreError> {
        let unknown = self.tables.followers.row(name);
        let unknown = unknown.filter(|it| it.machine.is_none());
        Ok(unknown
            .map(|it| {
                it.machine = Some(*key);
                it.era = it.era.saturating_add(is_begun.into());
            })
            .is_some())
    }

    fn note_refused(&mut self, name: &FollowerName, count: u64) -> Result<(), StoreError> {
        if let Some(follower) = self.tables.followers.row(name) {
            follower.refused = follower.refused.saturating_add(count);
        }
        Ok(())
    }

    /// It is no replica.
    fn ask_to_register(
        &mut self,
        _by: Maker,
        _name: &LoginName,
        _at: Timestamp,
    ) -> Result<Option<Asked>, StoreError> {
        Ok(None)
    }

    fn remove_follower(&mut self, name: &FollowerName) -> Result<bool, StoreError> {
        self.tables.handed_back.remove(name);
        self.take_presence_behind(name, usize::MAX)?;
        Ok(self.tables.followers.remove(name))
    }
}
