//! A snapshot on its way into a replica: all of it in a database of its own, until it is
//! whole.

use std::path::Path;

use countersign_core::store::{Cell, Intent, ObjectName, ReplicaObject, StoreError, TableRow};
use countersign_sql::{ColumnType, FOLLOWED, FollowedTable, ObjectKind, TableShape, quoted};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::misfit;
use super::object::{RowKey, conditions, part_of};
use crate::cell::Bound;
use crate::connect::connect;
use crate::error::Fault;
use crate::store::SqliteStore;
use crate::tables::staged::fits;
use crate::tables::{replace_in, shape_of};
use crate::transaction_guard as guard;

/// What a centre told so far, in a database without a name that is gone with this.
#[derive(Debug)]
pub struct StagedSnapshot {
    pub(super) connection: Connection,
    pub(super) tables: Vec<StagedTable>,
}

#[derive(Debug)]
pub(super) struct StagedTable {
    pub(super) shape: TableShape,
    followed: &'static FollowedTable,
    insert: String,
    /// Removes what was told of an object.
    forget: String,
}

impl StagedSnapshot {
    /// Makes room for what the centre of `store` tells.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when there is none.
    pub fn begin(store: &SqliteStore) -> Result<Self, StoreError> {
        let beginning = || {
            let shapes = shapes(&store.connection)?;
            let connection = connect(Path::new(""), OpenFlags::SQLITE_OPEN_CREATE)?;
            connection.execute_batch("PRAGMA synchronous = OFF")?;
            guard::begin(&connection, Intent::Write)?;
            for (shape, followed) in shapes.iter().zip(FOLLOWED) {
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
            let tables = shapes.into_iter().zip(FOLLOWED);
            let tables = tables.map(|(shape, followed)| StagedTable::of(shape, followed));
            Ok(Self {
                connection,
                tables: tables.collect(),
            })
        };
        beginning().map_err(|fault: Fault| of_place(fault))
    }

    /// Adds objects of which nothing was told before: those of a page.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] of kind `Damaged` when one is none that a store has.
    pub fn add(&mut self, objects: &[ReplicaObject]) -> Result<(), StoreError> {
        self.put(objects, false)
    }

    /// Puts objects in the place of what was told of them before.
    ///
    /// # Errors
    ///
    /// As [`StagedSnapshot::add`].
    pub fn replace(&mut self, objects: &[ReplicaObject]) -> Result<(), StoreError> {
        self.put(objects, true)
    }

    fn put(&self, objects: &[ReplicaObject], are_known: bool) -> Result<(), StoreError> {
        let putting = || {
            for told in objects {
                let kind = ObjectKind::parse(&told.object.kind);
                if are_known {
                    self.forget(kind, &told.object)?;
                }
                for row in &told.rows {
                    self.insert(kind, row)?;
                }
            }
            Ok(())
        };
        putting().map_err(|fault: Fault| of_place(fault))
    }

    fn forget(&self, kind: Option<ObjectKind>, object: &ObjectName) -> Result<(), Fault> {
        let tables = self.tables.iter();
        for table in tables.filter(|it| kind == Some(it.followed.kind)) {
            let parts = table.followed.object.iter();
            let mut values = vec![rusqlite::types::Value::Null];
            values.extend(parts.map(|(_, part)| part_of(*part, object)));
            self.connection
                .prepare_cached(&table.forget)?
                .execute(params_from_iter(values))?;
        }
        Ok(())
    }

    fn insert(&self, kind: Option<ObjectKind>, row: &TableRow) -> Result<(), Fault> {
        let mut tables = self.tables.iter();
        let table = tables.find(|it| it.shape.name == row.table && kind == Some(it.followed.kind));
        let table = table.ok_or_else(|| misfit("a table"))?;
        let values = values_of(&table.shape, row)?;
        self.connection
            .prepare_cached(&table.insert)?
            .execute(params_from_iter(values.into_iter().map(Bound)))?;
        Ok(())
    }
}

impl StagedTable {
    fn of(shape: TableShape, followed: &'static FollowedTable) -> Self {
        Self {
            // A row may have gone from one object to another since the other was told.
            insert: replace_in(&shape),
            forget: format!(
                "DELETE FROM {} WHERE {}",
                shape.name,
                conditions(followed.object)
            ),
            shape,
            followed,
        }
    }
}

/// The cells of a row in the order of its table's columns, if it has each.
pub(super) fn values_of<'a>(shape: &TableShape, row: &'a TableRow) -> Result<Vec<&'a Cell>, Fault> {
    if row.cells.len() != shape.columns.len() {
        return Err(misfit("the columns of a row"));
    }
    let columns = shape.columns.iter().zip(&row.cells);
    let values = columns.map(|(column, next)| {
        // They mostly come in this order.
        let mut cells = core::iter::once(next).chain(&row.cells);
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
