//! Which credentials are in groups, and which roles groups hold.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};

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
    let statement = connection
        .prepare("INSERT INTO credential_group (credential, position, path) VALUES ($1, $2, $3)")?;
    for (position, group) in credential.groups.iter().enumerate() {
        statement.execute(params![id.0, position, group.as_str()])?;
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
    let statement = connection.prepare(
        "INSERT INTO group_role (tenant, path, role) VALUES ($1, $2, $3)
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
    let statement = connection
        .prepare("DELETE FROM group_role WHERE tenant = $1 AND path = $2 AND role = $3")?;
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
    let statement = connection.prepare(ROLES)?;
    let mut rows = statement.query([tenant.as_str(), group.as_str()])?;
    let mut roles = Vec::new();
    while let Some(row) = rows.next()? {
        roles.push(RowReader::of(row).parsed(RoleName::parse)?);
    }
    Ok(roles)
}

fn paths(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<GroupPath>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut paths = Vec::new();
    while let Some(row) = rows.next()? {
        paths.push(RowReader::of(row).parsed(GroupPath::parse)?);
    }
    Ok(paths)
}

pub(crate) const OF_CREDENTIAL: &str =
    "SELECT path FROM credential_group WHERE credential = $1 ORDER BY position";

pub(crate) const HOLDING: &str =
    "SELECT path FROM group_role WHERE tenant = $1 AND role = $2 ORDER BY path";

pub(crate) const ROLES: &str =
    "SELECT role FROM group_role WHERE tenant = $1 AND path = $2 ORDER BY role";
