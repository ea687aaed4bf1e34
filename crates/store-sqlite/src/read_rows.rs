//! Reads settings and credentials from rows. A text that does not parse is an
//! error, never a default.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::client_id::{ClientIdRule, ClientIdTie};
use countersign_core::credential::{Credential, CredentialId, Generation};
use countersign_core::kind::Kind;
use countersign_core::lifecycle::State;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{
    Argon2Params, PasswordHash, SecretDigest, SecretId, StoredSecret, Verifier,
};
use countersign_core::store::Settings;
use rusqlite::{Connection, Params};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::{credential_kind, roles};

/// The settings. What was never set is as by default.
pub(crate) fn settings(connection: &Connection) -> Result<Settings, Fault> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM setting")?;
    let mut rows = statement.query([])?;
    let mut settings = Settings::default();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        match columns.text()? {
            "argon2" => settings.argon2 = columns.parsed(Argon2Params::parse)?,
            "client_id_hold" => {
                settings.client_id_hold = Duration::from_millis(columns.parsed(str::parse)?);
            }
            "keep_refusals" => {
                settings.keep_refusals = Duration::from_millis(columns.parsed(str::parse)?);
            }
            "client_id_limit" => settings.client_id_limit = columns.parsed(str::parse)?,
            "lockout" => settings.lockout = columns.parsed(LockoutPolicy::parse)?,
            _ => return Err(columns.nonsense()),
        }
    }
    Ok(settings)
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
    Ok(credentials_of(connection, BY_ID, [id.0])?.pop())
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
        Some(row) => Some(RowReader::of(row).parsed(LoginName::parse)?),
        None => None,
    })
}

/// The credentials that `sql` finds, which selects their columns.
pub(crate) fn credentials_of(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<Credential>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut credentials = Vec::new();
    while let Some(row) = rows.next()? {
        credentials.push(read_credential(connection, &mut RowReader::of(row))?);
    }
    Ok(credentials)
}

fn read_credential(
    connection: &Connection,
    columns: &mut RowReader<'_>,
) -> Result<Credential, Fault> {
    let id = CredentialId(columns.number()?);
    let has_roles = columns.flag()?;
    let has_rules = columns.flag()?;
    let has_attributes = columns.flag()?;
    let kind = credential_kind::read(connection, id, columns)?;
    // A thing's secrets and roles are its application's.
    let owner = match &kind {
        Kind::Thing(thing) => thing.application,
        Kind::Application(_) | Kind::Bearer | Kind::Device | Kind::User(_) => id,
    };
    Ok(Credential {
        id,
        kind,
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
        secrets: secrets(connection, owner)?,
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

fn secrets(connection: &Connection, id: CredentialId) -> Result<Vec<StoredSecret>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, ends_at, until_used, hint, digest, phc FROM secret
         WHERE credential = ?1 ORDER BY id DESC",
    )?;
    let mut rows = statement.query([id.0])?;
    let mut secrets = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        secrets.push(StoredSecret {
            id: SecretId(columns.number()?),
            ends_at: columns.maybe_instant()?,
            until_used: columns.flag()?,
            hint: columns.maybe_text()?.map(Into::into),
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
        let columns = &mut RowReader::of(row);
        attributes.insert(columns.text()?.into(), columns.text()?.into());
    }
    Ok(attributes)
}

/// The columns of a credential, in the order they are read.
macro_rules! credential_columns {
    () => {
        "SELECT id,
            EXISTS (SELECT 1 FROM credential_role
                    WHERE credential = coalesce(credential.application, credential.id)),
            EXISTS (SELECT 1 FROM credential_rule WHERE credential = credential.id),
            EXISTS (SELECT 1 FROM attribute WHERE credential = credential.id),
            application, org_admin, auto_register, kind,
            name, tenant, scheme, state, ever_used, generation, group_path, description,
            client_id_rule, client_id_tie, external_identity, not_before, expires_at,
            created_at, updated_at, last_used_at, revoked_reason
         FROM credential"
    };
}
pub(crate) use credential_columns;

pub(crate) const BY_NAME: &str = concat!(credential_columns!(), " WHERE name = ?1");

pub(crate) const BY_ID: &str = concat!(credential_columns!(), " WHERE id = ?1");

pub(crate) const BY_DIGEST: &str = concat!(
    credential_columns!(),
    " WHERE id = (SELECT credential FROM secret WHERE digest = ?1)"
);
