//! The store, with what is kept of it in memory.

use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::change::ChangeSeq;
use countersign_core::client_id::ClientId;
use countersign_core::credential::Credential;
use countersign_core::rights::Rights;
use countersign_core::store::{GateStore, LogPosition, StoreError, StoreMark};
use countersign_core::time::Timestamp;

use crate::cache::cached_directory::CachedDirectory;
use crate::cache::credential_cache::CredentialCache;
use crate::cache::store_snapshot::StoreSnapshot;
use crate::journal::recent_uses::{EndedUse, RecentUses};

/// A store, and what is kept of it in memory.
pub(crate) struct StoreView<S> {
    pub(crate) store: S,
    pub(crate) snapshot: StoreSnapshot,
    pub(crate) credential_cache: CredentialCache,
    /// When the store was looked at last.
    mark: StoreMark,
    /// What `snapshot` and `credential_cache` know of.
    sync_point: Option<SyncPoint>,
}

/// How far what is kept in memory is up to date.
struct SyncPoint {
    /// When the store was looked at.
    mark: StoreMark,
    /// All that these logs tell of is worked off.
    log_position: LogPosition,
}

impl<S: GateStore> StoreView<S> {
    /// Reads what is kept of a store, of which the log said `last` before.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn new(mut store: S, last: ChangeSeq) -> Result<Self, StoreError> {
        // Before anything that is kept in memory is read.
        let mark = store.mark()?;
        Ok(Self {
            snapshot: StoreSnapshot::read(&mut store, None)?,
            credential_cache: CredentialCache::new(last),
            mark,
            sync_point: None,
            store,
        })
    }

    /// Marks the moment. Says whether other files stand in the place of the store
    /// by now, so that what was found out in it is to be forgotten.
    pub(crate) fn look(&mut self) -> Result<(StoreMark, bool), StoreError> {
        let mark = self.store.mark()?;
        let before = core::mem::replace(&mut self.mark, mark);
        let is_another = !before.is_of_same_files(mark);
        if is_another {
            self.sync_point = None;
        }
        Ok((mark, is_another))
    }

    /// Gives up what is kept in memory and changed in the store by the moment of
    /// `mark`, the last [look](Self::look). Asks the store only if anybody has
    /// committed anything since the last time. Returns what was given up as a
    /// whole, to be dropped where nobody waits for it.
    pub(crate) fn sync(
        &mut self,
        mark: StoreMark,
    ) -> Result<(LogPosition, Option<CredentialCache>), StoreError> {
        let before = self.sync_point.as_ref();
        if let Some(sync_point) = before.filter(|it| it.mark == mark) {
            return Ok((sync_point.log_position, None));
        }
        let log_position = self.store.log_position()?;
        let mut outdated = None;
        if before.is_none_or(|it| it.log_position.last_change != log_position.last_change) {
            self.sync_point = None;
            outdated = self.credential_cache.follow(&mut self.store)?;
            self.snapshot
                .refresh_to(&mut self.store, mark, log_position)?;
        }
        // Not what the two found at their ends: they may differ, and what came
        // after this is looked at again.
        self.sync_point = Some(SyncPoint { mark, log_position });
        Ok((log_position, outdated))
    }

    /// What is known by now: in the store, and of what the store has not been told
    /// yet. `log_position` is from the last [`sync`](Self::sync).
    pub(crate) fn directory<'a>(
        &'a mut self,
        log_position: LogPosition,
        recent_uses: &'a RecentUses,
        unproved: Option<EndedUse>,
        now: Timestamp,
    ) -> CachedDirectory<'a, S> {
        CachedDirectory {
            store: &mut self.store,
            credential_cache: &mut self.credential_cache,
            snapshot: &self.snapshot,
            log_position,
            recent_uses,
            unproved,
            now,
        }
    }

    /// Reads the snapshot again if it is outdated.
    pub(crate) fn refresh(&mut self) -> Result<(), StoreError> {
        self.snapshot.refresh(&mut self.store)
    }

    /// What a principal may do while it is connected as `client_id`.
    pub(crate) fn rights_of(
        &mut self,
        subject: AccessSubject<'_>,
        client_id: &str,
    ) -> Result<Arc<Rights>, StoreError> {
        self.snapshot.rights_of(subject, client_id, &mut self.store)
    }

    /// The same of one that logs in, which costs next to nothing where its record
    /// is kept and this was asked before.
    pub(crate) fn rights_at_login(
        &mut self,
        credential: &Arc<Credential>,
        client_id: &ClientId,
    ) -> Result<Arc<Rights>, StoreError> {
        if let Some(rights) = self.credential_cache.rights(credential, client_id.as_str()) {
            return Ok(rights);
        }
        let subject = AccessSubject::of_credential(credential);
        let rights = self.rights_of(subject, client_id.as_str())?;
        self.credential_cache
            .keep_rights(credential, client_id, &rights);
        Ok(rights)
    }
}
