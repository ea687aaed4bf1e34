//! Who holds which client id: bindings of credentials, prefixes of tenants, and
//! stored sessions.

use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::credential::CredentialId;
use countersign_core::ledger::{
    ClientIdCounts, ClientIdRecord, ClientIdRows, ClientIdsOf, MOST_CLIENT_IDS, MOST_PRUNED,
};
use countersign_core::lifecycle::State;
use countersign_core::name::TenantId;
use countersign_core::ownership::{Holder, Holding, Kept, StoredSession};
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::ledger::SqliteWriting;
use crate::row_reader::RowReader;

/// The credential that is bound to this client id.
pub(crate) fn bound_to(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<CredentialId>, Fault> {
    let mut statement = connection.prepare_cached(BOUND_TO)?;
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
    let mut statement = connection.prepare_cached(CLIENT_ID_OF)?;
    let mut rows = statement.query([credential.0])?;
    Ok(match rows.next()? {
        Some(row) => RowReader::of(row).maybe_hash()?.map(ClientIdTie),
        None => None,
    })
}

/// The tenant whose prefix this client id begins with.
///
/// No prefix is one of another. So if the id begins with one, that is the last
/// of those that don't sort after the id.
pub(crate) fn tenant_by_client_id(
    connection: &Connection,
    client_id: &ClientId,
) -> Result<Option<TenantId>, Fault> {
    let mut statement = connection.prepare_cached(LAST_PREFIX)?;
    let mut rows = statement.query([client_id.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    let begins_so = client_id.as_str().starts_with(columns.text()?);
    let tenant = columns.parsed(TenantId::parse)?;
    Ok(begins_so.then_some(tenant))
}

/// What is recorded about the stored session of this client id.
pub(crate) fn stored_session(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Option<StoredSession>, Fault> {
    match record(connection, client_id)? {
        Some(record) => Ok(Some(record.session)),
        None => Ok(pruned(connection, client_id)?.map(StoredSession::pruned)),
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
        None => pruned(connection, client_id)?.map(StoredSession::pruned),
    };
    Ok(Holding {
        bound_to,
        stored_session,
    })
}

/// Whose session the host may keep under a client id whose record was pruned.
fn pruned(connection: &Connection, client_id: &ClientIdTie) -> Result<Option<Holder>, Fault> {
    let mut statement = connection.prepare_cached(PRUNED)?;
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

/// What a client id is called once its record is pruned. Two of the same name
/// are both kept from a client that does not start clean.
fn short(ClientIdTie(hash): &ClientIdTie) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
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

impl ClientIdRows for SqliteWriting<'_> {
    fn client_id_record(&mut self, id: &ClientIdTie) -> Result<Option<ClientIdRecord>, StoreError> {
        self.run(|connection| record(connection, id))
    }

    fn put_client_id_record(
        &mut self,
        id: &ClientIdTie,
        record: &ClientIdRecord,
    ) -> Result<(), StoreError> {
        self.run(|connection| put(connection, id, record))
    }

    fn remove_client_id_record(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        self.run(|connection| {
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
        self.run(|connection| {
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

    fn pruned_client_id(&mut self, id: &ClientIdTie) -> Result<Option<Holder>, StoreError> {
        self.run(|connection| pruned(connection, id))
    }

    fn put_pruned_client_id(&mut self, id: &ClientIdTie, holder: Holder) -> Result<(), StoreError> {
        let holder = match holder {
            Holder::Former => None,
            Holder::Unauthenticated => Some(UNAUTHENTICATED_HOLDER),
            Holder::Credential(id) => Some(id.0),
        };
        self.run(|connection| put_pruned(connection, id, holder))
    }

    fn remove_pruned_client_id(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM pruned_session WHERE client_id = ?1")?
                .execute([short(id)])?;
            Ok(())
        })
    }

    fn is_bound_to_another(
        &mut self,
        id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<bool, StoreError> {
        self.run(|connection| {
            let values = params![id.0, claimant.map(|id| id.0)];
            let mut statement = connection.prepare_cached(BOUND_TO_ANOTHER)?;
            Ok(statement.query_row(values, |row| row.get(0))?)
        })
    }

    fn count_client_ids_of(
        &mut self,
        whose: ClientIdsOf<'_>,
        since: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        let since = since.as_millis();
        self.run(|connection| {
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
        self.run(counts)
    }

    fn client_ids_unused_since(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError> {
        self.run(|connection| by_last_use(connection, UNUSED_SINCE, at, most))
    }

    fn client_ids_used_after(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError> {
        self.run(|connection| by_last_use(connection, USED_AFTER, at, most))
    }

    fn set_last_use(&mut self, id: &ClientIdTie, at: Timestamp) -> Result<(), StoreError> {
        self.run(|connection| {
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
}

/// What is recorded about a client id.
fn record(connection: &Connection, id: &ClientIdTie) -> Result<Option<ClientIdRecord>, Fault> {
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

fn put_pruned(connection: &Connection, id: &ClientIdTie, holder: Option<i64>) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO pruned_session VALUES (?1, ?2)
             ON CONFLICT (client_id) DO UPDATE SET credential = excluded.credential",
        )?
        .execute(params![short(id), holder])?;
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

/// Gives up a client id on behalf of its holder.
pub(crate) fn release(connection: &Connection, client_id: &ClientIdTie) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE stored_session SET holder = 'former', credential = NULL WHERE client_id = ?1",
        )?
        .execute([client_id.0])?;
    connection
        .prepare_cached("UPDATE pruned_session SET credential = NULL WHERE client_id = ?1")?
        .execute([short(client_id)])?;
    Ok(())
}

/// Gives up what unauthenticated clients left in a tenant that goes: if there
/// is one of this name again, it does not inherit that.
pub(crate) fn release_all_of_nobody(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE stored_session SET holder = 'former'
             WHERE holder = 'unauthenticated' AND tenant = ?1",
        )?
        .execute([tenant.as_str()])?;
    Ok(())
}

/// The credential that is bound to the client id `?1`.
macro_rules! select_bound {
    () => {
        "SELECT id FROM credential WHERE bound_to = ?1 ORDER BY id LIMIT 1"
    };
}

/// The columns of a stored session, in the order they are read.
macro_rules! session_columns {
    () => {
        "stored_session.credential, credential.state, holder, username,
             stored_session.tenant, stored_session.first_used_at, stored_session.last_used_at,
             is_stored"
    };
}

const BOUND_TO: &str = select_bound!();

const BOUND_TO_ANOTHER: &str =
    "SELECT EXISTS (SELECT 1 FROM credential WHERE bound_to = ?1 AND id IS NOT ?2)";

const CLIENT_ID_OF: &str = "SELECT bound_to FROM credential WHERE id = ?1";

const LAST_PREFIX: &str = "SELECT client_id_prefix, id FROM tenant
     WHERE client_id_prefix <= ?1 ORDER BY client_id_prefix DESC LIMIT 1";

const RECORD: &str = concat!(
    "SELECT broker, stored_session.credential, ",
    session_columns!(),
    " FROM stored_session LEFT JOIN credential ON credential.id = stored_session.credential
     WHERE stored_session.client_id = ?1"
);

/// One row, whatever is stored.
const HOLDING: &str = concat!(
    "SELECT (",
    select_bound!(),
    "), ",
    session_columns!(),
    " FROM (SELECT 1)
         LEFT JOIN stored_session ON stored_session.client_id = ?1
         LEFT JOIN credential ON credential.id = stored_session.credential"
);

const COUNTS: &str = "SELECT rows, pruned FROM session_change WHERE id = 1";

const PRUNED: &str = "SELECT credential FROM pruned_session WHERE client_id = ?1";

const COUNT_OF_CREDENTIAL: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE credential = ?1 AND is_stored IN (?2, ?3) AND first_used_at > ?4 LIMIT ?5)";

const COUNT_UNAUTHENTICATED: &str = "SELECT count(*) FROM (SELECT 1 FROM stored_session
     WHERE holder = 'unauthenticated' AND tenant IS ?1 AND first_used_at > ?2 LIMIT ?3)";

const UNUSED_SINCE: &str = "SELECT client_id FROM stored_session
     WHERE last_used_at < ?1 ORDER BY last_used_at LIMIT ?2";

const USED_AFTER: &str = "SELECT client_id FROM stored_session
     WHERE last_used_at > ?1 ORDER BY last_used_at LIMIT ?2";

/// The holder of pruned sessions of unauthenticated clients.
const UNAUTHENTICATED_HOLDER: i64 = 0;

/// What stands for [`Kept::Unproved`].
const UNPROVED: i64 = 2;

/// Words for the holders of stored sessions.
const CREDENTIAL: &str = "credential";
const FORMER: &str = "former";
const UNAUTHENTICATED: &str = "unauthenticated";

#[cfg(test)]
mod tests {
    use countersign_core::ledger::{Ledger as _, Pace};
    use countersign_core::store::Settings;
    use rusqlite::StatementStatus;
    use tempfile::TempDir;

    use super::*;
    use crate::open::SqliteStore;
    use crate::{
        credential_kind, lockouts, log_position, presence, read_rows, tenants, tokens, users,
    };

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

    /// What is looked up while a broker waits, and what goes with a tenant.
    const LOOK_UPS: &[&str] = &[
        BOUND_TO,
        CLIENT_ID_OF,
        LAST_PREFIX,
        RECORD,
        HOLDING,
        COUNTS,
        PRUNED,
        COUNT_OF_CREDENTIAL,
        COUNT_UNAUTHENTICATED,
        UNUSED_SINCE,
        USED_AFTER,
        presence::IS_CONNECTED,
        presence::WITH_CLIENT_ID,
        presence::SESSION,
        log_position::STANDING,
        read_rows::BY_NAME,
        read_rows::BY_DIGEST,
        read_rows::BY_ID,
        credential_kind::APPLICATION,
        users::PERSON,
        users::GRANTS,
        users::RECOVERY_CODES,
        lockouts::LOCKOUT,
        tokens::KEY,
        tokens::TOKEN,
        tokens::THINGS,
        tenants::DELETE_SOME_THINGS,
        tenants::DELETE_SOME_CREDENTIALS,
    ];

    #[test]
    fn a_look_up_is_planned_once_whatever_is_bound() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(path, &Settings::default()).unwrap();
        for sql in LOOK_UPS {
            let mut statement = store.connection.prepare(sql).unwrap();
            for number in 1..5 {
                let parameters = vec![number; statement.parameter_count()];
                let mut rows = statement
                    .query(rusqlite::params_from_iter(parameters))
                    .unwrap();
                while rows.next().unwrap().is_some() {}
            }
            let planned_again = statement.get_status(StatementStatus::RePrepare);
            assert_eq!(planned_again, 0, "{sql}");
        }
    }

    #[test]
    fn what_a_connect_looks_up_and_what_goes_with_a_tenant_is_never_searched_for_row_by_row() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(path, &Settings::default()).unwrap();
        for sql in LOOK_UPS {
            let mut plan = store
                .connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            let parameters = vec![None::<i64>; plan.parameter_count()];
            let steps: Vec<String> = plan
                .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            // The one row that all else is joined to.
            let is_row = |step: &String| {
                step.contains("CONSTANT ROW")
                    || step.starts_with("SCAN (subquery")
                    || step.starts_with("CO-ROUTINE")
            };
            let is_good = |step: &String| {
                step.starts_with("SEARCH")
                    || step.contains("SUBQUERY")
                    || step == "CREATE BLOOM FILTER"
                    || is_row(step)
            };
            assert!(
                !steps.is_empty() && steps.iter().all(is_good),
                "{sql}: {steps:?}"
            );
        }
    }
}
