//! Who is connected.

use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::presence::{Presence, SessionNumber};
use countersign_core::store::BrokerPresence;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::columns::Columns;
use crate::error::Fault;
use crate::ownership;

/// Who is connected, by broker and session.
pub(crate) fn list(
    connection: &Connection,
    tenant: Option<&TenantId>,
) -> Result<Vec<BrokerPresence>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT broker, session, client_id, username, credential, tenant, address, protocol,
             connected_at, authenticated, listener, stored
         FROM presence WHERE ?1 IS NULL OR tenant = ?1 ORDER BY broker, session",
    )?;
    let mut rows = statement.query([tenant.map(TenantId::as_str)])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        sessions.push(BrokerPresence {
            broker: columns.text()?.into(),
            presence: Presence {
                session: SessionNumber(columns.number()?),
                client_id: columns.text()?.into(),
                username: columns.maybe_text()?.map(Into::into),
                credential: columns.maybe_number()?.map(CredentialId),
                tenant: columns.maybe_parsed(TenantId::parse)?,
                address: columns.maybe_text()?.map(Into::into),
                protocol: columns.small()?,
                connected_at: columns.instant()?,
                authenticated: columns.flag()?,
                listener: columns.maybe_small()?,
                stored: columns.flag()?,
            },
        });
    }
    Ok(sessions)
}

/// How many are connected.
pub(crate) fn count(connection: &Connection, tenant: Option<&TenantId>) -> Result<u64, Fault> {
    let count: i64 = match tenant {
        Some(tenant) => connection
            .prepare_cached("SELECT count(*) FROM presence WHERE tenant = ?1")?
            .query_row([tenant.as_str()], |row| row.get(0))?,
        None => connection
            .prepare_cached("SELECT count(*) FROM presence")?
            .query_row([], |row| row.get(0))?,
    };
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Takes note that a session began.
pub(crate) fn connected(
    connection: &Connection,
    broker: &str,
    presence: &Presence,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO presence (broker, session, client_id, username, credential,
                 tenant, address, protocol, connected_at, authenticated, listener, stored)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            broker,
            presence.session.0,
            presence.client_id,
            presence.username,
            presence.credential.map(|id| id.0),
            presence.tenant.as_ref().map(TenantId::as_str),
            presence.address,
            presence.protocol,
            presence.connected_at.as_millis(),
            presence.authenticated,
            presence.listener,
            presence.stored,
        ])?;
    if presence.stored {
        ownership::touch(
            connection,
            broker,
            &presence.client_id,
            presence.connected_at,
        )?;
    }
    Ok(())
}

/// Takes note that a session ended at `at`.
pub(crate) fn disconnected(
    connection: &Connection,
    broker: &str,
    session: SessionNumber,
    at: Timestamp,
) -> Result<(), Fault> {
    // Nearly all are not stored, and a RETURNING costs as much as the rest.
    let deleted = connection
        .prepare_cached("DELETE FROM presence WHERE broker = ?1 AND session = ?2 AND stored = 0")?
        .execute(params![broker, session.0])?;
    if deleted > 0 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "DELETE FROM presence WHERE broker = ?1 AND session = ?2 RETURNING client_id, stored",
    )?;
    let mut rows = statement.query(params![broker, session.0])?;
    while let Some(row) = rows.next()? {
        touch_if_stored(connection, broker, &mut Columns::of(row), at)?;
    }
    Ok(())
}

/// Takes note of the first tenant whose topics a session used.
pub(crate) fn joined(
    connection: &Connection,
    broker: &str,
    session: SessionNumber,
    tenant: &TenantId,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "UPDATE presence SET tenant = ?3 WHERE broker = ?1 AND session = ?2
         RETURNING client_id, stored",
    )?;
    let mut rows = statement.query(params![broker, session.0, tenant.as_str()])?;
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        let client_id = columns.text()?;
        if columns.flag()? {
            ownership::join(connection, client_id, tenant)?;
        }
    }
    Ok(())
}

/// Takes note that up to `limit` sessions of a broker ended by `at`; says how
/// many they were.
pub(crate) fn clear(
    connection: &Connection,
    broker: &str,
    at: Timestamp,
    limit: usize,
) -> Result<usize, Fault> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM presence WHERE broker = ?1 AND session IN
             (SELECT session FROM presence WHERE broker = ?1 ORDER BY session LIMIT ?2)
         RETURNING client_id, stored",
    )?;
    let mut rows = statement.query(params![broker, limit])?;
    let mut cleared: usize = 0;
    while let Some(row) = rows.next()? {
        touch_if_stored(connection, broker, &mut Columns::of(row), at)?;
        cleared = cleared.saturating_add(1);
    }
    Ok(cleared)
}

fn touch_if_stored(
    connection: &Connection,
    broker: &str,
    columns: &mut Columns<'_>,
    at: Timestamp,
) -> Result<(), Fault> {
    let client_id = columns.text()?;
    if columns.flag()? {
        ownership::touch(connection, broker, client_id, at)?;
    }
    Ok(())
}
