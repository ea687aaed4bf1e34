//! The records of client ids: who used which, and what a host may keep under it.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::ledger::{MOST_CLIENT_IDS, MOST_PRUNED};
use countersign_core::lifecycle::State;
use countersign_core::name::TenantId;
use countersign_core::ownership::{Holder, Holding, Kept, StoredSession};
use countersign_core::store::StoreError;
use countersign_core::store::rows::{
    Arrival, ClientIdCounts, ClientIdRecord, ClientIdRows, ClientIdsOf,
};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::client_id_bindings::{self, select_bound};
use crate::error::Fault;
use crate::pruned_client_ids;
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

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
    let mut statement = connection.prepare_cached(HOLDING)?;
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

impl ClientIdRows for SqliteTransaction<'_> {
    fn client_id_record(&mut self, id: &ClientIdTie) -> Result<Option<ClientIdRecord>, StoreError> {
        self.run(LOOK_UP, |connection| record(connection, id))
    }

    fn put_client_id_record(
        &mut self,
        id: &ClientIdTie,
        record: &ClientIdRecord,
    ) -> Result<(), StoreError> {
        self.run(WRITE, |connection| put(connection, id, record))
    }

    fn remove_client_id_record(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            connection
                .prepare_cached("DELETE FROM stored_session WHERE client_id = ?1")?
                .execute([id.0])?;
            Ok(())
        })
    }

    fn touch_client_id(
        &mut self,
        id: &ClientIdTie,
        credential: Option<CredentialId>,
        broker: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(WRITE, |connection| {
            let updated = connection
                .prepare_cached(
                    "UPDATE stored_session SET last_used_at = ?2, broker = ?3
                     WHERE client_id = ?1 AND credential IS ?4 AND last_used_at < ?2",
                )?
                .execute(params![
                    id.0,
                    at.as_millis(),
                    broker,
                    credential.map(|id| id.0)
                ])?;
            Ok(updated > 0)
        })
    }

    fn put_arrival(&mut self, id: &ClientIdTie, arrival: &Arrival) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO arriving_session VALUES (?1, ?2, ?3)")?
                .execute(params![id.0, arrival.broker, arrival.is_own])?;
            Ok(())
        })
    }

    fn remove_arrival(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            connection
                .prepare_cached("DELETE FROM arriving_session WHERE client_id = ?1")?
                .execute([id.0])?;
            Ok(())
        })
    }

    fn arrivals_at(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, bool)>, StoreError> {
        self.run(LOOK_UP, |connection| {
            let mut statement = connection.prepare_cached(ARRIVALS)?;
            let mut rows = statement.query(params![broker, most])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let columns = &mut RowReader::of(row);
                found.push((ClientIdTie(columns.hash()?), columns.flag()?));
            }
            Ok(found)
        })
    }

    fn pruned_client_id(&mut self, id: &ClientIdTie) -> Result<Option<Holder>, StoreError> {
        self.run(LOOK_UP, |connection| {
            pruned_client_ids::holder(connection, id)
        })
    }

    fn put_pruned_client_id(&mut self, id: &ClientIdTie, holder: Holder) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            pruned_client_ids::put(connection, id, holder)
        })
    }

    fn remove_pruned_client_id(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            pruned_client_ids::remove(connection, id)
        })
    }

    fn bound_to(&mut self, id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        self.run("look up a client id", |connection| {
            client_id_bindings::holder(connection, id)
        })
    }

    fn is_bound_to_another(
        &mut self,
        id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<bool, StoreError> {
        self.run("look up a client id", |connection| {
            client_id_bindings::is_of_another(connection, id, claimant)
        })
    }

    fn count_client_ids_of(
        &mut self,
        whose: ClientIdsOf<'_>,
        since: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        let since = since.as_millis();
        self.run(LOOK_UP, |connection| {
            let count = match whose {
                ClientIdsOf::StoredBy(id) => connection
                    .prepare_cached(COUNT_OF_CREDENTIAL)?
                    .query_row(params![id.0, 1, 1, since, most], |row| row.get(0)),
                ClientIdsOf::UsedBy(id) => connection
                    .prepare_cached(COUNT_OF_CREDENTIAL)?
                    .query_row(params![id.0, 0, UNPROVED, since, most], |row| row.get(0)),
                ClientIdsOf::Unauthenticated(tenant) => connection
                    .prepare_cached(COUNT_UNAUTHENTICATED)?
                    .query_row(params![tenant.map(TenantId::as_str), since, most], |row| {
                        row.get(0)
                    }),
            };
            Ok(count?)
        })
    }

    fn count_client_ids(&mut self) -> Result<ClientIdCounts, StoreError> {
        self.run(LOOK_UP, counts)
    }

    fn client_ids_unused_since(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError> {
        self.run(LOOK_UP, |connection| {
            by_last_use(connection, UNUSED_SINCE, at, most)
        })
    }

    fn client_ids_used_after(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError> {
        self.run(LOOK_UP, |connection| {
            by_last_use(connection, USED_AFTER, at, most)
        })
    }

    fn set_last_use(&mut self, id: &ClientIdTie, at: Timestamp) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            connection
                .prepare_cached(
                    "UPDATE stored_session
                     SET last_used_at = ?2, first_used_at = min(first_used_at, ?2)
                     WHERE client_id = ?1",
                )?
                .execute(params![id.0, at.as_millis()])?;
            Ok(())
        })
    }

    fn release_unauthenticated(&mut self, tenant: &TenantId) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            connection
                .prepare_cached(
                    "UPDATE stored_session SET holder = 'former'
                     WHERE holder = 'unauthenticated' AND tenant = ?1",
                )?
                .execute([tenant.as_str()])?;
            Ok(())
        })
    }

    fn stored_session(&mut self, id: &ClientIdTie) -> Result<Option<StoredSession>, StoreError> {
        self.run(LOOK_UP, |connection| stored_session(connection, id))
    }
}

/// What is recorded about a client id.
pub(crate) fn record(
    connection: &Connection,
    id: &ClientIdTie,
) -> Result<Option<ClientIdRecord>, Fault> {
    let mut statement = connection.prepare_cached(RECORD)?;
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

fn put(connection: &Connection, id: &ClientIdTie, record: &ClientIdRecord) -> Result<(), Fault> {
    let session = &record.session;
    let holder = match (record.credential, session.holder) {
        (Some(_), _) => CREDENTIAL,
        (None, Holder::Unauthenticated) => UNAUTHENTICATED,
        (None, Holder::Former | Holder::Credential(_)) => FORMER,
    };
    connection
        .prepare_cached(
            "INSERT INTO stored_session (client_id, holder, credential, username, tenant,
                 first_used_at, last_used_at, broker, is_stored)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
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

fn counts(connection: &Connection) -> Result<ClientIdCounts, Fault> {
    let mut statement = connection.prepare_cached(COUNTS)?;
    Ok(statement.query_row([], |row| {
        Ok(ClientIdCounts {
            records: row.get(0)?,
            pruned: row.get(1)?,
        })
    })?)
}

/// Says whether so many client ids are remembered that there is no room for all
/// that brokers are presented.
pub(crate) fn is_full(connection: &Connection) -> Result<bool, Fault> {
    let ClientIdCounts { records, pruned } = counts(connection)?;
    Ok(records >= MOST_CLIENT_IDS || pruned >= MOST_PRUNED)
}

/// The client ids that `sql` finds, which are bounded by `at` and `most`.
fn by_last_use(
    connection: &Connection,
    sql: &str,
    at: Timestamp,
    most: usize,
) -> Result<Vec<ClientIdTie>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![at.as_millis(), most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(ClientIdTie(RowReader::of(row).hash()?));
    }
    Ok(found)
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
     WHERE stored_session.client_id = ?1"
);

/// One row, whatever is stored.
pub(crate) const HOLDING: &str = concat!(
    "SELECT (",
    select_bound!(),
    "), ",
    session_columns!(),
    " FROM (SELECT 1)
         LEFT JOIN stored_session ON stored_session.client_id = ?1
         LEFT JOIN credential ON credential.id = stored_session.credential"
);

pub(crate) const COUNTS: &str = "SELECT rows, pruned FROM session_change WHERE id = 1";

pub(crate) const COUNT_OF_CREDENTIAL: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE credential = ?1 AND is_stored IN (?2, ?3) AND first_used_at > ?4 LIMIT ?5)";

pub(crate) const COUNT_UNAUTHENTICATED: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE holder = 'unauthenticated' AND tenant IS ?1 AND first_used_at > ?2 LIMIT ?3)";

const ARRIVALS: &str = "SELECT client_id, is_own FROM arriving_session WHERE broker = ?1 LIMIT ?2";

pub(crate) const UNUSED_SINCE: &str = "SELECT client_id FROM stored_session
     WHERE last_used_at < ?1 ORDER BY last_used_at LIMIT ?2";

pub(crate) const USED_AFTER: &str = "SELECT client_id FROM stored_session
     WHERE last_used_at > ?1 ORDER BY last_used_at LIMIT ?2";

/// What stands for [`Kept::Unproved`].
const UNPROVED: i64 = 2;

/// Words for the holders of stored sessions.
const CREDENTIAL: &str = "credential";
const FORMER: &str = "former";
const UNAUTHENTICATED: &str = "unauthenticated";

/// What is done, as errors of acts say.
const LOOK_UP: &str = "look up a stored session";
const WRITE: &str = "write a stored session";

#[cfg(test)]
mod tests {
    use countersign_core::ledger::{Ledger as _, Pace};
    use countersign_core::store::Settings;
    use tempfile::TempDir;

    use super::*;
    use crate::store::SqliteStore;

    #[test]
    fn as_many_rows_are_counted_as_there_are() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut store = SqliteStore::create(path, &Settings::default()).unwrap();
        let id = ClientIdTie::of("c");
        let mut writing = store.begin_writing("write", Pace::Host).unwrap();
        for tenant in [None, Some("one"), Some("other"), None] {
            let tenant = tenant.map(|it| TenantId::parse(it).unwrap());
            let session = StoredSession {
                tenant,
                ..StoredSession::pruned(Holder::Unauthenticated)
            };
            let record = ClientIdRecord {
                session,
                credential: None,
                broker: "b".into(),
            };
            writing.put_client_id_record(&id, &record).unwrap();
            assert_eq!(writing.client_id_record(&id).unwrap(), Some(record));
            assert_eq!(writing.count_client_ids().unwrap().records, 1);
        }
        writing.remove_client_id_record(&id).unwrap();
        assert_eq!(writing.count_client_ids().unwrap().records, 0);
    }
}
