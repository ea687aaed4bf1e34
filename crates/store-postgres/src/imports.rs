//! What imports made.

use countersign_core::credential::CredentialId;
use countersign_core::imported::{ImportMark, PartDigest};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::secret::SecretId;
use countersign_core::store::StoreError;
use countersign_core::store::rows::ImportRows;

use crate::error::{Fault, found};
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::transaction::PostgresTransaction;

impl ImportRows for PostgresTransaction<'_> {
    fn credential_import(&mut self, id: CredentialId) -> Result<Option<ImportMark>, StoreError> {
        self.run("look up an import", |connection| {
            of_credential(connection, id)
        })
    }

    fn put_credential_import(
        &mut self,
        id: CredentialId,
        mark: &ImportMark,
    ) -> Result<(), StoreError> {
        self.run("remember an import", |connection| {
            let sql = "INSERT INTO credential_import (credential, source, parts, secret)
                SELECT id, $2, $3, $4 FROM credential WHERE id = $1
                ON CONFLICT (credential) DO UPDATE SET source = excluded.source,
                    parts = excluded.parts, secret = excluded.secret";
            let secret = mark.secret.map(|secret| secret.0);
            let rows = connection.prepare(sql)?.execute(params![
                id.0,
                mark.source,
                bytes(mark),
                secret
            ])?;
            found(rows, "the credential")
        })
    }

    fn role_import(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Option<ImportMark>, StoreError> {
        self.run("look up an import", |connection| {
            of_role(connection, tenant, name)
        })
    }

    fn put_role_import(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        mark: &ImportMark,
    ) -> Result<(), StoreError> {
        self.run("remember an import", |connection| {
            let sql = "INSERT INTO role_import (tenant, role, source, parts)
                SELECT tenant, name, $3, $4 FROM role WHERE tenant = $1 AND name = $2
                ON CONFLICT (tenant, role) DO UPDATE SET source = excluded.source,
                    parts = excluded.parts";
            let values = params![tenant.as_str(), name.as_str(), mark.source, bytes(mark)];
            found(connection.prepare(sql)?.execute(values)?, "the role")
        })
    }

    fn has_own_credentials(&mut self, tenant: &TenantId) -> Result<bool, StoreError> {
        self.run("look up credentials", |connection| {
            let sql = "SELECT 1 FROM credential
                WHERE tenant = $1 AND kind <> 'bearer'
                    AND id NOT IN (SELECT credential FROM credential_import)";
            connection.prepare(sql)?.exists([tenant.as_str()])
        })
    }
}

/// What an import made of a credential.
pub(crate) fn of_credential(
    connection: &Connection,
    id: CredentialId,
) -> Result<Option<ImportMark>, Fault> {
    let sql = "SELECT source, parts, secret FROM credential_import WHERE credential = $1";
    mark(connection, sql, [id.0])
}

/// What an import made of a role.
pub(crate) fn of_role(
    connection: &Connection,
    tenant: &TenantId,
    name: &RoleName,
) -> Result<Option<ImportMark>, Fault> {
    let sql = "SELECT source, parts, NULL FROM role_import WHERE tenant = $1 AND role = $2";
    mark(connection, sql, [tenant.as_str(), name.as_str()])
}

fn mark(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<ImportMark>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(params)?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    let source = columns.text()?.into();
    // What follows the last whole digest stands for none, and so for a change.
    let (parts, _) = columns.bytes()?.as_chunks::<{ PartDigest::LENGTH }>();
    Ok(Some(ImportMark {
        source,
        parts: parts.iter().copied().map(PartDigest::from_bytes).collect(),
        secret: columns.maybe_number()?.map(SecretId),
    }))
}

/// The digests, one behind the other.
fn bytes(mark: &ImportMark) -> Vec<u8> {
    mark.parts
        .iter()
        .flat_map(PartDigest::as_bytes)
        .copied()
        .collect()
}
