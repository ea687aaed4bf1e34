//! Reads credentials from rows. A text that does not parse is an error, never a
//! default.

use std::collections::BTreeMap;

use countersign_core::client_id::{ClientIdRule, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::lifecycle::State;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{SecretDigest, StoredSecret};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, array_of};
use crate::{credential_kind, groups, limits, roles, secrets};

/// The credential with this login name.
pub(crate) fn credential(
    connection: &Connection,
    name: &LoginName,
) -> Result<Option<Credential>, Fault> {
    Ok(credentials_of(connection, BY_NAME, [name.as_str()])?.pop())
}

/// The credential with this generated secret.
pub(crate) fn credential_by_digest(
    connection: &Connection,
    digest: &SecretDigest,
) -> Result<Option<Credential>, Fault> {
    Ok(credentials_of(connection, BY_DIGEST, [digest.as_bytes()])?.pop())
}

/// The credential with this number.
pub(crate) fn credential_by_id(
    connection: &Connection,
    id: CredentialId,
) -> Result<Option<Credential>, Fault> {
    Ok(credentials_of(connection, BY_ID, [id.0])?.pop())
}

/// The credentials with these numbers.
pub(crate) fn credentials_by_ids(
    connection: &Connection,
    ids: &[CredentialId],
) -> Result<Vec<Credential>, Fault> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    credentials_of(connection, BY_IDS, [array_of(&ids)])
}

/// The credentials that `sql` finds, which selects their columns.
pub(crate) fn credentials_of(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<Credential>, Fault> {
    let found = connection.prepare(sql)?.query(values)?;
    let owners: Result<Vec<i64>, _> = found.all().iter().map(|row| row.get(0)).collect();
    let secrets = secrets::of_each(connection, &owners?)?;
    let credentials = found.all().iter();
    credentials
        .map(|row| read_credential(connection, &mut RowReader::of(row), &secrets))
        .collect()
}

fn read_credential(
    connection: &Connection,
    columns: &mut RowReader<'_>,
    secrets: &BTreeMap<CredentialId, Vec<StoredSecret>>,
) -> Result<Credential, Fault> {
    // A thing's secrets and roles are its application's.
    let owner = CredentialId(columns.number()?);
    let id = CredentialId(columns.number()?);
    let has_roles = columns.flag()?;
    let has_rules = columns.flag()?;
    let has_attributes = columns.flag()?;
    let is_in_groups = columns.flag()?;
    let kind = credential_kind::read(connection, id, columns)?;
    let name = columns.parsed(LoginName::parse)?;
    let tenant = columns.maybe_parsed(TenantId::parse)?;
    if tenant.is_some() != kind.is_of_tenant() {
        return Err(columns.nonsense());
    }
    Ok(Credential {
        id,
        kind,
        name,
        tenant,
        scheme: columns.parsed(SchemeName::parse)?,
        state: columns.parsed(State::parse)?,
        ever_used: columns.flag()?,
        generation: Generation(columns.number()?),
        groups: if is_in_groups {
            groups::of_credential(connection, id)?
        } else {
            Vec::new()
        },
        description: columns.maybe_text()?.map(Into::into),
        client_id_rule: columns.parsed(ClientIdRule::parse)?,
        client_id_tie: columns.maybe_hash()?.map(ClientIdTie),
        external_identity: columns.flag()?,
        not_before: columns.maybe_instant()?,
        expires_at: columns.maybe_instant()?,
        created_at: columns.instant()?,
        updated_at: columns.instant()?,
        last_used_at: columns.maybe_instant()?,
        revoked_reason: columns.maybe_text()?.map(Into::into),
        limits: limits::read(columns)?,
        secrets: secrets.get(&owner).cloned().unwrap_or_default(),
        roles: if has_roles {
            roles::names_held_by(connection, owner)?
        } else {
            Vec::new()
        },
        rules: if has_rules {
            roles::own_rules(connection, id)?
        } else {
            Vec::new()
        },
        attributes: if has_attributes {
            attributes(connection, id)?
        } else {
            BTreeMap::new()
        },
    })
}

fn attributes(
    connection: &Connection,
    id: CredentialId,
) -> Result<BTreeMap<String, String>, Fault> {
    let statement = connection.prepare("SELECT key, value FROM attribute WHERE credential = $1")?;
    let mut rows = statement.query([id.0])?;
    let mut attributes = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        attributes.insert(columns.text()?.into(), columns.text()?.into());
    }
    Ok(attributes)
}

/// The columns of a credential, in the order they are read.
macro_rules! credential_columns {
    () => {
        "SELECT coalesce(application, id), id,
            EXISTS (SELECT 1 FROM credential_role
                    WHERE credential = coalesce(credential.application, credential.id)),
            EXISTS (SELECT 1 FROM credential_rule WHERE credential = credential.id),
            EXISTS (SELECT 1 FROM attribute WHERE credential = credential.id),
            EXISTS (SELECT 1 FROM credential_group WHERE credential = credential.id),
            application, org_admin, auto_register, kind,
            name, tenant, scheme, state, ever_used, generation, description,
            client_id_rule, client_id_tie, external_identity, not_before, expires_at,
            created_at, updated_at, last_used_at, revoked_reason, limits
         FROM credential"
    };
}
pub(crate) use credential_columns;

pub(crate) const BY_NAME: &str = concat!(credential_columns!(), " WHERE name = $1");

pub(crate) const BY_ID: &str = concat!(credential_columns!(), " WHERE id = $1");

const BY_IDS: &str = concat!(
    credential_columns!(),
    " WHERE id = ANY ($1::text::bigint[])"
);

pub(crate) const BY_DIGEST: &str = concat!(
    credential_columns!(),
    " WHERE id = (SELECT credential FROM secret WHERE digest = $1)"
);
