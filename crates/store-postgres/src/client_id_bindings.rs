//! Which credential is bound to which client id.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};

/// The credential that is bound to this client id.
pub(crate) fn holder(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<CredentialId>, Fault> {
    let statement = connection.prepare(BOUND_TO)?;
    let mut rows = statement.query([client_id.0])?;
    Ok(match rows.next()? {
        Some(row) => Some(CredentialId(RowReader::of(row).number()?)),
        None => None,
    })
}

/// The client id that this credential is bound to.
pub(crate) fn client_id_of(
    connection: &Connection,
    credential: CredentialId,
) -> Result<Option<ClientIdTie>, Fault> {
    let statement = connection.prepare(CLIENT_ID_OF)?;
    let mut rows = statement.query([credential.0])?;
    Ok(match rows.next()? {
        Some(row) => RowReader::of(row).maybe_hash()?.map(ClientIdTie),
        None => None,
    })
}

/// Says whether a credential other than `claimant` is bound to this client id.
pub(crate) fn is_of_another(
    connection: &Connection,
    client_id: &ClientIdTie,
    claimant: Option<CredentialId>,
) -> Result<bool, Fault> {
    let values = params![client_id.0, claimant.map(|id| id.0)];
    let statement = connection.prepare(BOUND_TO_ANOTHER)?;
    statement.query_row(values, |row| row.get(0))
}

/// The credential that is bound to the client id `$1`.
macro_rules! select_bound {
    () => {
        "SELECT id FROM credential WHERE bound_to = $1 ORDER BY id LIMIT 1"
    };
}
pub(crate) use select_bound;

pub(crate) const BOUND_TO: &str = select_bound!();

pub(crate) const CLIENT_ID_OF: &str = "SELECT bound_to FROM credential WHERE id = $1";

const BOUND_TO_ANOTHER: &str =
    "SELECT EXISTS (SELECT 1 FROM credential WHERE bound_to = $1 AND id IS DISTINCT FROM $2)";
