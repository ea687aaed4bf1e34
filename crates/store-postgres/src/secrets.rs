//! Secrets of credentials.

use std::collections::BTreeMap;

use countersign_core::credential::CredentialId;
use countersign_core::name::LoginName;
use countersign_core::secret::{PasswordHash, SecretDigest, SecretId, StoredSecret, Verifier};
use countersign_core::store::rows::SecretRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use crate::error::{Fault, found};
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::sql::{Connection, array_of, params};
use crate::transaction::PostgresTransaction;

impl SecretRows for PostgresTransaction<'_> {
    fn has_secret(&mut self, owner: CredentialId, secret: SecretId) -> Result<bool, StoreError> {
        self.run("look up a secret", |connection| {
            let statement =
                connection.prepare("SELECT 1 FROM secret WHERE id = $1 AND credential = $2")?;
            statement.exists([secret.0, owner.0])
        })
    }

    fn is_secret_taken(&mut self, digest: &SecretDigest) -> Result<bool, StoreError> {
        self.run("look up a secret", |connection| {
            let statement = connection.prepare("SELECT 1 FROM secret WHERE digest = $1")?;
            statement.exists([digest.as_bytes()])
        })
    }

    fn names_with_password(
        &mut self,
        page: &Page<LoginName>,
    ) -> Result<Listed<LoginName>, StoreError> {
        self.run("list who has a password", |connection| {
            names_with_password(connection, page)
        })
    }

    fn add_secret(
        &mut self,
        credential: CredentialId,
        verifier: &Verifier,
    ) -> Result<SecretId, StoreError> {
        self.run("add a secret", |connection| {
            add(connection, credential, verifier)
        })
    }

    fn limit_secret(
        &mut self,
        secret: SecretId,
        ends_at: Option<Timestamp>,
        until_used: bool,
    ) -> Result<(), StoreError> {
        self.run("limit a secret", |connection| {
            limit(connection, secret, ends_at, until_used)
        })
    }

    fn remove_secret(&mut self, secret: SecretId) -> Result<(), StoreError> {
        self.run("remove a secret", |connection| remove(connection, secret))
    }

    fn put_hint(&mut self, secret: SecretId, hint: &str) -> Result<(), StoreError> {
        self.run("keep what a secret begins with", |connection| {
            put_hint(connection, secret, hint)
        })
    }

    fn retire_older_secrets(
        &mut self,
        owner: CredentialId,
        newest: SecretId,
    ) -> Result<(), StoreError> {
        self.run("remove older secrets", |connection| {
            connection
                .prepare("DELETE FROM secret WHERE credential = $1 AND until_used = 1 AND id < $2")?
                .execute([owner.0, newest.0])?;
            Ok(())
        })
    }
}

/// The secrets of these credentials, newest first.
pub(crate) fn of_each(
    connection: &Connection,
    credentials: &[i64],
) -> Result<BTreeMap<CredentialId, Vec<StoredSecret>>, Fault> {
    let mut secrets: BTreeMap<_, Vec<_>> = BTreeMap::new();
    if credentials.is_empty() {
        return Ok(secrets);
    }
    let statement = connection.prepare(
        "SELECT credential, id, ends_at, until_used, hint, digest, phc FROM secret
         WHERE credential = ANY ($1::text::bigint[]) ORDER BY id DESC",
    )?;
    let mut rows = statement.query([array_of(credentials)])?;
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let credential = CredentialId(columns.number()?);
        secrets.entry(credential).or_default().push(StoredSecret {
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

/// The names of those who have a password, in their order.
fn names_with_password(
    connection: &Connection,
    page: &Page<LoginName>,
) -> Result<Listed<LoginName>, Fault> {
    let query = PageQuery::of(
        "SELECT name FROM credential WHERE EXISTS
             (SELECT 1 FROM secret WHERE credential = credential.id AND phc IS NOT NULL)",
    );
    let after = page.after.as_ref().map(|name| [text(name.as_str())]);
    let (sql, values) = query.page(["name"], after, page.sought());
    let statement = connection.prepare(&sql)?;
    let mut rows = statement.query(values)?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(RowReader::of(row).parsed(LoginName::parse)?);
    }
    Ok(page.listed(names))
}

/// Gives a credential one more secret.
fn add(
    connection: &Connection,
    credential: CredentialId,
    verifier: &Verifier,
) -> Result<SecretId, Fault> {
    let (digest, phc) = match verifier {
        Verifier::Digest(digest) => (Some(digest.as_bytes()), None),
        Verifier::Password(hash) => (None, Some(PasswordHash::as_str(hash))),
    };
    let id = connection
        .prepare("INSERT INTO secret (credential, digest, phc) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id")?
        .insert(params![credential.0, digest, phc], "a secret")?;
    Ok(SecretId(id))
}

/// Keeps another hash of the same password, if this one is still kept.
pub(crate) fn replace_password_hash(
    connection: &Connection,
    secret: SecretId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<(), Fault> {
    connection
        .prepare("UPDATE secret SET phc = $3 WHERE id = $1 AND phc = $2")?
        .execute(params![secret.0, old.as_str(), new.as_str()])?;
    Ok(())
}

/// Says when a secret stops to work.
fn limit(
    connection: &Connection,
    secret: SecretId,
    ends_at: Option<Timestamp>,
    until_used: bool,
) -> Result<(), Fault> {
    let statement =
        connection.prepare("UPDATE secret SET ends_at = $2, until_used = $3 WHERE id = $1")?;
    let ends_at = ends_at.map(Timestamp::as_millis);
    found(
        statement.execute(params![secret.0, ends_at, until_used])?,
        "the secret",
    )
}

/// Keeps the first characters of a secret, for people to tell it by.
fn put_hint(connection: &Connection, secret: SecretId, hint: &str) -> Result<(), Fault> {
    let statement = connection.prepare("UPDATE secret SET hint = $2 WHERE id = $1")?;
    found(statement.execute(params![secret.0, hint])?, "the secret")
}

/// Removes a secret.
fn remove(connection: &Connection, secret: SecretId) -> Result<(), Fault> {
    let statement = connection.prepare("DELETE FROM secret WHERE id = $1")?;
    found(statement.execute([secret.0])?, "the secret")
}
