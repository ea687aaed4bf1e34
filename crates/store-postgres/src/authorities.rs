//! Authorities (CAs) of tenants.

use countersign_core::certificate::{
    AuthorityId, AuthorityKey, AuthorityRecord, Fingerprint, IdentityKind, KeyAlgorithm,
    NamePattern, SignerHints, Validity,
};
use countersign_core::name::TenantId;
use countersign_core::registrar::Registrar;
use countersign_core::store::StoreError;
use countersign_core::store::rows::AuthorityRows;

use crate::device_registrations;
use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::transaction::PostgresTransaction;

impl AuthorityRows for PostgresTransaction<'_> {
    fn authority(&mut self, id: AuthorityId) -> Result<Option<AuthorityRecord>, StoreError> {
        self.run(LOOK_UP, |connection| authority(connection, id))
    }

    fn authority_by_fingerprint(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<AuthorityRecord>, StoreError> {
        self.run(LOOK_UP, |connection| {
            Ok(read(connection, BY_FINGERPRINT, [&fingerprint.0])?.pop())
        })
    }

    fn authority_by_key(&mut self, key: &[u8; 32]) -> Result<Option<AuthorityRecord>, StoreError> {
        self.run(LOOK_UP, |connection| {
            Ok(read(connection, BY_KEY, [key])?.pop())
        })
    }

    fn authorities_like(
        &mut self,
        hints: &SignerHints,
    ) -> Result<Vec<AuthorityRecord>, StoreError> {
        self.run(LOOK_UP, |connection| alike(connection, hints))
    }

    fn authorities(
        &mut self,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<AuthorityRecord>, StoreError> {
        self.run("list the authorities", |connection| match tenant {
            Some(id) => read(connection, OF_TENANT, [id.as_str()]),
            None => read(connection, ALL, ()),
        })
    }

    fn add_authority(&mut self, authority: &AuthorityRecord) -> Result<AuthorityId, StoreError> {
        self.run("add an authority", |connection| add(connection, authority))
    }

    fn remove_authority(&mut self, id: AuthorityId) -> Result<bool, StoreError> {
        self.run("remove an authority", |connection| {
            let removed = connection
                .prepare("DELETE FROM certificate_authority WHERE id = $1")?
                .execute([id.0])?;
            Ok(removed > 0)
        })
    }
}

/// What is done when an authority is looked up.
pub(crate) const LOOK_UP: &str = "look up an authority";

/// The authority with this number.
pub(crate) fn authority(
    connection: &Connection,
    id: AuthorityId,
) -> Result<Option<AuthorityRecord>, Fault> {
    Ok(read(connection, BY_ID, [id.0])?.pop())
}

/// Those that may be meant by `hints`.
pub(crate) fn alike(
    connection: &Connection,
    hints: &SignerHints,
) -> Result<Vec<AuthorityRecord>, Fault> {
    let mut found = read(connection, BY_SIGNER, [&hints.name])?;
    if let Some(key_id) = &hints.key_id {
        found.extend(read(connection, BY_KEY_ID, [key_id])?);
    }
    found.sort_by_key(|it| it.id);
    found.dedup_by_key(|it| it.id);
    Ok(found)
}

fn add(connection: &Connection, authority: &AuthorityRecord) -> Result<AuthorityId, Fault> {
    let id = connection
        .prepare(
            "INSERT INTO certificate_authority (fingerprint, tenant, subject, algorithm, key,
                 key_digest, key_id, signer, identity, pattern, not_before, not_after, added_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT DO NOTHING RETURNING id",
        )?
        .insert(
            params![
                authority.fingerprint.0,
                authority.tenant.as_str(),
                authority.subject,
                authority.key.algorithm.as_str(),
                authority.key.bytes,
                authority.key.digest(),
                authority.signer.key_id,
                authority.signer.name,
                authority.identity.as_str(),
                authority.pattern.to_string(),
                authority.validity.not_before.as_millis(),
                authority.validity.not_after.as_millis(),
                authority.added_at.as_millis(),
            ],
            "an authority's certificate and key",
        )?;
    let id = AuthorityId(id);
    device_registrations::put_new(
        connection,
        Registrar::Authority(id),
        &authority.tenant,
        authority.registers.as_ref(),
    )?;
    Ok(id)
}

fn read(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<AuthorityRecord>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let id = AuthorityId(columns.number()?);
        found.push(AuthorityRecord {
            id,
            fingerprint: Fingerprint(columns.hash()?),
            tenant: columns.parsed(TenantId::parse)?,
            subject: columns.text()?.to_owned(),
            key: AuthorityKey {
                algorithm: columns.parsed(|text| KeyAlgorithm::parse(text).ok_or(()))?,
                bytes: columns.bytes()?.into(),
            },
            signer: SignerHints {
                key_id: columns.maybe_hash()?,
                name: columns.hash()?,
            },
            identity: columns.parsed(IdentityKind::parse)?,
            pattern: columns.parsed(NamePattern::parse)?,
            registers: device_registrations::of(connection, Registrar::Authority(id))?,
            validity: Validity {
                not_before: columns.instant()?,
                not_after: columns.instant()?,
            },
            added_at: columns.instant()?,
        });
    }
    Ok(found)
}

macro_rules! authority_columns {
    () => {
        "SELECT id, fingerprint, tenant, subject, algorithm, key, key_id, signer, identity,
             pattern, not_before, not_after, added_at FROM certificate_authority"
    };
}

pub(crate) const BY_ID: &str = concat!(authority_columns!(), " WHERE id = $1");
const BY_FINGERPRINT: &str = concat!(authority_columns!(), " WHERE fingerprint = $1");
const BY_KEY: &str = concat!(authority_columns!(), " WHERE key_digest = $1");
// As many as may be alike.
pub(crate) const BY_SIGNER: &str = concat!(
    authority_columns!(),
    " WHERE signer = $1 ORDER BY id LIMIT 16"
);
pub(crate) const BY_KEY_ID: &str = concat!(
    authority_columns!(),
    " WHERE key_id IS NOT NULL AND key_id = $1 ORDER BY id LIMIT 16"
);
const OF_TENANT: &str = concat!(authority_columns!(), " WHERE tenant = $1 ORDER BY id");
const ALL: &str = concat!(authority_columns!(), " ORDER BY id LIMIT 1024");
