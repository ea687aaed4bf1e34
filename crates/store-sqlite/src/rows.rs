//! From rows to what the core knows them as. A text that does not parse is
//! damage, never a default.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::client_id::{ClientId, ClientIdRule, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::rule::Namespaces;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{
    Argon2Params, PasswordHash, SecretDigest, SecretId, StoredSecret, Verifier,
};
use countersign_core::store::{CredentialQuery, Settings};
use countersign_core::tenant::{Authentication, SubscribeMode, Tenant};
use countersign_core::topic::TopicFilter;
use rusqlite::{Connection, Params, ToSql, params};

use crate::columns::Columns;
use crate::error::Fault;
use crate::roles;

/// The settings. What was never set is as by default.
pub(crate) fn settings(connection: &Connection) -> Result<Settings, Fault> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM setting")?;
    let mut rows = statement.query([])?;
    let mut settings = Settings::default();
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        match columns.text()? {
            "argon2" => settings.argon2 = columns.parsed(Argon2Params::parse)?,
            "client_id_hold" => {
                settings.client_id_hold = Duration::from_millis(columns.parsed(str::parse)?);
            }
            _ => return Err(columns.nonsense()),
        }
    }
    Ok(settings)
}

/// The tenant with this id.
pub(crate) fn tenant(connection: &Connection, id: &TenantId) -> Result<Option<Tenant>, Fault> {
    let sql = concat!(tenant_columns!(), " WHERE id = ?1");
    Ok(tenants_of(connection, sql, params![id.as_str()])?.pop())
}

/// All tenants, by id.
pub(crate) fn tenants(connection: &Connection) -> Result<Vec<Tenant>, Fault> {
    tenants_of(connection, concat!(tenant_columns!(), " ORDER BY id"), [])
}

/// Says whether some tenant admits clients without a login.
pub(crate) fn some_tenant_is_open(connection: &Connection) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM tenant WHERE authentication <> 'required')",
    )?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

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
    let sql = concat!(credential_columns!(), " WHERE id = ?1");
    Ok(credentials_of(connection, sql, params![id.0])?.pop())
}

/// Credentials of tenants, by name.
pub(crate) fn credentials(
    connection: &Connection,
    query: &CredentialQuery,
) -> Result<Vec<Credential>, Fault> {
    let mut sql = String::from(credential_columns!());
    let mut values: Vec<&dyn ToSql> = Vec::new();
    let tenant = query.tenant.as_ref().map(TenantId::as_str);
    match &tenant {
        Some(tenant) => {
            sql.push_str(" WHERE tenant = ?");
            values.push(tenant);
        }
        None => sql.push_str(" WHERE tenant IS NOT NULL"),
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

/// Credentials outside of all tenants, by name.
pub(crate) fn operators(connection: &Connection) -> Result<Vec<Credential>, Fault> {
    let sql = concat!(credential_columns!(), " WHERE tenant IS NULL ORDER BY name");
    credentials_of(connection, sql, [])
}

/// How many credentials a tenant has.
pub(crate) fn count_credentials(connection: &Connection, tenant: &TenantId) -> Result<u64, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM credential WHERE tenant = ?1")?;
    let count: i64 = statement.query_row([tenant.as_str()], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The name of the credential with this value for an attribute, of the oldest
/// if there are several.
pub(crate) fn holder_of_attribute(
    connection: &Connection,
    key: &str,
    value: &str,
) -> Result<Option<LoginName>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM credential WHERE id =
             (SELECT min(credential) FROM attribute WHERE key = ?1 AND value = ?2)",
    )?;
    let mut rows = statement.query([key, value])?;
    Ok(match rows.next()? {
        Some(row) => Some(Columns::of(row).parsed(LoginName::parse)?),
        None => None,
    })
}

fn tenants_of(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<Tenant>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        let id = columns.parsed(TenantId::parse)?;
        tenants.push(Tenant {
            namespaces: namespaces(connection, &id)?,
            id,
            authentication: columns.parsed(Authentication::parse)?,
            subscribe: columns.parsed(SubscribeMode::parse)?,
            client_id_prefix: columns.maybe_parsed(ClientId::parse)?,
            created_at: columns.instant()?,
        });
    }
    Ok(tenants)
}

fn namespaces(connection: &Connection, tenant: &TenantId) -> Result<Namespaces, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT filter FROM namespace WHERE tenant = ?1 ORDER BY position")?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut filters = Vec::new();
    while let Some(row) = rows.next()? {
        filters.push(Columns::of(row).parsed(TopicFilter::parse)?);
    }
    Namespaces::new(filters).map_err(|_| Fault::Content("a stored namespace".into()))
}

fn credentials_of(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<Credential>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut credentials = Vec::new();
    while let Some(row) = rows.next()? {
        credentials.push(read_credential(connection, &mut Columns::of(row))?);
    }
    Ok(credentials)
}

fn read_credential(
    connection: &Connection,
    columns: &mut Columns<'_>,
) -> Result<Credential, Fault> {
    let id = CredentialId(columns.number()?);
    let has_roles = columns.flag()?;
    let has_rules = columns.flag()?;
    let has_attributes = columns.flag()?;
    Ok(Credential {
        id,
        name: columns.parsed(LoginName::parse)?,
        tenant: columns.maybe_parsed(TenantId::parse)?,
        scheme: columns.parsed(SchemeName::parse)?,
        state: columns.parsed(State::parse)?,
        ever_used: columns.flag()?,
        generation: Generation(columns.number()?),
        group: columns.maybe_parsed(GroupPath::parse)?,
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
        secrets: secrets(connection, id)?,
        roles: if has_roles {
            roles::names_held_by(connection, id)?
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

fn secrets(connection: &Connection, id: CredentialId) -> Result<Vec<StoredSecret>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, ends_at, until_used, digest, phc FROM secret
         WHERE credential = ?1 ORDER BY id DESC",
    )?;
    let mut rows = statement.query([id.0])?;
    let mut secrets = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        secrets.push(StoredSecret {
            id: SecretId(columns.number()?),
            ends_at: columns.maybe_instant()?,
            until_used: columns.flag()?,
            verifier: match columns.maybe_hash()? {
                Some(digest) => Verifier::Digest(SecretDigest::from_bytes(digest)),
                None => Verifier::Password(columns.parsed(PasswordHash::parse)?),
            },
        });
    }
    Ok(secrets)
}

fn attributes(
    connection: &Connection,
    id: CredentialId,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT key, value FROM attribute WHERE credential = ?1")?;
    let mut rows = statement.query([id.0])?;
    let mut attributes = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        attributes.insert(columns.text()?.into(), columns.text()?.into());
    }
    Ok(attributes)
}

/// The columns of a tenant, in the order they are read.
macro_rules! tenant_columns {
    () => {
        "SELECT id, authentication, subscribe, client_id_prefix, created_at FROM tenant"
    };
}
use tenant_columns;

/// The columns of a credential, in the order they are read.
macro_rules! credential_columns {
    () => {
        "SELECT id,
            EXISTS (SELECT 1 FROM credential_role WHERE credential = credential.id),
            EXISTS (SELECT 1 FROM credential_rule WHERE credential = credential.id),
            EXISTS (SELECT 1 FROM attribute WHERE credential = credential.id),
            name, tenant, scheme, state, ever_used, generation, group_path, description,
            client_id_rule, client_id_tie, external_identity, not_before, expires_at,
            created_at, updated_at, last_used_at, revoked_reason
         FROM credential"
    };
}
use credential_columns;

pub(crate) const BY_NAME: &str = concat!(credential_columns!(), " WHERE name = ?1");

pub(crate) const BY_DIGEST: &str = concat!(
    credential_columns!(),
    " WHERE id = (SELECT credential FROM secret WHERE digest = ?1)"
);
