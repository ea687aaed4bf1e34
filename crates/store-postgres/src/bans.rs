//! Bans.

use countersign_core::ban::{Ban, BanId, BanTarget};
use countersign_core::client_id::ClientIdTie;
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::store::rows::BanRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::transaction::PostgresTransaction;

impl BanRows for PostgresTransaction<'_> {
    fn ban(&mut self, id: BanId) -> Result<Option<Ban>, StoreError> {
        self.run("look up a ban", |connection| ban(connection, id))
    }

    fn ban_on(&mut self, target: &BanTarget) -> Result<Option<Ban>, StoreError> {
        self.run("look up a ban", |connection| ban_on(connection, target))
    }

    fn bans(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<BanId>,
    ) -> Result<Listed<Ban>, StoreError> {
        self.run("list the bans", |connection| bans(connection, tenant, page))
    }

    fn count_bans(&mut self, tenant: Option<&TenantId>, most: u64) -> Result<u64, StoreError> {
        self.run("count the bans", |connection| {
            let query = of_tenant(PageQuery::of("SELECT id FROM ban WHERE true"), tenant);
            let (sql, values) = query.page(["id"], None, most);
            let statement = connection.prepare(&sql)?;
            let mut rows = statement.query(values)?;
            let mut count: u64 = 0;
            while rows.next()?.is_some() {
                count = count.saturating_add(1);
            }
            Ok(count)
        })
    }

    fn add_ban(&mut self, ban: &Ban) -> Result<BanId, StoreError> {
        self.run("add a ban", |connection| add(connection, ban))
    }

    fn remove_ban(&mut self, id: BanId) -> Result<bool, StoreError> {
        self.run("remove a ban", |connection| {
            let removed = connection
                .prepare("DELETE FROM ban WHERE id = $1")?
                .execute([id.0])?;
            Ok(removed > 0)
        })
    }

    fn remove_ended_bans(&mut self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.run("remove bans", |connection| {
            let statement = connection.prepare(
                "DELETE FROM ban WHERE id IN
                     (SELECT id FROM ban WHERE until <= $1 ORDER BY until LIMIT $2)",
            )?;
            statement.execute(params![now.as_millis(), most])
        })
    }
}

/// The ban with this number.
pub(crate) fn ban(connection: &Connection, id: BanId) -> Result<Option<Ban>, Fault> {
    Ok(read(connection, BY_ID, [id.0])?.pop())
}

/// The ban of this very target.
pub(crate) fn ban_on(connection: &Connection, target: &BanTarget) -> Result<Option<Ban>, Fault> {
    let found = match target {
        BanTarget::ClientId(tie, tenant) => {
            let tenant = tenant.as_ref().map_or("", TenantId::as_str);
            read(connection, BY_CLIENT_ID, params![tie.0, tenant])
        }
        BanTarget::Network(network) => read(connection, BY_NETWORK, [network.to_string()]),
    };
    Ok(found?.pop())
}

/// Bans by number.
pub(crate) fn bans(
    connection: &Connection,
    tenant: Option<&TenantId>,
    page: &Page<BanId>,
) -> Result<Listed<Ban>, Fault> {
    let query = of_tenant(
        PageQuery::of(concat!(ban_columns!(), " WHERE true")),
        tenant,
    );
    let after = page.after.map(|BanId(id)| [id.into()]);
    let (sql, values) = query.page(["id"], after, page.sought());
    Ok(page.listed(read(connection, &sql, values)?))
}

fn of_tenant(query: PageQuery, tenant: Option<&TenantId>) -> PageQuery {
    query.when("tenant = ?", tenant.map(|id| text(id.as_str())))
}

fn add(connection: &Connection, ban: &Ban) -> Result<BanId, Fault> {
    let (network, client_id, tenant) = match &ban.target {
        BanTarget::ClientId(tie, tenant) => (None, Some(tie.0), tenant.as_ref()),
        BanTarget::Network(network) => (Some(network.to_string()), None, None),
    };
    let id = connection
        .prepare(
            "INSERT INTO ban (network, client_id, tenant, shown, until, reason, created_by,
                 created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT DO NOTHING RETURNING id",
        )?
        .insert(
            params![
                network,
                client_id,
                tenant.map(TenantId::as_str),
                ban.shown,
                ban.until.map(Timestamp::as_millis),
                ban.reason,
                ban.created_by,
                ban.created_at.as_millis(),
            ],
            "the target of a ban",
        )?;
    Ok(BanId(id))
}

fn read(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<Ban>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        found.push(Ban {
            id: BanId(columns.number()?),
            target: {
                let network = columns.maybe_parsed(str::parse::<Network>)?;
                let client_id = columns.maybe_hash()?.map(ClientIdTie);
                let tenant = columns.maybe_parsed(TenantId::parse)?;
                match (network, client_id, tenant) {
                    (Some(network), None, None) => BanTarget::Network(network),
                    (None, Some(tie), tenant) => BanTarget::ClientId(tie, tenant),
                    _ => return Err(columns.nonsense()),
                }
            },
            shown: columns.text()?.into(),
            until: columns.maybe_instant()?,
            reason: columns.maybe_text()?.map(Into::into),
            created_by: columns.text()?.into(),
            created_at: columns.instant()?,
        });
    }
    Ok(found)
}

/// The columns of a ban, in the order they are read.
macro_rules! ban_columns {
    () => {
        "SELECT id, network, client_id, tenant, shown, until, reason, created_by, created_at
         FROM ban"
    };
}

use ban_columns;

const BY_ID: &str = concat!(ban_columns!(), " WHERE id = $1");

const BY_NETWORK: &str = concat!(ban_columns!(), " WHERE network = $1");

const BY_CLIENT_ID: &str = concat!(
    ban_columns!(),
    " WHERE client_id = $1 AND coalesce(tenant, '') = $2"
);
