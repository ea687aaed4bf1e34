//! How far the logs of a store go, in one statement.

use countersign_core::change::ChangeSeq;
use countersign_core::store::LogPosition;
use rusqlite::Connection;

use crate::error::Fault;
use crate::row_reader::RowReader;

/// See
/// [`GateStore::log_position`](countersign_core::store::GateStore::log_position).
pub(crate) fn of(connection: &Connection) -> Result<LogPosition, Fault> {
    let mut statement = connection.prepare_cached(STANDING)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("a row that is always there".into()));
    };
    let columns = &mut RowReader::of(row);
    Ok(LogPosition {
        last_change: ChangeSeq(columns.number()?),
        last_ban_change: ChangeSeq(columns.number()?),
        last_policy_change: ChangeSeq(columns.number()?),
        session_changes: columns.number()?,
    })
}

/// One row, whatever is stored. The conditions are those of indexes, word for word.
pub(crate) const STANDING: &str = "SELECT coalesce((SELECT max(seq) FROM change), 0),
            coalesce((SELECT max(seq) FROM change WHERE kind = 'ban'), 0),
            coalesce((SELECT max(seq) FROM change
                WHERE kind <> 'ban' AND kind <> 'credential' AND kind <> 'group'
                    AND kind <> 'issuer-keys' AND kind <> 'kick'), 0),
            (SELECT number FROM session_change WHERE id = 1)";
