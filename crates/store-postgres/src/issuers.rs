//! Issuers of others, and the tokens of theirs that were revoked.

use std::collections::BTreeMap;

use countersign_core::issuer::{
    Algorithms, ClaimName, IdentityClaim, IssuerId, IssuerName, IssuerRecord, IssuerText,
    KeySource, RoleWord,
};
use countersign_core::name::TenantId;
use countersign_core::registrar::Registrar;
use countersign_core::role::RoleName;
use countersign_core::store::StoreError;
use countersign_core::store::rows::IssuerRows;
use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::transaction::PostgresTransaction;
use crate::{device_registrations, key_sources};

impl IssuerRows for PostgresTransaction<'_> {
    fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRecord>, StoreError> {
        self.run(LOOK_UP, |connection| issuer(connection, id))
    }

    fn issuer_by_name(&mut self, name: &IssuerName) -> Result<Option<IssuerRecord>, StoreError> {
        self.run(LOOK_UP, |connection| by_name(connection, name))
    }

    fn issuers_like(&mut self, issuer: &IssuerText) -> Result<Vec<IssuerRecord>, StoreError> {
        self.run(LOOK_UP, |connection| alike(connection, issuer))
    }

    fn issuers(&mut self, tenant: Option<&TenantId>) -> Result<Vec<IssuerRecord>, StoreError> {
        self.run("list the issuers", |connection| match tenant {
            Some(id) => read(connection, OF_TENANT, [id.as_str()]),
            None => read(connection, ALL, ()),
        })
    }

    fn add_issuer(&mut self, issuer: &IssuerRecord) -> Result<IssuerId, StoreError> {
        self.run("add an issuer", |connection| add(connection, issuer))
    }

    fn set_issuer_keys(
        &mut self,
        id: IssuerId,
        keys: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run("give an issuer other keys", |connection| {
            let set = connection
                .prepare("UPDATE issuer SET keys = $2, keys_at = $3 WHERE id = $1")?
                .execute(params![id.0, keys, at.as_millis()])?;
            Ok(set > 0)
        })
    }

    fn set_key_source(
        &mut self,
        id: IssuerId,
        source: Option<&KeySource>,
    ) -> Result<(), StoreError> {
        self.run("write down where keys are fetched", |connection| {
            key_sources::put(connection, id, source)
        })
    }

    fn key_sources(&mut self) -> Result<Vec<(IssuerId, KeySource)>, StoreError> {
        self.run("look up where keys are fetched", key_sources::all)
    }

    fn remove_issuer(&mut self, id: IssuerId) -> Result<bool, StoreError> {
        self.run("remove an issuer", |connection| {
            let removed = connection
                .prepare("DELETE FROM issuer WHERE id = $1")?
                .execute([id.0])?;
            Ok(removed > 0)
        })
    }

    fn revoke_issued_token(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run("revoke a token of an issuer", |connection| {
            let revoked = connection
                .prepare(
                    "INSERT INTO issuer_revocation (issuer, token, revoked_at)
                     VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![id.0, token.as_str(), at.as_millis()])?;
            Ok(revoked > 0)
        })
    }

    fn is_issued_token_revoked(
        &mut self,
        id: IssuerId,
        token: &IssuerText,
    ) -> Result<bool, StoreError> {
        self.run(LOOK_UP, |connection| is_revoked(connection, id, token))
    }

    fn count_revoked_of_issuer(&mut self, id: IssuerId) -> Result<u64, StoreError> {
        self.run("count what was revoked of an issuer", |connection| {
            let statement =
                connection.prepare("SELECT count(*) FROM issuer_revocation WHERE issuer = $1")?;
            let count: i64 = statement.query_row([id.0], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
    }
}

/// What is done when an issuer is looked up.
pub(crate) const LOOK_UP: &str = "look up an issuer";

/// The issuer with this number.
pub(crate) fn issuer(connection: &Connection, id: IssuerId) -> Result<Option<IssuerRecord>, Fault> {
    Ok(read(connection, BY_ID, [id.0])?.pop())
}

/// The issuer with this name.
pub(crate) fn by_name(
    connection: &Connection,
    name: &IssuerName,
) -> Result<Option<IssuerRecord>, Fault> {
    Ok(read(connection, BY_NAME, [name.as_str()])?.pop())
}

/// Those whose tokens say that this one issued them.
pub(crate) fn alike(
    connection: &Connection,
    issuer: &IssuerText,
) -> Result<Vec<IssuerRecord>, Fault> {
    read(connection, LIKE, [issuer.as_str()])
}

/// Says whether a token of an issuer was revoked.
pub(crate) fn is_revoked(
    connection: &Connection,
    id: IssuerId,
    token: &IssuerText,
) -> Result<bool, Fault> {
    let statement =
        connection.prepare("SELECT 1 FROM issuer_revocation WHERE issuer = $1 AND token = $2")?;
    statement.exists(params![id.0, token.as_str()])
}

fn add(connection: &Connection, issuer: &IssuerRecord) -> Result<IssuerId, Fault> {
    let id = connection
        .prepare(
            "INSERT INTO issuer (name, tenant, issuer, audience, algorithms, identity,
                 role_claim, keys, keys_at, added_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT DO NOTHING RETURNING id",
        )?
        .insert(
            params![
                issuer.name.as_str(),
                issuer.tenant.as_str(),
                issuer.issuer.as_str(),
                issuer.audience.as_str(),
                issuer.algorithms.to_string(),
                issuer.identity.to_string(),
                issuer.role_claim.as_ref().map(ClaimName::as_str),
                &*issuer.keys,
                issuer.keys_at.as_millis(),
                issuer.added_at.as_millis(),
            ],
            "what an issuer is called, or what its tokens say",
        )?;
    let id = IssuerId(id);
    let statement = connection
        .prepare("INSERT INTO issuer_role (issuer, word, tenant, role) VALUES ($1, $2, $3, $4)")?;
    for (word, role) in &issuer.roles {
        statement.execute(params![
            id.0,
            word.as_str(),
            issuer.tenant.as_str(),
            role.as_str()
        ])?;
    }
    key_sources::put(connection, id, issuer.source.as_ref())?;
    device_registrations::put_new(
        connection,
        Registrar::Issuer(id),
        &issuer.tenant,
        issuer.registers.as_ref(),
    )?;
    Ok(id)
}

fn read(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<IssuerRecord>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let id = IssuerId(columns.number()?);
        found.push(IssuerRecord {
            id,
            name: columns.parsed(IssuerName::parse)?,
            tenant: columns.parsed(TenantId::parse)?,
            issuer: columns.parsed(IssuerText::parse)?,
            audience: columns.parsed(IssuerText::parse)?,
            algorithms: columns.parsed(str::parse::<Algorithms>)?,
            identity: columns.parsed(IdentityClaim::parse)?,
            role_claim: columns.maybe_parsed(ClaimName::parse)?,
            roles: roles(connection, id)?,
            registers: device_registrations::of(connection, Registrar::Issuer(id))?,
            keys: columns.text()?.into(),
            keys_at: columns.instant()?,
            source: key_sources::of(connection, id)?,
            added_at: columns.instant()?,
        });
    }
    Ok(found)
}

fn roles(connection: &Connection, id: IssuerId) -> Result<BTreeMap<RoleWord, RoleName>, Fault> {
    let statement = connection.prepare("SELECT word, role FROM issuer_role WHERE issuer = $1")?;
    let mut rows = statement.query([id.0])?;
    let mut roles = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let word = columns.parsed(RoleWord::parse)?;
        roles.insert(word, columns.parsed(RoleName::parse)?);
    }
    Ok(roles)
}

macro_rules! issuer_columns {
    () => {
        "SELECT id, name, tenant, issuer, audience, algorithms, identity, role_claim, keys,
             keys_at, added_at FROM issuer"
    };
}

const BY_ID: &str = concat!(issuer_columns!(), " WHERE id = $1");
const BY_NAME: &str = concat!(issuer_columns!(), " WHERE name = $1");
// As many as may be alike.
const LIKE: &str = concat!(
    issuer_columns!(),
    " WHERE issuer = $1 ORDER BY audience LIMIT 64"
);
const OF_TENANT: &str = concat!(issuer_columns!(), " WHERE tenant = $1 ORDER BY id");
const ALL: &str = concat!(issuer_columns!(), " ORDER BY id LIMIT 1024");
