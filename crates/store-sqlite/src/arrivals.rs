//! Logins that were recorded, and whose clients may be gone.

use countersign_core::client_id::ClientIdTie;
use countersign_core::store::rows::ArrivalRow;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::row_reader::RowReader;

/// Adds the login under a client id, or replaces it.
pub(crate) fn put(
    connection: &Connection,
    id: &ClientIdTie,
    arrival: &ArrivalRow,
) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO arriving_session VALUES (?1, ?2, ?3)")?
        .execute(params![id.0, arrival.broker, arrival.is_own])?;
    Ok(())
}

/// Removes the login under a client id, if there is one.
pub(crate) fn remove(connection: &Connection, id: &ClientIdTie) -> Result<(), Fault> {
    connection
        .prepare_cached("DELETE FROM arriving_session WHERE client_id = ?1")?
        .execute([id.0])?;
    Ok(())
}

/// Up to `most` logins of a broker: the client id of each, and whether what was
/// stored under it is the client's own.
pub(crate) fn of(
    connection: &Connection,
    broker: &str,
    most: usize,
) -> Result<Vec<(ClientIdTie, bool)>, Fault> {
    let mut statement = connection.prepare_cached(OF_BROKER)?;
    let mut rows = statement.query(params![broker, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        found.push((ClientIdTie(columns.hash()?), columns.flag()?));
    }
    Ok(found)
}

const OF_BROKER: &str = "SELECT client_id, is_own FROM arriving_session WHERE broker = ?1 LIMIT ?2";
