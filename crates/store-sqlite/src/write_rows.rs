//! What administrative acts write, row by row.

use core::time::Duration;

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::secret::{PasswordHash, SecretId, Verifier};
use countersign_core::store::Settings;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::credential_kind::CredentialKindColumns;
use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::{credential_kind, lockouts, roles};

/// Replaces the settings.
pub(crate) fn put_settings(connection: &Connection, settings: &Settings) -> Result<(), Fault> {
    let millis = |span: Duration| {
        u64::try_from(span.as_millis())
            .unwrap_or(u64::MAX)
            .to_string()
    };
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO setting (key, value) VALUES (?1, ?2)")?;
    statement.execute(["argon2", &settings.argon2.to_string()])?;
    statement.execute(["client_id_hold", &millis(settings.client_id_hold)])?;
    statement.execute(["client_id_limit", &settings.client_id_limit.to_string()])?;
    statement.execute(["keep_refusals", &millis(settings.keep_refusals)])?;
    statement.execute(["lockout", &settings.lockout.to_string()])?;
    Ok(())
}

/// Adds a credential without secrets.
pub(crate) fn add_credential(
    connection: &Connection,
    credential: &Credential,
) -> Result<CredentialId, Fault> {
    credential_kind::check_new(connection, credential)?;
    let kind = CredentialKindColumns::of(&credential.kind);
    connection
        .prepare_cached(
            "INSERT INTO credential (name, tenant, created_at, scheme, state, ever_used,
                 generation, group_path, description, client_id_rule, client_id_tie,
                 external_identity, not_before, expires_at, updated_at, revoked_reason, bound_to,
                 kind, application, org_admin, auto_register)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21)",
        )?
        .execute(params![
            credential.name.as_str(),
            credential.tenant.as_ref().map(TenantId::as_str),
            credential.created_at.as_millis(),
            credential.scheme.as_str(),
            credential.state.as_str(),
            credential.ever_used,
            credential.generation.0,
            credential.group.as_ref().map(GroupPath::as_str),
            credential.description,
            credential.client_id_rule.to_string(),
            credential.client_id_tie.map(|ClientIdTie(hash)| hash),
            credential.external_identity,
            credential.not_before.map(Timestamp::as_millis),
            credential.expires_at.map(Timestamp::as_millis),
            credential.updated_at.as_millis(),
            credential.revoked_reason,
            credential
                .bound_client_id(&credential.name)
                .map(|ClientIdTie(hash)| hash),
            kind.kind,
            kind.application,
            kind.org_admin,
            kind.auto_register,
        ])?;
    let id = CredentialId(connection.last_insert_rowid());
    put_lists(connection, id, credential)?;
    credential_kind::put_new(connection, id, credential)?;
    Ok(id)
}

/// Writes what acts may change of a credential.
pub(crate) fn update_credential(
    connection: &Connection,
    credential: &Credential,
) -> Result<(), Fault> {
    let Some(name) = name_of(connection, credential.id)? else {
        return Err(Fault::Gone("the credential"));
    };
    let kind = CredentialKindColumns::of(&credential.kind);
    let rows = connection
        .prepare_cached(
            "UPDATE credential SET scheme = ?2, state = ?3, ever_used = ?4, generation = ?5,
                 group_path = ?6, description = ?7, client_id_rule = ?8, client_id_tie = ?9,
                 external_identity = ?10, not_before = ?11, expires_at = ?12, updated_at = ?13,
                 revoked_reason = ?14, bound_to = ?15, org_admin = ?16, auto_register = ?17
             WHERE id = ?1 AND kind = ?18 AND application IS ?19",
        )?
        .execute(params![
            credential.id.0,
            credential.scheme.as_str(),
            credential.state.as_str(),
            credential.ever_used,
            credential.generation.0,
            credential.group.as_ref().map(GroupPath::as_str),
            credential.description,
            credential.client_id_rule.to_string(),
            credential.client_id_tie.map(|ClientIdTie(hash)| hash),
            credential.external_identity,
            credential.not_before.map(Timestamp::as_millis),
            credential.expires_at.map(Timestamp::as_millis),
            credential.updated_at.as_millis(),
            credential.revoked_reason,
            credential
                .bound_client_id(&name)
                .map(|ClientIdTie(hash)| hash),
            kind.org_admin,
            kind.auto_register,
            kind.kind,
            kind.application,
        ])?;
    found(rows, "the credential")?;
    for sql in [
        "DELETE FROM credential_role WHERE credential = ?1",
        "DELETE FROM credential_rule WHERE credential = ?1",
        "DELETE FROM attribute WHERE credential = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([credential.id.0])?;
    }
    put_lists(connection, credential.id, credential)?;
    credential_kind::update(connection, credential)
}

/// Deletes a credential; its secrets, roles, rules, attributes, things, grants
/// and tokens go with it.
pub(crate) fn delete_credential(connection: &Connection, id: CredentialId) -> Result<(), Fault> {
    if let Some(name) = name_of(connection, id)? {
        lockouts::set_known(connection, &name, false)?;
    }
    let mut statement = connection.prepare_cached("DELETE FROM credential WHERE id = ?1")?;
    found(statement.execute([id.0])?, "the credential")
}

/// Gives a credential one more secret.
pub(crate) fn add_secret(
    connection: &Connection,
    credential: CredentialId,
    verifier: &Verifier,
) -> Result<SecretId, Fault> {
    let (digest, phc) = match verifier {
        Verifier::Digest(digest) => (Some(digest.as_bytes()), None),
        Verifier::Password(hash) => (None, Some(PasswordHash::as_str(hash))),
    };
    connection
        .prepare_cached("INSERT INTO secret (credential, digest, phc) VALUES (?1, ?2, ?3)")?
        .execute(params![credential.0, digest, phc])?;
    Ok(SecretId(connection.last_insert_rowid()))
}

/// Keeps another hash of the same password, if this one is still kept.
pub(crate) fn replace_password_hash(
    connection: &Connection,
    secret: SecretId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE secret SET phc = ?3 WHERE id = ?1 AND phc = ?2")?
        .execute(params![secret.0, old.as_str(), new.as_str()])?;
    Ok(())
}

/// Says when a secret stops to work.
pub(crate) fn limit_secret(
    connection: &Connection,
    secret: SecretId,
    ends_at: Option<Timestamp>,
    until_used: bool,
) -> Result<(), Fault> {
    let mut statement = connection
        .prepare_cached("UPDATE secret SET ends_at = ?2, until_used = ?3 WHERE id = ?1")?;
    let ends_at = ends_at.map(Timestamp::as_millis);
    found(
        statement.execute(params![secret.0, ends_at, until_used])?,
        "the secret",
    )
}

/// Keeps the first characters of a secret, for people to tell it by.
pub(crate) fn put_hint(connection: &Connection, secret: SecretId, hint: &str) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached("UPDATE secret SET hint = ?2 WHERE id = ?1")?;
    found(statement.execute(params![secret.0, hint])?, "the secret")
}

/// Removes a secret.
pub(crate) fn remove_secret(connection: &Connection, secret: SecretId) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached("DELETE FROM secret WHERE id = ?1")?;
    found(statement.execute([secret.0])?, "the secret")
}

/// The name that a credential has whatever changes of it.
fn name_of(connection: &Connection, id: CredentialId) -> Result<Option<LoginName>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name FROM credential WHERE id = ?1")?;
    let mut rows = statement.query([id.0])?;
    Ok(match rows.next()? {
        Some(row) => Some(RowReader::of(row).parsed(LoginName::parse)?),
        None => None,
    })
}

/// Writes the roles, rules and attributes of a credential that has none stored.
fn put_lists(
    connection: &Connection,
    id: CredentialId,
    credential: &Credential,
) -> Result<(), Fault> {
    roles::put_held(connection, id, credential)?;
    let mut statement = connection
        .prepare_cached("INSERT INTO attribute (credential, key, value) VALUES (?1, ?2, ?3)")?;
    for (key, value) in &credential.attributes {
        statement.execute(params![id.0, key, value])?;
    }
    Ok(())
}

/// Refuses to have changed nothing.
pub(crate) fn found(rows: usize, what: &'static str) -> Result<(), Fault> {
    if rows == 0 {
        Err(Fault::Gone(what))
    } else {
        Ok(())
    }
}
