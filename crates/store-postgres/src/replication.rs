//! What a centre tells its followers.

use countersign_core::follower::Follower;
use countersign_core::secret::SecretDigest;
use countersign_core::store::{ObjectName, ReplicaPlace, SinceThen, SnapshotPage, StoreError};
use countersign_sql::{FOLLOWED, TableShape, changes_since, snapshot_page};

use crate::error::Fault;
use crate::followers;
use crate::link::ADMIN_LIMIT;
use crate::sql::Connection;
use crate::sql_reader::{State, last_entry};
use crate::store::PostgresStore;
use crate::tables::shape_of;

impl PostgresStore {
    /// A part of what the follower with this secret may know: the objects after `after`.
    /// None where no follower has this secret.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn snapshot_page(
        &mut self,
        digest: &SecretDigest,
        after: Option<&ObjectName>,
    ) -> Result<Option<(Follower, SnapshotPage)>, StoreError> {
        self.look(ACTION, ADMIN_LIMIT, |connection| {
            let Some(follower) = followers::by_digest(connection, digest)? else {
                return Ok(None);
            };
            let page = snapshot_page(&State(connection), shapes(connection)?, &follower, after)?;
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
        &mut self,
        digest: &SecretDigest,
        after: ReplicaPlace,
    ) -> Result<Option<(Follower, SinceThen)>, StoreError> {
        self.look(ACTION, ADMIN_LIMIT, |connection| {
            let Some(follower) = followers::by_digest(connection, digest)? else {
                return Ok(None);
            };
            let told = changes_since(&State(connection), shapes(connection)?, &follower, after)?;
            Ok(Some((follower, told)))
        })
    }

    /// The number of the last change that followers are told of.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn last_object_change(&mut self) -> Result<i64, StoreError> {
        self.look_once(ACTION, |connection| Ok(last_entry(connection)?.0))
    }
}

/// The shapes of all tables that followers have.
fn shapes(connection: &Connection) -> Result<&[TableShape], Fault> {
    if let Some(known) = connection.shapes.get() {
        return Ok(known);
    }
    // All or none: a table that is left out would be told as if it had no rows.
    let read = FOLLOWED.iter().map(|it| shape_of(connection, it.name));
    let read = read.collect::<Result<_, _>>()?;
    Ok(connection.shapes.get_or_init(|| read))
}

const ACTION: &str = "read what a follower asks for";
