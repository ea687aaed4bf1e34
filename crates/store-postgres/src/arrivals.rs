//! Logins that were recorded, and whose clients may be gone.

use countersign_core::client_id::ClientIdTie;
use countersign_core::store::rows::ArrivalRow;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};

/// Adds the login under a client id, or replaces it.
pub(crate) fn put(
    connection: &Connection,
    id: &ClientIdTie,
    arrival: &ArrivalRow,
) -> Result<(), Fault> {
    connection
        .prepare(
            "INSERT INTO arriving_session (client_id, broker, is_own) VALUES ($1, $2, $3)
             ON CONFLICT (client_id) DO UPDATE SET broker = excluded.broker,
                 is_own = excluded.is_own",
        )?
        .execute(params![id.0, arrival.broker, arrival.is_own])?;
    Ok(())
}

/// Removes the login under a client id, if there is one.
pub(crate) fn remove(connection: &Connection, id: &ClientIdTie) -> Result<(), Fault> {
    connection
        .prepare("DELETE FROM arriving_session WHERE client_id = $1")?
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
    let statement = connection.prepare(OF_BROKER)?;
    let mut rows = statement.query(params![broker, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        found.push((ClientIdTie(columns.hash()?), columns.flag()?));
    }
    Ok(found)
}

const OF_BROKER: &str = "SELECT client_id, is_own FROM arriving_session WHERE broker = $1 LIMIT $2";
