//! Tenants with their namespaces.

use std::sync::Arc;

use countersign_core::client_id::ClientId;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::rule::Namespaces;
use countersign_core::store::rows::TenantRows;
use countersign_core::store::{DamagedTenant, Listed, Page, StoreError, StoredTenants};
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode, Tenant};
use countersign_core::topic::TopicFilter;

use crate::error::{Fault, found};
use crate::limits;
use crate::page_query::{PageQuery, text};
use crate::place::Place;
use crate::row_reader::RowReader;
use crate::sql::{CellRef, Connection, Params, params};
use crate::transaction::PostgresTransaction;

impl TenantRows for PostgresTransaction<'_> {
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.run("look up a tenant", |connection| tenant(connection, id))
    }

    fn tenants(&mut self, page: &Page<TenantId>) -> Result<Listed<Tenant>, StoreError> {
        self.run("list the tenants", |connection| tenants(connection, page))
    }

    fn put_tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        self.run("write a tenant", |connection| {
            put_tenant(connection, tenant)
        })
    }

    fn remove_tenant(&mut self, id: &TenantId) -> Result<(), StoreError> {
        self.run("delete a tenant", |connection| {
            let statement = connection.prepare("DELETE FROM tenant WHERE id = $1")?;
            found(statement.execute([id.as_str()])?, "the tenant")
        })
    }
}

/// The tenant with this id.
pub(crate) fn tenant(connection: &Connection, id: &TenantId) -> Result<Option<Tenant>, Fault> {
    let sql = concat!(tenant_columns!(), " WHERE id = $1");
    Ok(tenants_of(connection, sql, params![id.as_str()])?.pop())
}

/// Tenants, by id.
fn tenants(connection: &Connection, page: &Page<TenantId>) -> Result<Listed<Tenant>, Fault> {
    let after = page.after.as_ref().map(|id| [text(id.as_str())]);
    let query = PageQuery::of(concat!(tenant_columns!(), " WHERE true"));
    let (sql, values) = query.page(["id"], after, page.sought());
    Ok(page.listed(tenants_of(connection, &sql, values)?))
}

/// All tenants, by id, each as far as it can be read.
pub(crate) fn readable(connection: &Connection, place: &Place) -> Result<StoredTenants, Fault> {
    let ids = connection.prepare("SELECT id FROM tenant ORDER BY id")?;
    let mut rows = ids.query(())?;
    let mut found = StoredTenants::default();
    while let Some(row) = rows.next()? {
        let (id, fault) = match RowReader::of(row).parsed(TenantId::parse) {
            Ok(id) => match tenant(connection, &id) {
                Ok(tenant) => {
                    found.readable.extend(tenant.map(Arc::new));
                    continue;
                }
                Err(fault) => (Some(id), fault),
            },
            Err(fault) => (None, fault),
        };
        if !fault.is_of_one_record() {
            return Err(fault);
        }
        // As it is stored, also where it is not a valid id.
        let stored = row.cell(0)?;
        let (namespaces, has_all_namespaces) = readable_namespaces(connection, stored)?;
        found.damaged.push(DamagedTenant {
            namespaces,
            has_all_namespaces,
            client_id_prefix: readable_prefix(connection, stored)?,
            error: fault.while_trying("look up a tenant", place),
            id,
        });
    }
    Ok(found)
}

/// The tenant whose prefix this client id begins with.
///
/// No prefix is one of another. So if the id begins with one, that is the last
/// of those that don't sort after the id.
pub(crate) fn by_client_id(
    connection: &Connection,
    client_id: &ClientId,
) -> Result<Option<TenantId>, Fault> {
    let statement = connection.prepare(LAST_PREFIX)?;
    let mut rows = statement.query([client_id.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    let begins_so = client_id.as_str().starts_with(columns.text()?);
    let tenant = columns.parsed(TenantId::parse)?;
    Ok(begins_so.then_some(tenant))
}

/// Says whether some tenant admits clients without a login.
pub(crate) fn some_tenant_is_open(connection: &Connection) -> Result<bool, Fault> {
    let statement = connection
        .prepare("SELECT EXISTS (SELECT 1 FROM tenant WHERE authentication <> 'required')")?;
    statement.query_row((), |row| row.get(0))
}

/// Writes a tenant, new or changed, with its namespaces.
fn put_tenant(connection: &Connection, tenant: &Tenant) -> Result<(), Fault> {
    connection
        .prepare(
            "INSERT INTO tenant
                 (id, authentication, subscribe, client_id_prefix, lockout, created_at,
                  default_rights, anonymous_rights, sys_read, name_prefix, limits)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (id) DO UPDATE SET authentication = excluded.authentication,
                 subscribe = excluded.subscribe, client_id_prefix = excluded.client_id_prefix,
                 lockout = excluded.lockout, created_at = excluded.created_at,
                 default_rights = excluded.default_rights,
                 anonymous_rights = excluded.anonymous_rights, sys_read = excluded.sys_read,
                 name_prefix = excluded.name_prefix, limits = excluded.limits",
        )?
        .execute(params![
            tenant.id.as_str(),
            tenant.authentication.as_str(),
            tenant.subscribe.as_str(),
            tenant.client_id_prefix.as_ref().map(ClientId::as_str),
            tenant.lockout.map(|policy| policy.to_string()),
            tenant.created_at.as_millis(),
            tenant.default_rights.as_str(),
            tenant.anonymous_rights.as_str(),
            tenant.sys_read,
            tenant.name_prefix.as_ref().map(LoginName::as_str),
            limits::text_of(tenant.limits),
        ])?;
    connection
        .prepare("DELETE FROM namespace WHERE tenant = $1")?
        .execute([tenant.id.as_str()])?;
    let statement = connection
        .prepare("INSERT INTO namespace (tenant, position, filter) VALUES ($1, $2, $3)")?;
    for (position, filter) in tenant.namespaces.iter().enumerate() {
        statement.execute(params![tenant.id.as_str(), position, filter.as_str()])?;
    }
    connection
        .prepare("DELETE FROM tenant_role WHERE tenant = $1")?
        .execute([tenant.id.as_str()])?;
    let statement =
        connection.prepare("INSERT INTO tenant_role (tenant, holder, role) VALUES ($1, $2, $3)")?;
    for (holder, roles) in [
        (BY_DEFAULT, &tenant.default_roles),
        (ANONYMOUS, &tenant.anonymous_roles),
    ] {
        for role in roles {
            statement.execute([tenant.id.as_str(), holder, role.as_str()])?;
        }
    }
    Ok(())
}

/// The roles that a tenant gives: to its devices and things, and to clients without a
/// login, each by name.
fn roles_given(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<(Vec<RoleName>, Vec<RoleName>), Fault> {
    let statement = connection
        .prepare("SELECT holder, role FROM tenant_role WHERE tenant = $1 ORDER BY role")?;
    let mut rows = statement.query([tenant.as_str()])?;
    let (mut by_default, mut anonymous) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let held = match columns.text()? {
            BY_DEFAULT => &mut by_default,
            ANONYMOUS => &mut anonymous,
            // It may hold a deny, so it can't be passed over.
            _ => return Err(Fault::Content("who holds a role".into())),
        };
        held.push(columns.parsed(RoleName::parse)?);
    }
    Ok((by_default, anonymous))
}

fn tenants_of(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<Tenant>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let id = columns.parsed(TenantId::parse)?;
        let (default_roles, anonymous_roles) = roles_given(connection, &id)?;
        tenants.push(Tenant {
            namespaces: namespaces(connection, &id)?,
            default_roles,
            anonymous_roles,
            id,
            authentication: columns.parsed(Authentication::parse)?,
            subscribe: columns.parsed(SubscribeMode::parse)?,
            client_id_prefix: columns.maybe_parsed(ClientId::parse)?,
            lockout: columns.maybe_parsed(LockoutPolicy::parse)?,
            created_at: columns.instant()?,
            default_rights: columns.parsed(DefaultRights::parse)?,
            anonymous_rights: columns.parsed(DefaultRights::parse)?,
            sys_read: columns.flag()?,
            name_prefix: columns.maybe_parsed(LoginName::parse)?,
            limits: limits::read(columns)?,
        });
    }
    Ok(tenants)
}

fn namespaces(connection: &Connection, tenant: &TenantId) -> Result<Namespaces, Fault> {
    let statement = connection.prepare(NAMESPACES)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut filters = Vec::new();
    while let Some(row) = rows.next()? {
        filters.push(RowReader::of(row).parsed(TopicFilter::parse)?);
    }
    Namespaces::new(filters).map_err(|_| Fault::Content("a stored namespace".into()))
}

/// Those namespaces of a tenant that can be read, and whether these are all.
fn readable_namespaces(
    connection: &Connection,
    tenant: CellRef<'_>,
) -> Result<(Namespaces, bool), Fault> {
    let statement = connection.prepare(NAMESPACES)?;
    let mut rows = statement.query([tenant])?;
    let mut filters = Vec::new();
    let mut are_all = true;
    while let Some(row) = rows.next()? {
        let filter = RowReader::of(row).parsed(TopicFilter::parse).ok();
        match filter.filter(|filter| Namespaces::new([filter.clone()]).is_ok()) {
            Some(filter) => filters.push(filter),
            None => are_all = false,
        }
    }
    Ok((Namespaces::new(filters).unwrap_or_default(), are_all))
}

/// The prefix of a tenant's client ids, if there is one that can be read.
fn readable_prefix(
    connection: &Connection,
    tenant: CellRef<'_>,
) -> Result<Option<ClientId>, Fault> {
    let statement = connection.prepare("SELECT client_id_prefix FROM tenant WHERE id = $1")?;
    let mut rows = statement.query([tenant])?;
    Ok(match rows.next()? {
        Some(row) => RowReader::of(row).parsed(ClientId::parse).ok(),
        None => None,
    })
}

pub(crate) const LAST_PREFIX: &str = "SELECT client_id_prefix, id FROM tenant
     WHERE client_id_prefix <= $1 ORDER BY client_id_prefix DESC LIMIT 1";

/// The holders of roles that a tenant gives.
const BY_DEFAULT: &str = "default";
const ANONYMOUS: &str = "anonymous";
const NAMESPACES: &str = "SELECT filter FROM namespace WHERE tenant = $1 ORDER BY position";

/// The columns of a tenant, in the order they are read.
macro_rules! tenant_columns {
    () => {
        "SELECT id, authentication, subscribe, client_id_prefix, lockout, created_at,
                default_rights, anonymous_rights, sys_read, name_prefix, limits
         FROM tenant"
    };
}
use tenant_columns;
