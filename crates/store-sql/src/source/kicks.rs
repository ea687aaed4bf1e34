//! What a follower is asked to end.

use countersign_core::store::{Cell, KickedThere, ReplicaKick};

use super::Source;
use crate::columns::Columns;
use crate::reader::SqlReader;

impl<R: SqlReader> Source<'_, R> {
    /// A request to kick, if the follower is asked and nobody answered.
    pub(super) fn kick(&self, id: i64) -> Result<Option<ReplicaKick>, R::Fault> {
        let rows = self.reader.rows(
            "SELECT client_id, broker, session FROM kick_request
             WHERE id = ?1 AND answered = 0
                 AND (follower = ?2 OR (follower IS NULL AND client_id IS NOT NULL))",
            &[
                Cell::Integer(id),
                Cell::Text(self.follower.name.as_str().into()),
            ],
        )?;
        let Some(mut row) = rows.into_iter().next().map(Columns::of) else {
            return Ok(None);
        };
        let what = match row.maybe_text::<R>()? {
            Some(client_id) => KickedThere::ClientId(client_id),
            None => KickedThere::Session {
                broker: Some(row.text::<R>()?).filter(|it| !it.is_empty()),
                session: row.number::<R>()?,
            },
        };
        Ok(Some(ReplicaKick { id, what }))
    }
}
