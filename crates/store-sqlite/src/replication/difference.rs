//! What differs between a replica and a snapshot of its centre.

use core::cmp::Ordering;

use countersign_sql::{TableShape, quote, quoted};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::object::RowKey;
use super::snapshot::{StagedSnapshot, is_same, key_of};
use super::taking::FIRST_OWN;
use crate::error::Fault;

/// What differs, besides the rows that are marked in the snapshot as new.
pub(super) struct Differences {
    /// The rows that go.
    pub(super) removed: Removed,
    /// Of each table, whether the replica has nothing. All that a snapshot has of it is new
    /// then, and nothing is marked.
    pub(super) is_empty: Vec<bool>,
}

/// Compares a replica with a snapshot.
pub(super) fn find_differences(
    connection: &Connection,
    snapshot: &StagedSnapshot,
) -> Result<Differences, Fault> {
    let (mut removed, mut is_empty) = (Vec::new(), Vec::new());
    for (place, table) in snapshot.tables.iter().enumerate() {
        let shape = &table.shape;
        let ours = format!(
            "SELECT {columns} FROM {name} ORDER BY {key}",
            columns = quoted(shape.columns.iter().map(|it| &it.name)),
            name = quote(&shape.name),
            key = quoted(shape.key.iter()),
        );
        let mut new = Vec::new();
        {
            let mut ours = connection.prepare(&ours)?;
            let mut ours = ours.query([])?;
            let first = ours.next()?;
            is_empty.push(first.is_none());
            if first.is_none() {
                continue;
            }
            let mut theirs = snapshot.connection.prepare(&format!(
                "SELECT {columns} FROM {name} ORDER BY {key}",
                columns = quoted(shape.columns.iter().map(|it| &it.name)),
                name = shape.name,
                key = quoted(shape.key.iter()),
            ))?;
            let mut theirs = theirs.query([])?;
            let (mut our, mut their) = (first, theirs.next()?);
            loop {
                let order = match (our, their) {
                    (None, None) => break,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some(our), Some(their)) => key_of(shape, our)?.cmp(&key_of(shape, their)?),
                };
                match (order, our, their) {
                    (Ordering::Less, Some(row), _) => {
                        let key = key_of(shape, row)?;
                        if !is_brokers_own(&key) {
                            removed.push((place, key));
                        }
                    }
                    (Ordering::Greater, _, Some(row)) => new.push(key_of(shape, row)?),
                    (Ordering::Equal, Some(one), Some(other)) => {
                        if !is_same(shape, one, other)? {
                            new.push(key_of(shape, other)?);
                        }
                    }
                    _ => break,
                }
                if order != Ordering::Greater {
                    our = ours.next()?;
                }
                if order != Ordering::Less {
                    their = theirs.next()?;
                }
            }
        }
        let mark = format!(
            "UPDATE {} SET is_new = 1 WHERE {}",
            shape.name,
            by_key(shape)
        );
        let mut mark = snapshot.connection.prepare(&mark)?;
        for RowKey(key) in new {
            mark.execute(params_from_iter(key))?;
        }
    }
    Ok(Differences { removed, is_empty })
}

/// Whether a broker added this row by itself.
fn is_brokers_own(RowKey(key): &RowKey) -> bool {
    matches!(key.as_slice(), [Value::Integer(number)] if *number >= FIRST_OWN)
}

pub(super) fn by_key(shape: &TableShape) -> String {
    let terms: Vec<_> = shape
        .key
        .iter()
        .map(|it| format!("{} = ?", quote(it)))
        .collect();
    terms.join(" AND ")
}

/// The keys of rows that go, by the place of their table.
pub(super) type Removed = Vec<(usize, RowKey)>;
