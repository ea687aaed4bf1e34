//! Tokens (JWT) and the keys that sign them.

use countersign_core::credential::CredentialId;
use countersign_core::jwt::{KeyId, TokenId, VerifyingKey};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::seal::Sealed;
use countersign_core::store::rows::TokenRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::token::{SealedTokenKey, TokenKey, TokenRecord};
use rusqlite::{Connection, Params, params, params_from_iter};

use crate::error::{Fault, found};
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl TokenRows for SqliteTransaction<'_> {
    fn token_key(&mut self, id: &KeyId) -> Result<Option<TokenKey>, StoreError> {
        self.run("look up a key", |connection| key(connection, id))
    }

    fn token_keys(&mut self, tenant: &TenantId) -> Result<Vec<SealedTokenKey>, StoreError> {
        self.run("list the keys", |connection| keys(connection, tenant))
    }

    fn add_token_key(&mut self, key: &SealedTokenKey) -> Result<(), StoreError> {
        self.run("add a key", |connection| add_key(connection, key))
    }

    fn end_token_key(&mut self, key: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        self.run("end a key", |connection| end_key(connection, key, at))
    }

    fn remove_ended_token_keys(
        &mut self,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run("make room for a key", |connection| {
            remove_ended_keys(connection, tenant, now)
        })
    }

    fn token(&mut self, id: &TokenId) -> Result<Option<TokenRecord>, StoreError> {
        self.run("look up a token", |connection| token(connection, id))
    }

    fn tokens(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(TenantId, Timestamp, TokenId)>,
    ) -> Result<Listed<TokenRecord>, StoreError> {
        self.run("list the tokens", |connection| {
            tokens(connection, tenant, page)
        })
    }

    fn count_tokens_of(&mut self, issuer: CredentialId) -> Result<u64, StoreError> {
        self.run("count the tokens", |connection| {
            count_of(connection, issuer)
        })
    }

    fn bearers(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        self.run("count the bearers of tokens", |connection| {
            bearers(connection, tenant)
        })
    }

    fn add_token(&mut self, token: &TokenRecord) -> Result<(), StoreError> {
        self.run("add a token", |connection| add(connection, token))
    }

    fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), StoreError> {
        self.run("revoke a token", |connection| revoke(connection, id, at))
    }

    fn remove_ended_tokens_of(
        &mut self,
        issuer: CredentialId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run("make room for a token", |connection| {
            remove_ended_of(connection, issuer, now)
        })
    }

    fn remove_tokens(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.run("remove tokens", |connection| remove(connection, at, most))
    }
}

/// The public part of the key with this id.
pub(crate) fn key(connection: &Connection, id: &KeyId) -> Result<Option<TokenKey>, Fault> {
    let mut statement = connection.prepare_cached(KEY)?;
    let mut rows = statement.query([id.as_str()])?;
    Ok(match rows.next()? {
        Some(row) => Some(read_key(&mut RowReader::of(row))?),
        None => None,
    })
}

/// The keys of a tenant, newest first.
fn keys(connection: &Connection, tenant: &TenantId) -> Result<Vec<SealedTokenKey>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, tenant, created_at, ends_at, public, private FROM token_key
         WHERE tenant = ?1 ORDER BY created_at DESC, id DESC",
    )?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        keys.push(SealedTokenKey {
            key: read_key(columns)?,
            private: Sealed::from_bytes(columns.bytes()?.to_vec()),
        });
    }
    Ok(keys)
}

/// Adds a key.
fn add_key(connection: &Connection, sealed: &SealedTokenKey) -> Result<(), Fault> {
    let key = &sealed.key;
    connection
        .prepare_cached(
            "INSERT INTO token_key (id, tenant, public, private, created_at, ends_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            key.id.as_str(),
            key.tenant.as_str(),
            key.public.as_bytes(),
            sealed.private.as_bytes(),
            key.created_at.as_millis(),
            key.ends_at.map(Timestamp::as_millis),
        ])?;
    Ok(())
}

/// Says from when on the signatures of a key count no more; never later than
/// was said before.
fn end_key(connection: &Connection, id: &KeyId, at: Timestamp) -> Result<(), Fault> {
    let rows = connection
        .prepare_cached(
            "UPDATE token_key SET ends_at = min(coalesce(ends_at, ?2), ?2) WHERE id = ?1",
        )?
        .execute(params![id.as_str(), at.as_millis()])?;
    found(rows, "the key")
}

/// Removes those keys of a tenant whose signatures count no more at `now`; the
/// tokens that they signed go along.
fn remove_ended_keys(
    connection: &Connection,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), Fault> {
    connection
        .prepare_cached("DELETE FROM token_key WHERE tenant = ?1 AND ends_at <= ?2")?
        .execute(params![tenant.as_str(), now.as_millis()])?;
    Ok(())
}

/// The token with this number.
pub(crate) fn token(connection: &Connection, id: &TokenId) -> Result<Option<TokenRecord>, Fault> {
    Ok(tokens_of(connection, TOKEN, [id.as_str()])?.pop())
}

/// Tokens, by tenant and time.
fn tokens(
    connection: &Connection,
    tenant: Option<&TenantId>,
    page: &Page<(TenantId, Timestamp, TokenId)>,
) -> Result<Listed<TokenRecord>, Fault> {
    let all = PageQuery::of(concat!(token_columns!(), " WHERE true"));
    let query = all.when("tenant = ?", tenant.map(|tenant| text(tenant.as_str())));
    let after = page.after.as_ref().map(|(tenant, at, id)| {
        let at = at.as_millis().into();
        [text(tenant.as_str()), at, text(id.as_str())]
    });
    let (sql, values) = query.page(["tenant", "issued_at", "id"], after, page.sought());
    Ok(page.listed(tokens_of(connection, &sql, params_from_iter(values))?))
}

/// Adds a token.
fn add(connection: &Connection, token: &TokenRecord) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO token (id, tenant, role, bearer, issuer, key, issued_at, expires_at,
                 revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            token.id.as_str(),
            token.tenant.as_str(),
            token.role.as_str(),
            token.bearer.0,
            token.issuer.0,
            token.key.as_str(),
            token.issued_at.as_millis(),
            token.expires_at.as_millis(),
            token.revoked_at.map(Timestamp::as_millis),
        ])?;
    let mut statement = connection
        .prepare_cached("INSERT INTO token_thing (token, position, thing) VALUES (?1, ?2, ?3)")?;
    for (position, thing) in token.things.iter().enumerate() {
        statement.execute(params![token.id.as_str(), position, thing.as_str()])?;
    }
    Ok(())
}

/// How many tokens of this issuer are kept.
fn count_of(connection: &Connection, issuer: CredentialId) -> Result<u64, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM token WHERE issuer = ?1")?;
    Ok(statement.query_row([issuer.0], |row| row.get(0))?)
}

/// Removes those tokens of this issuer that were revoked or have ended by `now`.
fn remove_ended_of(
    connection: &Connection,
    issuer: CredentialId,
    now: Timestamp,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "DELETE FROM token WHERE issuer = ?1
                 AND (expires_at <= ?2 OR revoked_at IS NOT NULL)",
        )?
        .execute(params![issuer.0, now.as_millis()])?;
    Ok(())
}

/// How many bearers of tokens a tenant has.
fn bearers(connection: &Connection, tenant: &TenantId) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM credential
         WHERE kind = 'bearer' AND kind <> 'device' AND tenant = ?1",
    )?;
    Ok(statement.query_row([tenant.as_str()], |row| row.get(0))?)
}

/// Revokes a token; one that is revoked stays as it is.
fn revoke(connection: &Connection, id: &TokenId, at: Timestamp) -> Result<(), Fault> {
    let rows = connection
        .prepare_cached("UPDATE token SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1")?
        .execute(params![id.as_str(), at.as_millis()])?;
    found(rows, "the token")
}

/// Removes up to `most` tokens that ended before `at`; says how many they were.
fn remove(connection: &Connection, at: Timestamp, most: usize) -> Result<usize, Fault> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM token WHERE id IN
             (SELECT id FROM token WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    )?;
    Ok(statement.execute(params![at.as_millis(), most])?)
}

fn read_key(columns: &mut RowReader<'_>) -> Result<TokenKey, Fault> {
    Ok(TokenKey {
        id: columns.parsed(KeyId::parse)?,
        tenant: columns.parsed(TenantId::parse)?,
        created_at: columns.instant()?,
        ends_at: columns.maybe_instant()?,
        public: {
            let bytes = columns.hash()?;
            VerifyingKey::from_bytes(&bytes).ok_or_else(|| columns.nonsense())?
        },
    })
}

fn tokens_of(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<TokenRecord>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let is_limited = columns.flag()?;
        let id = columns.parsed(TokenId::parse)?;
        tokens.push(TokenRecord {
            things: if is_limited {
                things(connection, &id)?
            } else {
                Vec::new()
            },
            id,
            tenant: columns.parsed(TenantId::parse)?,
            role: columns.parsed(RoleName::parse)?,
            bearer: CredentialId(columns.number()?),
            issuer: CredentialId(columns.number()?),
            key: columns.parsed(KeyId::parse)?,
            issued_at: columns.instant()?,
            expires_at: columns.instant()?,
            revoked_at: columns.maybe_instant()?,
        });
    }
    Ok(tokens)
}

fn things(connection: &Connection, token: &TokenId) -> Result<Vec<LoginName>, Fault> {
    let mut statement = connection.prepare_cached(THINGS)?;
    let mut rows = statement.query([token.as_str()])?;
    let mut things = Vec::new();
    while let Some(row) = rows.next()? {
        things.push(RowReader::of(row).parsed(LoginName::parse)?);
    }
    Ok(things)
}

/// The columns of a token, in the order they are read.
macro_rules! token_columns {
    () => {
        "SELECT EXISTS (SELECT 1 FROM token_thing WHERE token = token.id),
             id, tenant, role, bearer, issuer, key, issued_at, expires_at, revoked_at
         FROM token"
    };
}
use token_columns;

pub(crate) const TOKEN: &str = concat!(token_columns!(), " WHERE id = ?1");

pub(crate) const THINGS: &str = "SELECT thing FROM token_thing WHERE token = ?1 ORDER BY position";

pub(crate) const KEY: &str =
    "SELECT id, tenant, created_at, ends_at, public FROM token_key WHERE id = ?1";
