//! What a follower is asked to end.

use countersign_core::store::{KickedThere, ReplicaKick};
use rusqlite::params;

use super::Source;
use crate::error::Fault;
use crate::row_reader::RowReader;

impl Source<'_> {
    /// A request to kick, if the follower is asked and nobody answered.
    pub(super) fn kick(&self, id: i64) -> Result<Option<ReplicaKick>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT client_id, broker, session FROM kick_request
             WHERE id = ?1 AND answered = 0
                 AND (follower = ?2 OR (follower IS NULL AND client_id IS NOT NULL))",
        )?;
        let mut rows = statement.query(params![id, self.follower.as_str()])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let columns = &mut RowReader::of(row);
        let client_id = columns.maybe_text()?.map(str::to_owned);
        let what = match client_id {
            Some(client_id) => KickedThere::ClientId(client_id),
            None => KickedThere::Session {
                broker: Some(columns.text()?.to_owned()).filter(|it| !it.is_empty()),
                session: columns.number()?,
            },
        };
        Ok(Some(ReplicaKick { id, what }))
    }
}
