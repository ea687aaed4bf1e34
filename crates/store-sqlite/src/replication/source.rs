//! What a centre tells its followers.

use countersign_core::follower::Follower;
use countersign_core::secret::SecretDigest;
use countersign_core::store::{ObjectName, ReplicaPlace, SinceThen, SnapshotPage, StoreError};
use countersign_sql::{changes_since, snapshot_page};

use super::snapshot::shapes;
use crate::busy_timeout::ADMIN_WAIT;
use crate::followers;
use crate::sql_reader::{State, last_entry};
use crate::store::SqliteStore;

impl SqliteStore {
    /// A part of what the follower with this secret may know: the objects after `after`.
    /// None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn snapshot_page(
        &self,
        digest: &SecretDigest,
        after: Option<&ObjectName>,
    ) -> Result<Option<(Follower, SnapshotPage)>, StoreError> {
        self.look(ACTION, ADMIN_WAIT, |connection| {
            let Some(follower) = followers::by_digest(connection, digest)? else {
                return Ok(None);
            };
            let page = snapshot_page(&State(connection), &shapes(connection)?, &follower, after)?;
            Ok(Some((follower, page)))
        })
    }

    /// What changed since a place in the log, as far as the follower with this secret may
    /// know. None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn changes_for_follower(
        &self,
        digest: &SecretDigest,
        after: ReplicaPlace,
    ) -> Result<Option<(Follower, SinceThen)>, StoreError> {
        self.look(ACTION, ADMIN_WAIT, |connection| {
            let Some(follower) = followers::by_digest(connection, digest)? else {
                return Ok(None);
            };
            let told = changes_since(&State(connection), &shapes(connection)?, &follower, after)?;
            Ok(Some((follower, told)))
        })
    }

    /// The number of the last change that followers are told of.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn last_object_change(&self) -> Result<i64, StoreError> {
        self.look_once(ACTION, |connection| Ok(last_entry(connection)?.0))
    }
}

const ACTION: &str = "read what a follower asks for";
