//! What the brokers beside a replica must hear of what changed in it.

use std::collections::BTreeSet;

use countersign_core::ban::BanId;
use countersign_core::change::Change;
use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::store::{ObjectName, ReplicaObject};
use countersign_core::time::Timestamp;
use countersign_sql::{KeyPart, ObjectKind};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::object::{conditions, part_of, value_of};
use crate::changes;
use crate::error::Fault;

/// What the brokers beside a replica must follow.
#[derive(Default)]
pub(super) struct News {
    changes: Vec<Change>,
}

impl News {
    /// Adds what an object means to brokers, which is another than it was.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        kind: ObjectKind,
        told: &ReplicaObject,
    ) -> Result<(), Fault> {
        let name = &told.object;
        let change = match kind {
            // Whoever logs in looks it up.
            ObjectKind::Lockout => return Ok(()),
            ObjectKind::Setting | ObjectKind::Scheme => None,
            ObjectKind::Tenant => tenant(name.name.as_deref()),
            ObjectKind::Role => tenant(name.tenant.as_deref()),
            ObjectKind::Credential => name.number.map(|id| Change::Credential(CredentialId(id))),
            ObjectKind::Ban => name.number.map(|id| Change::Ban(BanId(id))),
            ObjectKind::Token => number_in(connection, kind, told, "bearer")?
                .map(|id| Change::Credential(CredentialId(id))),
            ObjectKind::TokenKey
            | ObjectKind::Authority
            | ObjectKind::Issuer
            | ObjectKind::Registration => {
                tenant(text_in(connection, kind, told, "tenant")?.as_deref())
            }
            ObjectKind::IssuerRevocation => {
                let issuer = ObjectName {
                    kind: ObjectKind::Issuer.as_str().into(),
                    number: name.number,
                    tenant: None,
                    name: None,
                };
                let found = stored(connection, ObjectKind::Issuer, &issuer, "tenant")?;
                tenant(found.as_ref().and_then(as_text))
            }
        };
        self.changes.push(change.unwrap_or(Change::Everything));
        Ok(())
    }

    /// Has the brokers told.
    pub(super) fn tell(self, connection: &Connection, now: Timestamp) -> Result<(), Fault> {
        let mut told = BTreeSet::new();
        let is_much = self.changes.len() > MOST_NEWS || self.changes.contains(&Change::Everything);
        if is_much {
            return changes::append(connection, now, &Change::Everything);
        }
        for change in self.changes {
            if told.insert(format!("{change:?}")) {
                changes::append(connection, now, &change)?;
            }
        }
        Ok(())
    }
}

fn tenant(id: Option<&str>) -> Option<Change> {
    id.and_then(|id| TenantId::parse(id).ok())
        .map(Change::Tenant)
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Blob(_) | Value::Integer(_) | Value::Null | Value::Real(_) => None,
    }
}

/// What an object says in a column of its own table: what is told, or else what is here.
fn said(
    connection: &Connection,
    kind: ObjectKind,
    told: &ReplicaObject,
    column: &str,
) -> Result<Option<Value>, Fault> {
    let (table, _) = kind.key();
    let mut rows = told.rows.iter().filter(|row| row.table == table);
    let cells = rows.next().map(|row| row.cells.iter());
    let cell = cells.and_then(|mut cells| cells.find(|(name, _)| name == column));
    match cell {
        Some((_, cell)) => Ok(Some(value_of(cell))),
        None => stored(connection, kind, &told.object, column),
    }
}

fn number_in(
    connection: &Connection,
    kind: ObjectKind,
    told: &ReplicaObject,
    column: &str,
) -> Result<Option<i64>, Fault> {
    Ok(match said(connection, kind, told, column)? {
        Some(Value::Integer(number)) => Some(number),
        Some(_) | None => None,
    })
}

fn text_in(
    connection: &Connection,
    kind: ObjectKind,
    told: &ReplicaObject,
    column: &str,
) -> Result<Option<String>, Fault> {
    let said = said(connection, kind, told, column)?;
    Ok(said.as_ref().and_then(as_text).map(str::to_owned))
}

/// What is here of an object in a column of its own table.
fn stored(
    connection: &Connection,
    kind: ObjectKind,
    name: &ObjectName,
    column: &str,
) -> Result<Option<Value>, Fault> {
    let (table, key) = kind.key();
    let sql = format!("SELECT {column} FROM {table} WHERE {}", conditions(key));
    let mut values = vec![Value::Null];
    values.extend(
        key.iter()
            .map(|(_, part): &(&str, KeyPart)| part_of(*part, name)),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    Ok(match rows.next()? {
        Some(row) => Some(row.get(0)?),
        None => None,
    })
}

/// So many changes are told one by one; of more, all may have changed.
const MOST_NEWS: usize = 1_000;
