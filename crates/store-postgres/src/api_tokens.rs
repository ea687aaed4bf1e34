//! API tokens.

use countersign_core::api_token::{ApiToken, ApiTokenId, TokenScope};
use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::secret::SecretDigest;
use countersign_core::store::rows::{ApiTokenRows, ApiTokensOf};
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::transaction::PostgresTransaction;

impl ApiTokenRows for PostgresTransaction<'_> {
    fn api_token(&mut self, id: ApiTokenId) -> Result<Option<ApiToken>, StoreError> {
        self.run("look up an API token", |connection| token(connection, id))
    }

    fn api_token_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<ApiToken>, StoreError> {
        self.run("look up an API token", |connection| {
            Ok(tokens_of(connection, BY_DIGEST, [digest.as_bytes()])?.pop())
        })
    }

    fn api_tokens(
        &mut self,
        which: &ApiTokensOf,
        page: &Page<ApiTokenId>,
    ) -> Result<Listed<ApiToken>, StoreError> {
        self.run("list the API tokens", |connection| {
            let query = chosen(PageQuery::of(concat!(columns!(), " WHERE true")), which);
            let after = page.after.map(|ApiTokenId(id)| [id.into()]);
            let (sql, values) = query.page(["id"], after, page.sought());
            Ok(page.listed(tokens_of(connection, &sql, values)?))
        })
    }

    fn count_api_tokens(&mut self, which: &ApiTokensOf, most: u64) -> Result<u64, StoreError> {
        self.run("count the API tokens", |connection| {
            let query = PageQuery::of("SELECT id FROM api_token WHERE true");
            let (sql, values) = chosen(query, which).page(["id"], None, most);
            let statement = connection.prepare(&sql)?;
            let mut rows = statement.query(values)?;
            let mut count: u64 = 0;
            while rows.next()?.is_some() {
                count = count.saturating_add(1);
            }
            Ok(count)
        })
    }

    fn add_api_token(
        &mut self,
        token: &ApiToken,
        digest: &SecretDigest,
    ) -> Result<ApiTokenId, StoreError> {
        self.run("add an API token", |connection| {
            add(connection, token, digest)
        })
    }

    fn use_api_token(&mut self, id: ApiTokenId, at: Timestamp) -> Result<(), StoreError> {
        self.run("write the use of an API token", |connection| {
            connection
                .prepare("UPDATE api_token SET last_used_at = $2 WHERE id = $1")?
                .execute([id.0, at.as_millis()])?;
            Ok(())
        })
    }

    fn remove_api_token(&mut self, id: ApiTokenId) -> Result<bool, StoreError> {
        self.run("remove an API token", |connection| {
            let removed = connection
                .prepare("DELETE FROM api_token WHERE id = $1")?
                .execute([id.0])?;
            Ok(removed > 0)
        })
    }

    fn remove_ended_api_tokens(
        &mut self,
        now: Timestamp,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.run("remove API tokens", |connection| {
            let statement = connection.prepare(
                "DELETE FROM api_token WHERE id IN
                     (SELECT id FROM api_token WHERE expires_at <= $1
                      ORDER BY expires_at LIMIT $2)",
            )?;
            statement.execute(params![now.as_millis(), most])
        })
    }
}

/// The token with this number.
pub(crate) fn token(connection: &Connection, id: ApiTokenId) -> Result<Option<ApiToken>, Fault> {
    Ok(tokens_of(connection, BY_ID, [id.0])?.pop())
}

/// The condition on which tokens are meant.
fn chosen(query: PageQuery, which: &ApiTokensOf) -> PageQuery {
    match which {
        ApiTokensOf::Everybody => query,
        ApiTokensOf::Parent(ApiTokenId(id)) => {
            query.and("parent IS NOT NULL AND parent = ?", [(*id).into()])
        }
        ApiTokensOf::Platform => query.and("tenant IS NULL", []),
        ApiTokensOf::Tenant(id) => query.and("tenant = ?", [text(id.as_str())]),
        ApiTokensOf::User(CredentialId(id)) => query.and("owner = ?", [(*id).into()]),
    }
}

fn add(
    connection: &Connection,
    token: &ApiToken,
    digest: &SecretDigest,
) -> Result<ApiTokenId, Fault> {
    let id = connection
        .prepare(
            "INSERT INTO api_token (digest, tenant, viewer, owner, parent, created_by,
                 description, created_at, expires_at, last_used_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT DO NOTHING RETURNING id",
        )?
        .insert(
            params![
                digest.as_bytes(),
                token.scope.tenant().map(TenantId::as_str),
                matches!(token.scope, TokenScope::Viewer(_)),
                token.owner.map(|CredentialId(id)| id),
                token.parent.map(|ApiTokenId(id)| id),
                token.created_by,
                token.description,
                token.created_at.as_millis(),
                token.expires_at.as_millis(),
                token.last_used_at.map(Timestamp::as_millis),
            ],
            "a token",
        )?;
    Ok(ApiTokenId(id))
}

fn tokens_of(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<ApiToken>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        tokens.push(ApiToken {
            id: ApiTokenId(columns.number()?),
            scope: {
                let tenant = columns.maybe_parsed(TenantId::parse)?;
                match (tenant, columns.flag()?) {
                    (None, false) => TokenScope::Platform,
                    (Some(tenant), false) => TokenScope::Tenant(tenant),
                    (Some(tenant), true) => TokenScope::Viewer(tenant),
                    (None, true) => return Err(columns.nonsense()),
                }
            },
            owner: columns.maybe_number()?.map(CredentialId),
            parent: columns.maybe_number()?.map(ApiTokenId),
            created_by: columns.text()?.into(),
            description: columns.maybe_text()?.map(Into::into),
            created_at: columns.instant()?,
            expires_at: columns.instant()?,
            last_used_at: columns.maybe_instant()?,
        });
    }
    Ok(tokens)
}

/// The columns of a token, in the order they are read.
macro_rules! columns {
    () => {
        "SELECT id, tenant, viewer, owner, parent, created_by, description, created_at,
             expires_at, last_used_at
         FROM api_token"
    };
}
use columns;

pub(crate) const BY_ID: &str = concat!(columns!(), " WHERE id = $1");

pub(crate) const BY_DIGEST: &str = concat!(columns!(), " WHERE digest = $1");
