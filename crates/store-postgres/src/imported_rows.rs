//! Rows of whole tables, as an import puts them into an empty store.

use countersign_core::store::{StoreError, TableRow};
use countersign_sql::{quote, quoted};

use crate::error::Fault;
use crate::sql::{Connection, Value, params};
use crate::sql_reader::value_of;
use crate::transaction::PostgresTransaction;

impl PostgresTransaction<'_> {
    /// Says whether a table holds something.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn holds_rows(&mut self, table: &'static str) -> Result<bool, StoreError> {
        self.run(ACTION, |connection| {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quote(table));
            connection.prepare(&sql)?.query_row((), |row| row.get(0))
        })
    }

    /// Removes all settings, in whose place others come.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    pub fn clear_settings(&mut self) -> Result<(), StoreError> {
        self.run(ACTION, |connection| connection.run("DELETE FROM setting"))
    }

    /// Adds rows, each with all columns of its table, after those that they refer to.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written, and when it has no such rows.
    /// What was written until then must not be committed.
    pub fn add_rows(&mut self, rows: &[TableRow]) -> Result<(), StoreError> {
        self.run(ACTION, |connection| {
            let of_one_table = rows.chunk_by(|one, other| one.table == other.table);
            for rows in of_one_table {
                let (many, rest) = rows.as_chunks::<AT_ONCE>();
                for rows in many {
                    add(connection, rows)?;
                }
                for row in rest {
                    add(connection, core::slice::from_ref(row))?;
                }
            }
            Ok(())
        })
    }

    /// Has tables give no number again that was given up to there, or that a row has.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    pub fn raise_numbers(&mut self, numbers: &[(&'static str, i64)]) -> Result<(), StoreError> {
        self.run(ACTION, |connection| {
            let mut numbered = connection.prepare(NUMBERED)?.query(())?;
            while let Some(row) = numbered.next()? {
                let table: String = row.get(0)?;
                let mut given = numbers.iter().filter(|(of, _)| *of == table);
                let given = given.next().map_or(0, |(_, last)| *last);
                let raise = format!(
                    "SELECT setval(pg_get_serial_sequence('countersign.{table}', 'id'), last)
                     FROM (SELECT greatest($1::bigint, max(id)) AS last FROM {}) AS given
                     WHERE last > 0",
                    quote(&table)
                );
                connection.prepare(&raise)?.query(params![given])?;
            }
            Ok(())
        })
    }
}

fn add(connection: &Connection, rows: &[TableRow]) -> Result<(), Fault> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let names: Vec<_> = first.cells.iter().map(|(name, _)| name.clone()).collect();
    let mut values: Vec<Value> = Vec::new();
    let mut marks = Vec::with_capacity(rows.len());
    for row in rows {
        let mut places = Vec::with_capacity(names.len());
        for (_, cell) in &row.cells {
            values.push(value_of(cell));
            places.push(format!("${}", values.len()));
        }
        marks.push(format!("({})", places.join(", ")));
    }
    let sql = format!(
        "INSERT INTO {table} ({columns}) VALUES {marks}",
        table = quote(&first.table),
        columns = quoted(names.iter()),
        marks = marks.join(", "),
    );
    connection.prepare(&sql)?.execute(values)?;
    Ok(())
}

/// The tables that number their rows.
const NUMBERED: &str = "SELECT relname::text FROM pg_catalog.pg_class
    JOIN pg_catalog.pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'countersign'::regnamespace AND attname = 'id' AND attidentity <> ''
    ORDER BY relname";
/// So many rows are added by one statement.
const AT_ONCE: usize = 64;
const ACTION: &str = "import into the store";
