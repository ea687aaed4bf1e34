//! Lists of credentials, kind by kind.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::store::CredentialQuery;
use rusqlite::{Connection, ToSql};

use crate::credential_reader::{credential_columns, credentials_of};
use crate::error::Fault;

/// Devices of tenants, by name.
pub(crate) fn devices(
    connection: &Connection,
    query: &CredentialQuery,
) -> Result<Vec<Credential>, Fault> {
    let mut sql = String::from(concat!(credential_columns!(), " WHERE kind = 'device'"));
    let mut values: Vec<&dyn ToSql> = Vec::new();
    let tenant = query.tenant.as_ref().map(TenantId::as_str);
    match &tenant {
        Some(tenant) => {
            sql.push_str(" AND tenant = ?");
            values.push(tenant);
        }
        None => sql.push_str(" AND tenant IS NOT NULL"),
    }
    let state = query.state.map(State::as_str);
    if let Some(state) = &state {
        sql.push_str(" AND state = ?");
        values.push(state);
    }
    // What lies below `DM` sorts from `DM.` up to `DM/`, the next character.
    let group = query.group.as_ref().map(GroupPath::as_str);
    let below = group.map(|group| (format!("{group}."), format!("{group}/")));
    if let (Some(group), Some((from, to))) = (&group, &below) {
        sql.push_str(" AND (group_path = ? OR (group_path >= ? AND group_path < ?))");
        values.extend([group as &dyn ToSql, from, to]);
    }
    let after = query.after.as_ref().map(LoginName::as_str);
    if let Some(after) = &after {
        sql.push_str(" AND name > ?");
        values.push(after);
    }
    sql.push_str(" ORDER BY name");
    let limit = query
        .limit
        .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    if let Some(limit) = &limit {
        sql.push_str(" LIMIT ?");
        values.push(limit);
    }
    credentials_of(connection, &sql, values.as_slice())
}

/// Devices outside of all tenants, by name.
pub(crate) fn operators(connection: &Connection) -> Result<Vec<Credential>, Fault> {
    let sql = concat!(
        credential_columns!(),
        " WHERE tenant IS NULL AND kind = 'device' ORDER BY name"
    );
    credentials_of(connection, sql, [])
}

/// All users, by name.
pub(crate) fn users(connection: &Connection) -> Result<Vec<Credential>, Fault> {
    let sql = concat!(
        credential_columns!(),
        " WHERE kind = 'user' AND kind <> 'device' ORDER BY name"
    );
    credentials_of(connection, sql, [])
}

/// Applications, by tenant and name.
pub(crate) fn applications(
    connection: &Connection,
    tenant: Option<&TenantId>,
) -> Result<Vec<Credential>, Fault> {
    let sql = concat!(
        credential_columns!(),
        " WHERE kind = 'application' AND kind <> 'device' AND (?1 IS NULL OR tenant = ?1)
         ORDER BY tenant, name"
    );
    credentials_of(connection, sql, [tenant.map(TenantId::as_str)])
}

/// Things, by name.
pub(crate) fn things(
    connection: &Connection,
    tenant: Option<&TenantId>,
    application: Option<CredentialId>,
) -> Result<Vec<Credential>, Fault> {
    let mut sql = String::from(concat!(
        credential_columns!(),
        " WHERE kind = 'thing' AND kind <> 'device'"
    ));
    let mut values: Vec<&dyn ToSql> = Vec::new();
    let tenant = tenant.map(TenantId::as_str);
    if let Some(tenant) = &tenant {
        sql.push_str(" AND tenant = ?");
        values.push(tenant);
    }
    let application = application.map(|CredentialId(id)| id);
    if let Some(application) = &application {
        sql.push_str(" AND application = ?");
        values.push(application);
    }
    sql.push_str(" ORDER BY name");
    credentials_of(connection, &sql, values.as_slice())
}

/// How many credentials of a tenant somebody made. Bearers don't count: a token
/// brings them along, and they mean nothing without one.
pub(crate) fn count(connection: &Connection, tenant: &TenantId) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT count(*) FROM credential WHERE tenant = ?1)
              - (SELECT count(*) FROM credential
                 WHERE kind = 'bearer' AND kind <> 'device' AND tenant = ?1)",
    )?;
    let count: i64 = statement.query_row([tenant.as_str()], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
