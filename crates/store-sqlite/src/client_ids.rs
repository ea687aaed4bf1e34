//! The rows of client ids: their records, bindings, arrivals and what was pruned.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::ownership::{Holder, StoredSession};
use countersign_core::store::StoreError;
use countersign_core::store::rows::{
    ArrivalRow, ClientIdCounts, ClientIdRecord, ClientIdRows, ClientIdsOf,
};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::stored_sessions::{self, UNPROVED};
use crate::transaction::SqliteTransaction;
use crate::{arrivals, client_id_bindings, pruned_client_ids};

impl ClientIdRows for SqliteTransaction<'_> {
    fn client_id_record(&mut self, id: &ClientIdTie) -> Result<Option<ClientIdRecord>, StoreError> {
        self.run(LOOK_UP, |connection| {
            stored_sessions::record(connection, id)
        })
    }

    fn put_client_id_record(
        &mut self,
        id: &ClientIdTie,
        record: &ClientIdRecord,
    ) -> Result<(), StoreError> {
        self.run(WRITE, |connection| {
            stored_sessions::put(connection, id, record)
        })
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

    fn put_arrival(&mut self, id: &ClientIdTie, arrival: &ArrivalRow) -> Result<(), StoreError> {
        self.run(WRITE, |connection| arrivals::put(connection, id, arrival))
    }

    fn remove_arrival(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        self.run(WRITE, |connection| arrivals::remove(connection, id))
    }

    fn arrivals_at(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, bool)>, StoreError> {
        self.run(LOOK_UP, |connection| arrivals::of(connection, broker, most))
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
        self.run(LOOK_UP, |connection| {
            stored_sessions::stored_session(connection, id)
        })
    }
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

pub(crate) const COUNTS: &str = "SELECT rows, pruned FROM session_change WHERE id = 1";

pub(crate) const COUNT_OF_CREDENTIAL: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE credential = ?1 AND is_stored IN (?2, ?3) AND first_used_at > ?4 LIMIT ?5)";

pub(crate) const COUNT_UNAUTHENTICATED: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE holder = 'unauthenticated' AND tenant IS ?1 AND first_used_at > ?2 LIMIT ?3)";

pub(crate) const UNUSED_SINCE: &str = "SELECT client_id FROM stored_session
     WHERE last_used_at < ?1 ORDER BY last_used_at LIMIT ?2";

pub(crate) const USED_AFTER: &str = "SELECT client_id FROM stored_session
     WHERE last_used_at > ?1 ORDER BY last_used_at LIMIT ?2";

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
