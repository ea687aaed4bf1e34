//! Whole tables: how they are read, and how they get into another store.
//!
//! Columns and keys are asked of the schema, so that a new column goes along by
//! itself. A new table has to be named in what all stores share; a test says so.

use countersign_sql::{Column, ColumnType, TableShape, quoted};
use rusqlite::Connection;

use crate::error::Fault;

mod content;
pub(crate) mod export;
mod fill;
pub(crate) mod staged;
mod staging_error;
#[cfg(test)]
mod tests;

pub use self::staged::{StagedSummary, StagedTables};
pub use self::staging_error::StagingError;

/// The shape of a table; none where there is no such table.
pub(crate) fn shape_of(connection: &Connection, name: &str) -> Result<Option<TableShape>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT name, type, pk FROM pragma_table_info(?1)")?;
    let mut rows = statement.query([name])?;
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    while let Some(row) = rows.next()? {
        let column: String = row.get(0)?;
        let holds = match row.get::<_, String>(1)?.as_str() {
            "BLOB" => ColumnType::Bytes,
            "INTEGER" => ColumnType::Integer,
            "TEXT" => ColumnType::Text,
            _ => return Err(Fault::Content(format!("the type of `{name}.{column}`"))),
        };
        let place: i64 = row.get(2)?;
        if place > 0 {
            key.push((place, column.clone()));
        }
        columns.push(Column {
            name: column,
            holds,
        });
    }
    key.sort();
    Ok((!columns.is_empty()).then(|| TableShape {
        name: name.into(),
        columns,
        key: key.into_iter().map(|(_, column)| column).collect(),
    }))
}

/// Adds a row with all columns.
pub(crate) fn insert_into(shape: &TableShape) -> String {
    write_into(shape, "INSERT")
}

/// Adds a row with all columns, in the place of the one with its key.
pub(crate) fn replace_in(shape: &TableShape) -> String {
    write_into(shape, "REPLACE")
}

fn write_into(shape: &TableShape, how: &str) -> String {
    let marks = vec!["?"; shape.columns.len()].join(", ");
    format!(
        "{how} INTO \"{name}\" ({columns}) VALUES ({marks})",
        name = shape.name,
        columns = quoted(shape.columns.iter().map(|column| &column.name)),
    )
}

/// The last number that a table gave to a row; none where it gives none.
fn sequence(connection: &Connection, table: &str) -> Result<Option<i64>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1 AND seq > 0")?;
    let mut rows = statement.query([table])?;
    Ok(match rows.next()? {
        Some(row) => Some(row.get(0)?),
        None => None,
    })
}

/// Has a table give no number again that was given up to there.
pub(crate) fn raise_sequence(connection: &Connection, table: &str, last: i64) -> Result<(), Fault> {
    let raised = connection
        .prepare_cached("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1")?
        .execute(rusqlite::params![table, last])?;
    if raised == 0 {
        connection
            .prepare_cached("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)")?
            .execute(rusqlite::params![table, last])?;
    }
    Ok(())
}
