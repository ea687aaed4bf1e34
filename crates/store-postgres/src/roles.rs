//! Roles and rules.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::{Role, RoleName, RoleRule};
use countersign_core::rule::{Action, Effect, Limits, Pattern, QoS, Rule};
use countersign_core::store::rows::RoleRows;
use countersign_core::store::{Listed, Page, StoreError};
use countersign_sql::groups_beginning;

use crate::error::{Fault, found};
use crate::groups;
use crate::limits;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::sql_reader::State;
use crate::transaction::PostgresTransaction;

impl RoleRows for PostgresTransaction<'_> {
    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError> {
        self.run("look up a role", |connection| {
            role(connection, tenant, name)
        })
    }

    fn roles(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(TenantId, RoleName)>,
    ) -> Result<Listed<Role>, StoreError> {
        self.run("list the roles", |connection| {
            roles(connection, tenant, page)
        })
    }

    fn put_role(&mut self, role: &Role) -> Result<(), StoreError> {
        self.run("write a role", |connection| put_role(connection, role))
    }

    fn delete_role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<(), StoreError> {
        self.run("delete a role", |connection| {
            delete_role(connection, tenant, name)
        })
    }

    fn assign_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        group: &GroupPath,
    ) -> Result<bool, StoreError> {
        self.run("give a role to a group", |connection| {
            groups::assign(connection, tenant, name, group)
        })
    }

    fn unassign_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
        group: &GroupPath,
    ) -> Result<bool, StoreError> {
        self.run("take a role from a group", |connection| {
            groups::unassign(connection, tenant, name, group)
        })
    }

    fn groups_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<GroupPath>, StoreError> {
        self.run("look up which groups hold a role", |connection| {
            groups::holding(connection, tenant, name)
        })
    }

    fn roles_of_group(
        &mut self,
        tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        self.run("look up the roles of a group", |connection| {
            groups::roles(connection, tenant, group)
        })
    }

    fn groups(
        &mut self,
        tenant: &TenantId,
        begin: &str,
        most: usize,
    ) -> Result<Vec<GroupPath>, StoreError> {
        self.run("look up groups", |connection| {
            groups_beginning(&State(connection), tenant, begin, most)
        })
    }

    fn holders_of_role(
        &mut self,
        tenant: &TenantId,
        name: &RoleName,
    ) -> Result<Vec<CredentialId>, StoreError> {
        self.run("look up who holds a role", |connection| {
            holders(connection, tenant, name)
        })
    }
}

/// The role of this name in a tenant.
pub(crate) fn role(
    connection: &Connection,
    tenant: &TenantId,
    name: &RoleName,
) -> Result<Option<Role>, Fault> {
    let sql = concat!(role_columns!(), " WHERE tenant = $1 AND name = $2");
    Ok(roles_of(connection, sql, [tenant.as_str(), name.as_str()])?.pop())
}

/// Roles, by tenant and name.
fn roles(
    connection: &Connection,
    tenant: Option<&TenantId>,
    page: &Page<(TenantId, RoleName)>,
) -> Result<Listed<Role>, Fault> {
    let all = PageQuery::of(concat!(role_columns!(), " WHERE true"));
    let query = all.when("tenant = ?", tenant.map(|tenant| text(tenant.as_str())));
    let after = page.after.as_ref();
    let after = after.map(|(tenant, name)| [text(tenant.as_str()), text(name.as_str())]);
    let (sql, values) = query.page(["tenant", "name"], after, page.sought());
    Ok(page.listed(roles_of(connection, &sql, values)?))
}

/// The credentials that hold a role: by themselves, by a grant, or by tokens
/// made for them that are still listed. A thing holds its application's.
fn holders(
    connection: &Connection,
    tenant: &TenantId,
    name: &RoleName,
) -> Result<Vec<CredentialId>, Fault> {
    let statement = connection.prepare(
        "SELECT credential FROM credential_role WHERE tenant = $1 AND role = $2
         UNION
         SELECT credential FROM person_grant WHERE tenant = $1 AND role = $2
         UNION
         SELECT bearer FROM token WHERE tenant = $1 AND role = $2
         ORDER BY 1",
    )?;
    let mut rows = statement.query([tenant.as_str(), name.as_str()])?;
    let mut holders = Vec::new();
    while let Some(row) = rows.next()? {
        holders.push(CredentialId(RowReader::of(row).number()?));
    }
    Ok(holders)
}

/// Writes a role, new or changed, with its rules.
fn put_role(connection: &Connection, role: &Role) -> Result<(), Fault> {
    // To replace the row would take the role from its holders.
    connection
        .prepare(
            "INSERT INTO role (tenant, name, description, created_at, no_wildcards, limits)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant, name) DO UPDATE SET description = excluded.description,
                 created_at = excluded.created_at, no_wildcards = excluded.no_wildcards,
                 limits = excluded.limits",
        )?
        .execute(params![
            role.tenant.as_str(),
            role.name.as_str(),
            role.description,
            role.created_at.as_millis(),
            role.no_wildcards,
            limits::text_of(role.limits),
        ])?;
    connection
        .prepare("DELETE FROM role_rule WHERE tenant = $1 AND role = $2")?
        .execute([role.tenant.as_str(), role.name.as_str()])?;
    let statement = connection.prepare(
        "INSERT INTO role_rule (tenant, role, position, group_path, effect, action, pattern,
             max_qos, no_retain, literal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )?;
    for (position, RoleRule { rule, group }) in role.rules.iter().enumerate() {
        statement.execute(params![
            role.tenant.as_str(),
            role.name.as_str(),
            position,
            group.as_ref().map(GroupPath::as_str),
            rule.effect().as_str(),
            rule.action().as_str(),
            rule.pattern().as_str(),
            rule.limits().max_qos.map(QoS::as_u8),
            rule.limits().no_retain,
            rule.is_literal(),
        ])?;
    }
    Ok(())
}

/// Deletes a role; its rules go with it, and its holders lose it.
fn delete_role(connection: &Connection, tenant: &TenantId, name: &RoleName) -> Result<(), Fault> {
    let statement = connection.prepare("DELETE FROM role WHERE tenant = $1 AND name = $2")?;
    found(
        statement.execute([tenant.as_str(), name.as_str()])?,
        "the role",
    )
}

/// The names of the roles that a credential holds.
pub(crate) fn names_held_by(
    connection: &Connection,
    id: CredentialId,
) -> Result<Vec<RoleName>, Fault> {
    let statement = connection
        .prepare("SELECT role FROM credential_role WHERE credential = $1 ORDER BY role")?;
    let mut rows = statement.query([id.0])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(RowReader::of(row).parsed(RoleName::parse)?);
    }
    Ok(names)
}

/// The rules of a credential's own.
pub(crate) fn own_rules(connection: &Connection, id: CredentialId) -> Result<Vec<Rule>, Fault> {
    let statement = connection.prepare(
        "SELECT effect, action, pattern, max_qos, no_retain, literal FROM credential_rule
         WHERE credential = $1 ORDER BY position",
    )?;
    let mut rows = statement.query([id.0])?;
    let mut rules = Vec::new();
    while let Some(row) = rows.next()? {
        rules.push(read_rule(&mut RowReader::of(row))?);
    }
    Ok(rules)
}

/// Writes the roles and the rules of a credential that has none stored.
pub(crate) fn put_held(
    connection: &Connection,
    id: CredentialId,
    credential: &Credential,
) -> Result<(), Fault> {
    let statement = connection.prepare(
        "INSERT INTO credential_role (credential, role, tenant)
         VALUES ($1, $2, (SELECT tenant FROM credential WHERE id = $1))
         ON CONFLICT (credential, role) DO NOTHING",
    )?;
    for role in own_roles(credential) {
        statement.execute(params![id.0, role.as_str()])?;
    }
    let statement = connection.prepare(
        "INSERT INTO credential_rule (credential, position, effect, action, pattern, max_qos,
             no_retain, literal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )?;
    for (position, rule) in credential.rules.iter().enumerate() {
        statement.execute(params![
            id.0,
            position,
            rule.effect().as_str(),
            rule.action().as_str(),
            rule.pattern().as_str(),
            rule.limits().max_qos.map(QoS::as_u8),
            rule.limits().no_retain,
            rule.is_literal(),
        ])?;
    }
    Ok(())
}

/// The roles that are a credential's own: those of a thing are its
/// application's.
fn own_roles(credential: &Credential) -> &[RoleName] {
    match credential.kind.thing() {
        Some(_) => &[],
        None => &credential.roles,
    }
}

fn roles_of(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<Role>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut roles = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let tenant = columns.parsed(TenantId::parse)?;
        let name = columns.parsed(RoleName::parse)?;
        roles.push(Role {
            rules: rules_of_role(connection, &tenant, &name)?,
            tenant,
            name,
            description: columns.maybe_text()?.map(Into::into),
            created_at: columns.instant()?,
            no_wildcards: columns.flag()?,
            limits: limits::read(columns)?,
        });
    }
    Ok(roles)
}

fn rules_of_role(
    connection: &Connection,
    tenant: &TenantId,
    name: &RoleName,
) -> Result<Vec<RoleRule>, Fault> {
    let statement = connection.prepare(
        "SELECT group_path, effect, action, pattern, max_qos, no_retain, literal FROM role_rule
         WHERE tenant = $1 AND role = $2 ORDER BY position",
    )?;
    let mut rows = statement.query([tenant.as_str(), name.as_str()])?;
    let mut rules = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        rules.push(RoleRule {
            group: columns.maybe_parsed(GroupPath::parse)?,
            rule: read_rule(columns)?,
        });
    }
    Ok(rules)
}

fn read_rule(columns: &mut RowReader<'_>) -> Result<Rule, Fault> {
    let effect = columns.parsed(Effect::parse)?;
    let action = columns.parsed(Action::parse)?;
    let pattern = columns.parsed(Pattern::parse)?;
    let max_qos = columns
        .maybe_small()?
        .map(|number: u8| QoS::try_from(number));
    let limits = Limits {
        max_qos: max_qos.transpose().map_err(|_| columns.nonsense())?,
        no_retain: columns.flag()?,
    };
    let is_literal = columns.flag()?;
    let damage = || Fault::Content("a stored rule".into());
    let rule = Rule::new(effect, action, pattern, limits).map_err(|_| damage())?;
    if is_literal {
        return rule.into_literal().map_err(|_| damage());
    }
    Ok(rule)
}

/// The columns of a role, in the order they are read.
macro_rules! role_columns {
    () => {
        "SELECT tenant, name, description, created_at, no_wildcards, limits FROM role"
    };
}
use role_columns;
