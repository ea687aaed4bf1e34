//! What is left of the records of client ids that were not used for long.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::ownership::Holder;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};

/// Whose session the host may keep under a client id whose record was pruned.
pub(crate) fn holder(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<Holder>, Fault> {
    let statement = connection.prepare(PRUNED)?;
    let mut rows = statement.query([short(client_id)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(match RowReader::of(row).maybe_number()? {
        None => Holder::Former,
        Some(UNAUTHENTICATED_HOLDER) => Holder::Unauthenticated,
        Some(id) => Holder::Credential(CredentialId(id)),
    }))
}

/// Adds a client id whose record was pruned, or replaces its holder.
pub(crate) fn put(
    connection: &Connection,
    client_id: &ClientIdTie,
    holder: Holder,
) -> Result<(), Fault> {
    let holder = match holder {
        Holder::Former => None,
        Holder::Unauthenticated => Some(UNAUTHENTICATED_HOLDER),
        Holder::Credential(id) => Some(id.0),
    };
    connection
        .prepare(
            "INSERT INTO pruned_session VALUES ($1, $2)
             ON CONFLICT (client_id) DO UPDATE SET credential = excluded.credential",
        )?
        .execute(params![short(client_id), holder])?;
    Ok(())
}

/// Removes a client id, if its record was pruned.
pub(crate) fn remove(connection: &Connection, client_id: &ClientIdTie) -> Result<(), Fault> {
    connection
        .prepare("DELETE FROM pruned_session WHERE client_id = $1")?
        .execute([short(client_id)])?;
    Ok(())
}

/// What a client id is called once its record is pruned. Two of the same name
/// are both kept from a client that does not start clean.
fn short(ClientIdTie(hash): &ClientIdTie) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

pub(crate) const PRUNED: &str = "SELECT credential FROM pruned_session WHERE client_id = $1";

/// The holder of pruned sessions of unauthenticated clients.
const UNAUTHENTICATED_HOLDER: i64 = 0;
