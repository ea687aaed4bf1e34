//! The records of client ids: who used which, and what a host may keep under it.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::lifecycle::State;
use countersign_core::name::TenantId;
use countersign_core::ownership::{Holder, Holding, Kept, StoredSession};
use countersign_core::store::rows::ClientIdRecord;

use crate::client_id_bindings::select_bound;
use crate::error::Fault;
use crate::pruned_client_ids;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};

/// What is recorded about the stored session of this client id.
pub(crate) fn stored_session(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<StoredSession>, Fault> {
    match record(connection, client_id)? {
        Some(record) => Ok(Some(record.session)),
        None => Ok(pruned_client_ids::holder(connection, client_id)?.map(StoredSession::pruned)),
    }
}

/// Who holds this client id, in one statement.
pub(crate) fn holding(connection: &Connection, client_id: &ClientIdTie) -> Result<Holding, Fault> {
    let statement = connection.prepare(HOLDING)?;
    let mut rows = statement.query([client_id.0])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("a row that is always there".into()));
    };
    let columns = &mut RowReader::of(row);
    let bound_to = columns.maybe_number()?.map(CredentialId);
    let stored_session = match read_session(columns)? {
        Some(stored) => Some(stored),
        None => pruned_client_ids::holder(connection, client_id)?.map(StoredSession::pruned),
    };
    Ok(Holding {
        bound_to,
        stored_session,
    })
}

/// Reads [`session_columns`]; where a join found no session, the word for its
/// holder is missing.
fn read_session(columns: &mut RowReader<'_>) -> Result<Option<StoredSession>, Fault> {
    let credential = columns.maybe_number()?.map(CredentialId);
    let state = columns.maybe_parsed(State::parse)?;
    let Some(holder) = columns.maybe_text()? else {
        return Ok(None);
    };
    let holder = match (holder, credential) {
        (UNAUTHENTICATED, _) => Holder::Unauthenticated,
        (CREDENTIAL, Some(id)) => Holder::recorded(id, state),
        (CREDENTIAL | FORMER, _) => Holder::Former,
        _ => return Err(columns.nonsense()),
    };
    Ok(Some(StoredSession {
        holder,
        username: columns.maybe_text()?.map(Into::into),
        tenant: columns.maybe_parsed(TenantId::parse)?,
        first_used_at: columns.instant()?,
        last_used_at: columns.instant()?,
        kept: match columns.number()? {
            0 => Kept::Nothing,
            1 => Kept::Own,
            UNPROVED => Kept::Unproved,
            _ => return Err(columns.nonsense()),
        },
    }))
}

/// What is recorded about a client id.
pub(crate) fn record(
    connection: &Connection,
    id: &ClientIdTie,
) -> Result<Option<ClientIdRecord>, Fault> {
    let statement = connection.prepare(RECORD)?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    let broker = columns.text()?.into();
    let credential = columns.maybe_number()?.map(CredentialId);
    Ok(read_session(columns)?.map(|session| ClientIdRecord {
        session,
        credential,
        broker,
    }))
}

/// Adds what is recorded about a client id, or replaces it.
pub(crate) fn put(
    connection: &Connection,
    id: &ClientIdTie,
    record: &ClientIdRecord,
) -> Result<(), Fault> {
    let session = &record.session;
    let holder = match (record.credential, session.holder) {
        (Some(_), _) => CREDENTIAL,
        (None, Holder::Unauthenticated) => UNAUTHENTICATED,
        (None, Holder::Former | Holder::Credential(_)) => FORMER,
    };
    connection
        .prepare(
            "INSERT INTO stored_session (client_id, holder, credential, username, tenant,
                 first_used_at, last_used_at, broker, is_stored)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (client_id) DO UPDATE
             SET holder = excluded.holder, credential = excluded.credential,
                 username = excluded.username, tenant = excluded.tenant,
                 first_used_at = excluded.first_used_at, last_used_at = excluded.last_used_at,
                 broker = excluded.broker, is_stored = excluded.is_stored",
        )?
        .execute(params![
            id.0,
            holder,
            record.credential.map(|id| id.0),
            session.username,
            session.tenant.as_ref().map(TenantId::as_str),
            session.first_used_at.as_millis(),
            session.last_used_at.as_millis(),
            record.broker,
            match session.kept {
                Kept::Nothing => 0,
                Kept::Own => 1,
                Kept::Unproved => UNPROVED,
            },
        ])?;
    Ok(())
}

/// The columns of a stored session, in the order they are read.
macro_rules! session_columns {
    () => {
        "stored_session.credential, credential.state, holder, username,
             stored_session.tenant, stored_session.first_used_at, stored_session.last_used_at,
             is_stored"
    };
}

pub(crate) const RECORD: &str = concat!(
    "SELECT broker, stored_session.credential, ",
    session_columns!(),
    " FROM stored_session LEFT JOIN credential ON credential.id = stored_session.credential
     WHERE stored_session.client_id = $1"
);

/// One row, whatever is stored.
pub(crate) const HOLDING: &str = concat!(
    "SELECT (",
    select_bound!(),
    "), ",
    session_columns!(),
    " FROM (SELECT 1) AS one
         LEFT JOIN stored_session ON stored_session.client_id = $1
         LEFT JOIN credential ON credential.id = stored_session.credential"
);

/// What stands for [`Kept::Unproved`].
pub(crate) const UNPROVED: i64 = 2;

/// Words for the holders of stored sessions.
const CREDENTIAL: &str = "credential";
const FORMER: &str = "former";
const UNAUTHENTICATED: &str = "unauthenticated";
