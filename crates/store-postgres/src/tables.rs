//! Whole tables: what they look like, and how an export reads them.

use countersign_core::store::{AdminStore as _, Cell, ExportPart, ExportScope, Intent, StoreError};
use countersign_sql::{Column, ColumnType, TableReader, TableShape, export};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Walk, params};
use crate::sql_reader::{State, cells, value_of};
use crate::store::PostgresStore;

impl PostgresStore {
    /// Reads what an export of `scope` has, as it is at one moment: the header, then each
    /// row. Memory does not grow with the store.
    ///
    /// # Errors
    ///
    /// Returns what `each` fails with, and [`StoreError`] when the store can't be read.
    pub fn export<E: From<StoreError>>(
        &mut self,
        scope: &ExportScope,
        each: impl FnMut(ExportPart) -> Result<(), E>,
    ) -> Result<(), E> {
        let key = self.key_file.read().key;
        let transaction = self.begin(Intent::Read)?;
        transaction.run("export the store", |connection| {
            export(&State(connection), scope, key.as_ref(), each)
        })?
    }
}

impl TableReader for State<'_> {
    fn shape(&self, table: &'static str) -> Result<Option<TableShape>, Fault> {
        shape_of(self.0, table).map(Some)
    }

    /// Of the number that was given last, be it by a transaction that nobody sees yet: it
    /// is not given again.
    fn last_number(&self, table: &'static str) -> Result<Option<i64>, Fault> {
        let statement = self.0.prepare(LAST_NUMBER)?;
        statement.query_row(params![format!("countersign.{table}")], |row| row.get(0))
    }

    fn walk<E>(
        &self,
        sql: &str,
        values: &[Cell],
        mut each: impl FnMut(Vec<Cell>) -> Result<(), E>,
    ) -> Result<Result<(), E>, Fault> {
        let values: Vec<_> = values.iter().map(value_of).collect();
        let mut told = Ok(());
        self.0.walk(&sql.replace('?', "$"), values, |row| {
            told = each(cells(row)?);
            Ok(if told.is_ok() { Walk::On } else { Walk::Enough })
        })?;
        Ok(told)
    }
}

/// The shape of a table.
pub(crate) fn shape_of(connection: &Connection, table: &str) -> Result<TableShape, Fault> {
    let statement = connection.prepare(SHAPE)?;
    let mut rows = statement.query(params![format!("countersign.{table}")])?;
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let row = &mut RowReader::of(row);
        let name = row.text()?.to_owned();
        let holds = match row.text()? {
            "bigint" => ColumnType::Integer,
            "bytea" => ColumnType::Bytes,
            "text" => ColumnType::Text,
            _ => return Err(row.nonsense()),
        };
        if let Some(place) = row.maybe_number()? {
            key.push((place, name.clone()));
        }
        columns.push(Column { name, holds });
    }
    key.sort();
    Ok(TableShape {
        name: table.to_owned(),
        columns,
        key: key.into_iter().map(|(_, column)| column).collect(),
    })
}

/// The columns of a table, what each holds, and its place in the primary key.
const SHAPE: &str = "SELECT attname::text, format_type(atttypid, atttypmod),
        array_position(indkey::int2[], attnum)::bigint
    FROM pg_catalog.pg_attribute LEFT JOIN pg_catalog.pg_index
        ON indrelid = attrelid AND indisprimary
    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum";
/// None where the sequence gave none yet.
const LAST_NUMBER: &str =
    "SELECT pg_sequence_last_value(pg_get_serial_sequence($1::text, 'id')::regclass)";
