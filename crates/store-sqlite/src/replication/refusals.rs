//! Who was refused at the broker of a replica, as its centre is told.

use core::time::Duration;

use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use countersign_core::told_refusals::ToldRefusals;

use super::hand_back::stamp;
use crate::audit;
use crate::schema::{self, MIGRATIONS};
use crate::store::SqliteStore;

impl SqliteStore {
    /// What the audit of this replica says of refusals after a row.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn refusals_to_tell(&self, after: i64, now: Timestamp) -> Result<ToldRefusals, StoreError> {
        self.look_once("read who was refused", |connection| {
            let mut told = ToldRefusals {
                schema: schema::newest(MIGRATIONS),
                stamp: stamp(connection)?,
                after,
                last: after,
                rows: Vec::new(),
            };
            let rows = audit::rows_after(connection, after, AT_ONCE)?;
            told.last = rows.last().and_then(|row| row.id).unwrap_or(after);
            let since = now.minus(if after == 0 { LATELY } else { TOLD_FOR });
            let sums = rows.into_iter().map(|row| row.entry);
            told.add(sums.filter(|entry| entry.is_sum() && entry.time >= since));
            Ok(told)
        })
    }
}

/// So many rows of the audit are read at once.
const AT_ONCE: usize = 4_000;
/// So long ago is told of after an outage,
const TOLD_FOR: Duration = Duration::from_secs(86_400);
/// and to a centre that was told nothing yet, or of another file.
const LATELY: Duration = Duration::from_secs(600);
