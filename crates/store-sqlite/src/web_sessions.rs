//! Web sessions.

use countersign_core::credential::{CredentialId, Generation};
use countersign_core::name::TenantId;
use countersign_core::secret::SecretDigest;
use countersign_core::store::StoreError;
use countersign_core::store::rows::WebSessionRows;
use countersign_core::time::Timestamp;
use countersign_core::web_session::{WebSession, WebSessionId};
use rusqlite::{Connection, Params, params};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl WebSessionRows for SqliteTransaction<'_> {
    fn web_session(&mut self, id: WebSessionId) -> Result<Option<WebSession>, StoreError> {
        self.run("look up a web session", |connection| {
            Ok(sessions(connection, BY_ID, [id.0])?.pop())
        })
    }

    fn web_session_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<WebSession>, StoreError> {
        self.run("look up a web session", |connection| {
            Ok(sessions(connection, BY_DIGEST, [digest.as_bytes()])?.pop())
        })
    }

    fn web_sessions_of(&mut self, user: CredentialId) -> Result<Vec<WebSession>, StoreError> {
        self.run("list web sessions", |connection| {
            sessions(connection, OF_USER, [user.0])
        })
    }

    fn count_web_sessions(&mut self) -> Result<u64, StoreError> {
        self.run("count the web sessions", |connection| {
            let mut statement = connection.prepare_cached("SELECT count(*) FROM web_session")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }

    fn add_web_session(
        &mut self,
        session: &WebSession,
        digest: &SecretDigest,
    ) -> Result<WebSessionId, StoreError> {
        self.run("add a web session", |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO web_session (digest, credential, generation, created_at,
                         last_used_at, address, tenant)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    digest.as_bytes(),
                    session.user.0,
                    session.generation.0,
                    session.created_at.as_millis(),
                    session.last_used_at.as_millis(),
                    session.address,
                    session.tenant.as_ref().map(TenantId::as_str),
                ])?;
            Ok(WebSessionId(connection.last_insert_rowid()))
        })
    }

    fn use_web_session(&mut self, id: WebSessionId, at: Timestamp) -> Result<(), StoreError> {
        self.run("write the use of a web session", |connection| {
            connection
                .prepare_cached("UPDATE web_session SET last_used_at = ?2 WHERE id = ?1")?
                .execute([id.0, at.as_millis()])?;
            Ok(())
        })
    }

    fn switch_web_session(
        &mut self,
        id: WebSessionId,
        tenant: &TenantId,
    ) -> Result<(), StoreError> {
        self.run("write the tenant of a web session", |connection| {
            connection
                .prepare_cached("UPDATE web_session SET tenant = ?2 WHERE id = ?1")?
                .execute(params![id.0, tenant.as_str()])?;
            Ok(())
        })
    }

    fn remove_web_session(&mut self, id: WebSessionId) -> Result<bool, StoreError> {
        self.run("end a web session", |connection| {
            let removed = connection
                .prepare_cached("DELETE FROM web_session WHERE id = ?1")?
                .execute([id.0])?;
            Ok(removed > 0)
        })
    }

    fn remove_web_sessions_of(&mut self, user: CredentialId) -> Result<usize, StoreError> {
        self.run("end web sessions", |connection| {
            Ok(connection
                .prepare_cached("DELETE FROM web_session WHERE credential = ?1")?
                .execute([user.0])?)
        })
    }

    fn remove_idle_web_sessions(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.run("remove web sessions", |connection| {
            let mut statement = connection.prepare_cached(
                "DELETE FROM web_session WHERE id IN
                     (SELECT id FROM web_session WHERE last_used_at < ?1
                      ORDER BY last_used_at LIMIT ?2)",
            )?;
            Ok(statement.execute(params![at.as_millis(), most])?)
        })
    }
}

fn sessions(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<WebSession>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        sessions.push(WebSession {
            id: WebSessionId(columns.number()?),
            user: CredentialId(columns.number()?),
            generation: Generation(columns.number()?),
            created_at: columns.instant()?,
            last_used_at: columns.instant()?,
            address: columns.maybe_text()?.map(Into::into),
            tenant: columns.maybe_parsed(TenantId::parse)?,
        });
    }
    Ok(sessions)
}

/// The columns of a session, in the order they are read.
macro_rules! columns {
    () => {
        "SELECT id, credential, generation, created_at, last_used_at, address, tenant
         FROM web_session"
    };
}

pub(crate) const BY_ID: &str = concat!(columns!(), " WHERE id = ?1");

pub(crate) const BY_DIGEST: &str = concat!(columns!(), " WHERE digest = ?1");

const OF_USER: &str = concat!(columns!(), " WHERE credential = ?1 ORDER BY id");
