//! A snapshot on its way into a replica: all of it in a database of its own, until it is
//! whole.

use std::path::Path;

use countersign_core::store::{Cell, Intent, ReplicaObject, StoreError, TableRow};
use countersign_sql::{ColumnType, FOLLOWED, ObjectKind, TableShape, quoted};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::misfit;
use super::object::{RowKey, conditions, part_of};
use crate::cell::Bound;
use crate::connect::connect;
use crate::error::Fault;
use crate::store::SqliteStore;
use crate::tables::staged::fits;
use crate::tables::{insert_into, shape_of};
use crate::transaction_guard as guard;

/// What a centre told so far, in a database without a name that is gone with this.
#[derive(Debug)]
pub struct StagedSnapshot {
    pub(super) connection: Connection,
    pub(super) tables: Vec<TableShape>,
}

impl StagedSnapshot {
    /// Makes room for what the centre of `store` tells.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when there is none.
    pub fn begin(store: &SqliteStore) -> Result<Self, StoreError> {
        let beginning = || {
            let tables = shapes(&store.connection)?;
            let connection = connect(Path::new(""), OpenFlags::SQLITE_OPEN_CREATE)?;
            connection.execute_batch("PRAGMA synchronous = OFF")?;
            guard::begin(&connection, Intent::Write)?;
            for (shape, followed) in tables.iter().zip(FOLLOWED) {
                connection.execute_batch(&make(shape))?;
                let object: Vec<_> = followed.object.iter().map(|(it, _)| *it).collect();
                if !shape.key.iter().zip(&object).all(|(key, of)| key == of) {
                    connection.execute_batch(&format!(
                        "CREATE INDEX of_{name} ON {name} ({columns})",
                        name = shape.name,
                        columns = object.join(", "),
                    ))?;
                }
            }
            Ok(Self { connection, tables })
        };
        beginning().map_err(|fault: Fault| of_place(fault))
    }

    /// Adds objects, or puts them in the place of what was told of them before.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Damaged` when one is none that a store has.
    pub fn add(&mut self, objects: &[ReplicaObject]) -> Result<(), StoreError> {
        let adding = || {
            for object in objects {
                self.put(object)?;
            }
            Ok(())
        };
        adding().map_err(|fault: Fault| of_place(fault))
    }

    fn put(&self, told: &ReplicaObject) -> Result<(), Fault> {
        let kind = ObjectKind::parse(&told.object.kind);
        for (shape, followed) in self.tables.iter().zip(FOLLOWED) {
            if kind != Some(followed.kind) {
                continue;
            }
            let parts = followed.object.iter();
            let mut values = vec![rusqlite::types::Value::Null];
            values.extend(parts.map(|(_, part)| part_of(*part, &told.object)));
            let sql = format!(
                "DELETE FROM {} WHERE {}",
                shape.name,
                conditions(followed.object)
            );
            self.connection
                .prepare_cached(&sql)?
                .execute(params_from_iter(values))?;
        }
        for row in &told.rows {
            let mut tables = self.tables.iter().zip(FOLLOWED);
            let table = tables.find(|(shape, it)| shape.name == row.table && kind == Some(it.kind));
            let (shape, _) = table.ok_or_else(|| misfit("a table"))?;
            let values = values_of(shape, row)?;
            let values = values.into_iter().map(Bound);
            self.connection
                .prepare_cached(&insert_into(shape))?
                .execute(params_from_iter(values))?;
        }
        Ok(())
    }
}

/// The cells of a row in the order of its table's columns, if it has each.
pub(super) fn values_of<'a>(shape: &TableShape, row: &'a TableRow) -> Result<Vec<&'a Cell>, Fault> {
    if row.cells.len() != shape.columns.len() {
        return Err(misfit("the columns of a row"));
    }
    let columns = shape.columns.iter();
    let values = columns.map(|column| {
        let mut cells = row.cells.iter();
        let cell = cells.find(|(name, _)| *name == column.name);
        let cell = cell.map(|(_, cell)| cell);
        cell.filter(|cell| fits(cell, column.holds))
            .ok_or_else(|| misfit("a column of a row"))
    });
    values.collect()
}

/// The shapes of all tables that followers have.
pub(super) fn shapes(connection: &Connection) -> Result<Vec<TableShape>, Fault> {
    let shapes = FOLLOWED.iter().map(|followed| {
        shape_of(connection, followed.name)?
            .ok_or_else(|| Fault::Content(format!("the table `{}`", followed.name)))
    });
    shapes.collect()
}

/// A table with these columns and this key, which refers to nothing.
fn make(shape: &TableShape) -> String {
    let columns: Vec<_> = shape
        .columns
        .iter()
        .map(|column| {
            let holds = match column.holds {
                ColumnType::Bytes => "BLOB",
                ColumnType::Integer => "INTEGER",
                ColumnType::Text => "TEXT",
            };
            format!("\"{}\" {holds}", column.name)
        })
        .collect();
    format!(
        "CREATE TABLE {name} ({columns}, is_new INTEGER NOT NULL DEFAULT 0,
             PRIMARY KEY ({key})) STRICT, WITHOUT ROWID",
        name = shape.name,
        columns = columns.join(", "),
        key = quoted(shape.key.iter()),
    )
}

/// The key of a row that is read.
pub(super) fn key_of(shape: &TableShape, row: &rusqlite::Row<'_>) -> Result<RowKey, Fault> {
    let mut key = Vec::new();
    for column in &shape.key {
        let places = shape.columns.iter().position(|it| it.name == *column);
        let place = places.ok_or_else(|| misfit("a key"))?;
        key.push(row.get(place)?);
    }
    Ok(RowKey(key))
}

/// Whether two rows of one table say the same.
pub(super) fn is_same(
    shape: &TableShape,
    one: &rusqlite::Row<'_>,
    other: &rusqlite::Row<'_>,
) -> Result<bool, Fault> {
    for place in 0..shape.columns.len() {
        if one.get_ref(place)? != other.get_ref(place)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The values of a row that is read, to be bound.
pub(super) fn borrowed<'a>(
    shape: &TableShape,
    row: &'a rusqlite::Row<'_>,
) -> Result<Vec<ToSqlOutput<'a>>, Fault> {
    let mut values = Vec::with_capacity(shape.columns.len());
    for place in 0..shape.columns.len() {
        let value: ValueRef<'_> = row.get_ref(place)?;
        values.push(ToSqlOutput::Borrowed(value));
    }
    Ok(values)
}

fn of_place(fault: Fault) -> StoreError {
    fault.while_trying("keep what the centre tells", &std::env::temp_dir())
}
