//! Objects: how they are named, read and told apart.

use core::cmp::Ordering;

use countersign_core::name::TenantId;
use countersign_core::store::{Cell, ExportScope, ObjectName, ReplicaObject, TableRow};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::followed::FollowedTable;
use super::kind::{KeyPart, ObjectKind};
use crate::error::Fault;
use crate::tables::{EXPORTED, TableShape, quote};

/// How the rows of an object are read out of a table.
pub(super) struct SourceTable {
    pub(super) kind: ObjectKind,
    pub(super) shape: TableShape,
    pub(super) select: String,
}

impl SourceTable {
    pub(super) fn of(
        connection: &Connection,
        followed: &FollowedTable,
        scope: &ExportScope,
        is_partial: bool,
    ) -> Result<Self, Fault> {
        let missing = || Fault::Content(format!("the table `{}`", followed.name));
        let shape = TableShape::of(connection, followed.name)?.ok_or_else(missing)?;
        let exported = EXPORTED.iter().find(|it| it.name == followed.name);
        let exported = exported.ok_or_else(missing)?;
        let seen = followed.seen.filter(|_| is_partial).unwrap_or("true");
        let condition = format!("{} AND {seen}", conditions(followed.object));
        let shown = |column: &str| {
            let mut masked = followed.masked.iter();
            match masked.find(|(masked, _)| *masked == column) {
                Some((_, instead)) => (*instead).to_owned(),
                None => exported.shown(column, scope),
            }
        };
        Ok(Self {
            kind: followed.kind,
            select: shape.select(shown, &condition),
            shape,
        })
    }
}

/// That the columns of a key are what is bound from the second place on.
pub(super) fn conditions(key: &[(&str, KeyPart)]) -> String {
    let places = key.iter().zip(2..);
    let terms: Vec<_> = places
        .map(|((column, _), place)| format!("{} = ?{place}", quote(column)))
        .collect();
    terms.join(" AND ")
}

/// A part of an object's name, to be bound.
pub(super) fn part_of(part: KeyPart, object: &ObjectName) -> Value {
    match part {
        KeyPart::Number => object.number.into(),
        KeyPart::Tenant => object.tenant.clone().into(),
        KeyPart::Name => object.name.clone().into(),
    }
}

pub(super) fn nameless(kind: ObjectKind) -> ObjectName {
    ObjectName {
        kind: kind.as_str().into(),
        number: None,
        tenant: None,
        name: None,
    }
}

/// A list of ids, in which nothing must be escaped.
pub(super) fn json_list(tenants: &[TenantId]) -> String {
    let quoted: Vec<_> = tenants.iter().map(|it| format!("\"{it}\"")).collect();
    format!("[{}]", quoted.join(","))
}

/// The number and the stamp of the last entry of the log; zeros where there is none.
pub(crate) fn last_entry(connection: &Connection) -> Result<(i64, i64), Fault> {
    let mut statement = connection
        .prepare_cached("SELECT seq, stamp FROM object_change ORDER BY seq DESC LIMIT 1")?;
    let mut rows = statement.query([])?;
    Ok(match rows.next()? {
        Some(row) => (row.get(0)?, row.get(1)?),
        None => (0, 0),
    })
}

pub(super) fn has_entry(connection: &Connection, seq: i64, stamp: i64) -> Result<bool, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM object_change WHERE seq = ?1 AND stamp = ?2")?;
    Ok(statement.exists([seq, stamp])?)
}

/// How much room an object takes, roughly.
pub(super) fn size(object: &ReplicaObject) -> usize {
    let of_row = |row: &TableRow| {
        let cells = row.cells.iter().map(|(name, cell)| {
            let value = match cell {
                Cell::Bytes(bytes) => bytes.len().saturating_mul(2),
                Cell::Integer(_) | Cell::Null => 8,
                Cell::Text(text) => text.len(),
            };
            name.len().saturating_add(value)
        });
        cells.fold(64, usize::saturating_add)
    };
    object
        .rows
        .iter()
        .map(of_row)
        .fold(128, usize::saturating_add)
}

/// A cell, to be bound or compared.
pub(super) fn value_of(cell: &Cell) -> Value {
    match cell {
        Cell::Bytes(bytes) => Value::Blob(bytes.clone()),
        Cell::Integer(number) => Value::Integer(*number),
        Cell::Null => Value::Null,
        Cell::Text(text) => Value::Text(text.clone()),
    }
}

/// The key of a row. Keys compare as SQLite sorts them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowKey(pub(super) Vec<Value>);

impl Eq for RowKey {}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        let orders = pairs.map(|pair| match pair {
            (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
            (Value::Text(one), Value::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
            (Value::Blob(one), Value::Blob(other)) => one.cmp(other),
            (one, other) => rank(one).cmp(&rank(other)),
        });
        orders.fold(Ordering::Equal, Ordering::then)
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    }
}
