//! Credentials of all kinds.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::SchemeName;
use countersign_core::store::rows::{CredentialQuery, CredentialRows, CredentialUse, GrantedUser};
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::credential_kind::{self, CredentialKindColumns};
use crate::error::{Fault, found};
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;
use crate::{credential_reader, groups, kept_names, limits, listings, roles};

impl CredentialRows for SqliteTransaction<'_> {
    fn credential(&mut self, name: &LoginName) -> Result<Option<Credential>, StoreError> {
        self.run("look up a credential", |connection| {
            credential_reader::credential(connection, name)
        })
    }

    fn credential_by_id(&mut self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        self.run("look up a credential", |connection| {
            credential_reader::credential_by_id(connection, id)
        })
    }

    fn has_credential(&mut self, id: CredentialId) -> Result<bool, StoreError> {
        self.run("look up a credential", |connection| {
            let mut statement =
                connection.prepare_cached("SELECT 1 FROM credential WHERE id = ?1")?;
            Ok(statement.exists([id.0])?)
        })
    }

    fn name_of(&mut self, id: CredentialId) -> Result<Option<LoginName>, StoreError> {
        self.run("look up a credential", |connection| name_of(connection, id))
    }

    fn credentials(
        &mut self,
        query: &CredentialQuery,
        page: &Page<LoginName>,
    ) -> Result<Listed<Credential>, StoreError> {
        self.run("list credentials", |connection| {
            listings::devices(connection, query, page)
        })
    }

    fn operators(&mut self, page: &Page<LoginName>) -> Result<Listed<Credential>, StoreError> {
        self.run("list the operators", |connection| {
            listings::operators(connection, page)
        })
    }

    fn users(&mut self, page: &Page<LoginName>) -> Result<Listed<Credential>, StoreError> {
        self.run("list the users", |connection| {
            listings::users(connection, page)
        })
    }

    fn granted_users(
        &mut self,
        tenant: &TenantId,
        page: &Page<CredentialId>,
    ) -> Result<Listed<GrantedUser>, StoreError> {
        self.run("list the users of a tenant", |connection| {
            listings::granted_users(connection, tenant, page)
        })
    }

    fn has_user(&mut self, email: &LoginName) -> Result<bool, StoreError> {
        self.run("look up a user", |connection| {
            let mut statement = connection
                .prepare_cached("SELECT 1 FROM credential WHERE name = ?1 AND kind = 'user'")?;
            Ok(statement.exists([email.as_str()])?)
        })
    }

    fn count_credentials(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        self.run("count credentials", |connection| {
            listings::count(connection, tenant)
        })
    }

    fn names_kept_under(
        &mut self,
        suffix: &str,
        most: usize,
    ) -> Result<Vec<LoginName>, StoreError> {
        self.run("look up the names that imports kept", |connection| {
            kept_names::under(connection, suffix, None, most)
        })
    }

    fn name_kept_like(&mut self, name: &LoginName) -> Result<Option<LoginName>, StoreError> {
        let suffix = name.as_str().rsplit_once('@').map_or("", |(_, it)| it);
        self.run("look up a name that an import kept", |connection| {
            Ok(kept_names::under(connection, suffix, Some(name), 1)?.pop())
        })
    }

    fn holder_of_attribute(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<LoginName>, StoreError> {
        self.run("look up an attribute", |connection| {
            holder_of_attribute(connection, key, value)
        })
    }

    fn holders_in_scheme(
        &mut self,
        scheme: &SchemeName,
        key: &str,
        value: &str,
    ) -> Result<Vec<LoginName>, StoreError> {
        self.run("look up an attribute", |connection| {
            holders_in_scheme(connection, scheme, key, value)
        })
    }

    fn insert_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError> {
        self.run("add a credential", |connection| {
            insert(connection, credential)
        })
    }

    fn update_credential(&mut self, credential: &Credential) -> Result<(), StoreError> {
        self.run("change a credential", |connection| {
            update(connection, credential)
        })
    }

    fn remove_credential(&mut self, id: CredentialId) -> Result<(), StoreError> {
        self.run("delete a credential", |connection| remove(connection, id))
    }

    fn remove_credentials_of(
        &mut self,
        tenant: &TenantId,
        most: usize,
    ) -> Result<Vec<CredentialId>, StoreError> {
        self.run("delete credentials", |connection| {
            remove_some(connection, REMOVE_SOME, tenant, most)
        })
    }

    fn use_credential(
        &mut self,
        seen: &Credential,
        change: &CredentialUse,
    ) -> Result<bool, StoreError> {
        let ties = change.ties.map(|ClientIdTie(hash)| hash);
        self.run("use a credential", |connection| {
            let updated = connection
                .prepare_cached(
                    "UPDATE credential
                     SET state = ?1,
                         ever_used = max(ever_used, ?2),
                         client_id_tie = coalesce(?3, client_id_tie),
                         bound_to = coalesce(?3, bound_to),
                         last_used_at = max(coalesce(last_used_at, ?4), ?4)
                     WHERE id = ?5 AND generation = ?6 AND state = ?7 AND updated_at = ?8
                         AND (?3 IS NULL OR client_id_tie IS NULL)",
                )?
                .execute(params![
                    change.state.as_str(),
                    change.activates,
                    ties,
                    change.at.as_millis(),
                    seen.id.0,
                    seen.generation.0,
                    seen.state.as_str(),
                    seen.updated_at.as_millis(),
                ])?;
            Ok(updated > 0)
        })
    }

    fn note_use(&mut self, id: CredentialId, at: Timestamp) -> Result<(), StoreError> {
        self.run("use a credential", |connection| {
            connection
                .prepare_cached(
                    "UPDATE credential SET last_used_at = ?2
                     WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
                )?
                .execute([id.0, at.as_millis()])?;
            Ok(())
        })
    }
}

/// The name of the credential with this value for an attribute, of the oldest
/// if there are several.
fn holder_of_attribute(
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

/// The names of all credentials of a scheme with this value for an attribute.
fn holders_in_scheme(
    connection: &Connection,
    scheme: &SchemeName,
    key: &str,
    value: &str,
) -> Result<Vec<LoginName>, Fault> {
    // Found by the attribute: many credentials have the scheme, few the value.
    let mut statement = connection.prepare_cached(
        "SELECT name FROM credential WHERE +scheme = ?1
             AND id IN (SELECT credential FROM attribute WHERE key = ?2 AND value = ?3)
         ORDER BY id",
    )?;
    let mut rows = statement.query([scheme.as_str(), key, value])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(RowReader::of(row).parsed(LoginName::parse)?);
    }
    Ok(names)
}

/// Adds a credential without secrets.
fn insert(connection: &Connection, credential: &Credential) -> Result<CredentialId, Fault> {
    let kind = CredentialKindColumns::of(&credential.kind);
    connection
        .prepare_cached(
            "INSERT INTO credential (name, tenant, created_at, scheme, state, ever_used,
                 generation, description, client_id_rule, client_id_tie, external_identity,
                 not_before, expires_at, updated_at, revoked_reason, bound_to, kind, application,
                 org_admin, auto_register, limits)
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
            limits::text_of(credential.limits),
        ])?;
    let id = CredentialId(connection.last_insert_rowid());
    put_lists(connection, id, credential)?;
    credential_kind::put_new(connection, id, credential)?;
    Ok(id)
}

/// Writes what acts may change of a credential.
fn update(connection: &Connection, credential: &Credential) -> Result<(), Fault> {
    let Some(name) = name_of(connection, credential.id)? else {
        return Err(Fault::Gone("the credential"));
    };
    let kind = CredentialKindColumns::of(&credential.kind);
    let rows = connection
        .prepare_cached(
            "UPDATE credential SET scheme = ?2, state = ?3, ever_used = ?4, generation = ?5,
                 description = ?6, client_id_rule = ?7, client_id_tie = ?8,
                 external_identity = ?9, not_before = ?10, expires_at = ?11, updated_at = ?12,
                 revoked_reason = ?13, bound_to = ?14, org_admin = ?15, auto_register = ?16,
                 limits = ?19
             WHERE id = ?1 AND kind = ?17 AND application IS ?18",
        )?
        .execute(params![
            credential.id.0,
            credential.scheme.as_str(),
            credential.state.as_str(),
            credential.ever_used,
            credential.generation.0,
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
            limits::text_of(credential.limits),
        ])?;
    found(rows, "the credential")?;
    for sql in [
        "DELETE FROM credential_group WHERE credential = ?1",
        "DELETE FROM credential_role WHERE credential = ?1",
        "DELETE FROM credential_rule WHERE credential = ?1",
        "DELETE FROM attribute WHERE credential = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([credential.id.0])?;
    }
    put_lists(connection, credential.id, credential)?;
    credential_kind::update(connection, credential)
}

/// Removes a credential; its secrets, groups, roles, rules, attributes, things, grants
/// and tokens go with it.
fn remove(connection: &Connection, id: CredentialId) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached("DELETE FROM credential WHERE id = ?1")?;
    found(statement.execute([id.0])?, "the credential")
}

/// Removes up to `most` credentials of a tenant by `sql`; says which.
pub(crate) fn remove_some(
    connection: &Connection,
    sql: &str,
    tenant: &TenantId,
    most: usize,
) -> Result<Vec<CredentialId>, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![tenant.as_str(), most])?;
    let mut removed = Vec::new();
    while let Some(row) = rows.next()? {
        removed.push(CredentialId(RowReader::of(row).number()?));
    }
    Ok(removed)
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

/// Writes the groups, roles, rules and attributes of a credential that has none
/// stored.
fn put_lists(
    connection: &Connection,
    id: CredentialId,
    credential: &Credential,
) -> Result<(), Fault> {
    groups::put_joined(connection, id, credential)?;
    roles::put_held(connection, id, credential)?;
    for (key, value) in &credential.attributes {
        connection
            .prepare_cached("INSERT INTO attribute (credential, key, value) VALUES (?1, ?2, ?3)")?
            .execute(params![id.0, key, value])?;
    }
    Ok(())
}

pub(crate) const REMOVE_SOME: &str = "DELETE FROM credential WHERE id IN
         (SELECT id FROM credential WHERE tenant = ?1 LIMIT ?2)
     RETURNING id";
