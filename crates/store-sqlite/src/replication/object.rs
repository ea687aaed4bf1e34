//! Objects: how they are named and told apart.

use core::cmp::Ordering;

use countersign_core::store::{Cell, ObjectName};
use countersign_sql::{KeyPart, quote};
use rusqlite::types::Value;

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
