//! The shape of a table, and statements that are made of it.

use countersign_core::store::{Cell, TableRow};

use crate::reader::SqlReader;

/// The name of a table and its columns, as a schema has them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableShape {
    /// The table.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    pub key: Vec<String>,
}

/// A column of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// What it is called.
    pub name: String,
    /// What it holds.
    pub holds: ColumnType,
}

/// What a column holds, where it holds something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ColumnType {
    /// Bytes.
    Bytes,
    /// A whole number of 64 bits.
    Integer,
    /// A text.
    Text,
}

impl TableShape {
    /// Reads all columns of the rows that meet a condition, in the order of the key; `shown`
    /// says what stands for a column.
    pub fn select(&self, shown: impl Fn(&str) -> String, condition: &str) -> String {
        let columns: Vec<_> = self.columns.iter().map(|it| shown(&it.name)).collect();
        format!(
            "SELECT {columns} FROM \"{name}\" WHERE {condition} ORDER BY {key}",
            columns = columns.join(", "),
            name = self.name,
            key = quoted(self.key.iter()),
        )
    }

    /// A row that was read.
    ///
    /// # Errors
    ///
    /// Returns the store's fault when it does not have the table's columns.
    pub fn row<R: SqlReader>(&self, cells: Vec<Cell>) -> Result<TableRow, R::Fault> {
        if cells.len() != self.columns.len() {
            return Err(R::nonsense(format!("the columns of `{}`", self.name)));
        }
        let names = self.columns.iter().map(|it| it.name.clone());
        Ok(TableRow {
            table: self.name.clone(),
            cells: names.zip(cells).collect(),
        })
    }
}

/// No byte of what stands in a column, where something does.
pub(crate) fn empty_if_set<R: SqlReader>(column: &str) -> String {
    format!("CASE WHEN {column} IS NOT NULL THEN {} END", R::NO_BYTES)
}

/// Names of columns as SQL has them. They are the schema's, never a stranger's.
pub fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let quoted: Vec<_> = names.map(|name| quote(name)).collect();
    quoted.join(", ")
}

/// The name of a column or a table as SQL has it.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{name}\"")
}
