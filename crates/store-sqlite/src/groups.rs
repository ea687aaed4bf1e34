//! Which credentials are in groups, and which roles groups hold.

use std::collections::BTreeSet;

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use rusqlite::{Connection, Params, params};

use crate::error::Fault;
use crate::row_reader::RowReader;

/// The groups of a credential, in the order in which it joined them.
pub(crate) fn of_credential(
    connection: &Connection,
    id: CredentialId,
) -> Result<Vec<GroupPath>, Fault> {
    paths(connection, OF_CREDENTIAL, [id.0])
}

/// Writes the groups of a credential that has none stored.
pub(crate) fn put_joined(
    connection: &Connection,
    id: CredentialId,
    credential: &Credential,
) -> Result<(), Fault> {
    for (position, group) in credential.groups.iter().enumerate() {
        connection
            .prepare_cached(
                "INSERT INTO credential_group (credential, position, path) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![id.0, position, group.as_str()])?;
    }
    Ok(())
}

/// Gives a role to a group; says whether the group did not hold it before.
pub(crate) fn assign(
    connection: &Connection,
    tenant: &TenantId,
    role: &RoleName,
    group: &GroupPath,
) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO group_role (tenant, path, role) VALUES (?1, ?2, ?3)
         ON CONFLICT (tenant, path, role) DO NOTHING",
    )?;
    let rows = statement.execute([tenant.as_str(), group.as_str(), role.as_str()])?;
    Ok(rows > 0)
}

/// Takes a role from a group; says whether the group held it.
pub(crate) fn unassign(
    connection: &Connection,
    tenant: &TenantId,
    role: &RoleName,
    group: &GroupPath,
) -> Result<bool, Fault> {
    let mut statement = connection
        .prepare_cached("DELETE FROM group_role WHERE tenant = ?1 AND path = ?2 AND role = ?3")?;
    let rows = statement.execute([tenant.as_str(), group.as_str(), role.as_str()])?;
    Ok(rows > 0)
}

/// The groups that hold a role, by path.
pub(crate) fn holding(
    connection: &Connection,
    tenant: &TenantId,
    role: &RoleName,
) -> Result<Vec<GroupPath>, Fault> {
    paths(connection, HOLDING, [tenant.as_str(), role.as_str()])
}

/// The roles that this very group holds, by name.
pub(crate) fn roles(
    connection: &Connection,
    tenant: &TenantId,
    group: &GroupPath,
) -> Result<Vec<RoleName>, Fault> {
    let mut statement = connection.prepare_cached(ROLES)?;
    let mut rows = statement.query([tenant.as_str(), group.as_str()])?;
    let mut roles = Vec::new();
    while let Some(row) = rows.next()? {
        roles.push(RowReader::of(row).parsed(RoleName::parse)?);
    }
    Ok(roles)
}

/// Groups of a tenant whose paths begin so, by path: `most` of them.
pub(crate) fn beginning(
    connection: &Connection,
    tenant: &TenantId,
    begin: &str,
    most: usize,
) -> Result<Vec<GroupPath>, Fault> {
    let end = format!("{begin}{BEHIND_ALL}");
    let holding = paths(
        connection,
        BEGINNING,
        params![tenant.as_str(), begin, end, most],
    )?;
    let mut joined = Vec::new();
    let mut from = begin.to_owned();
    // Paths are few where members are many: each path is looked up behind the last.
    let mut statement = connection.prepare_cached(NEXT_JOINED)?;
    for _ in 0..MOST_LOOKED_AT {
        if joined.len() == most {
            break;
        }
        let mut rows = statement.query([tenant.as_str(), &from, &end])?;
        let Some(row) = rows.next()? else { break };
        let mut columns = RowReader::of(row);
        let path = columns.parsed(GroupPath::parse)?;
        let is_of_tenant = columns.flag()?;
        from = format!("{path}{BEFORE_ALL}");
        if is_of_tenant {
            joined.push(path);
        }
    }
    let found: BTreeSet<_> = holding.into_iter().chain(joined).collect();
    Ok(found.into_iter().take(most).collect())
}

/// Sorts before all that a path can have.
const BEFORE_ALL: char = '!';
/// Sorts behind all that a path can have.
const BEHIND_ALL: char = '~';
/// So many groups that credentials are in, of all tenants, are looked at.
const MOST_LOOKED_AT: usize = 4_096;

fn paths(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<GroupPath>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut paths = Vec::new();
    while let Some(row) = rows.next()? {
        paths.push(RowReader::of(row).parsed(GroupPath::parse)?);
    }
    Ok(paths)
}

pub(crate) const OF_CREDENTIAL: &str =
    "SELECT path FROM credential_group WHERE credential = ?1 ORDER BY position";

pub(crate) const BEGINNING: &str = "SELECT DISTINCT path FROM group_role
     WHERE tenant = ?1 AND path >= ?2 AND path < ?3 ORDER BY path LIMIT ?4";

pub(crate) const NEXT_JOINED: &str = "SELECT path,
            EXISTS (SELECT 1 FROM credential_group AS other
                    JOIN credential ON credential.id = other.credential
                    WHERE other.path = credential_group.path AND credential.tenant = ?1)
     FROM credential_group WHERE path >= ?2 AND path < ?3 ORDER BY path LIMIT 1";

pub(crate) const HOLDING: &str =
    "SELECT path FROM group_role WHERE tenant = ?1 AND role = ?2 ORDER BY path";

pub(crate) const ROLES: &str =
    "SELECT role FROM group_role WHERE tenant = ?1 AND path = ?2 ORDER BY role";
