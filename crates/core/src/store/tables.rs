//! Whole tables of a store, as an export has them.

use std::collections::BTreeMap;

use crate::name::TenantId;

mod json;

/// What an export is of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExportScope {
    /// Of this tenant alone, with the users that have grants in it.
    pub tenant: Option<TenantId>,
    /// With what is sealed, as it is sealed.
    pub with_sealed: bool,
}

/// What holds for a whole export, and stands before its rows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExportHeader {
    /// The number of the schema that the tables are of.
    pub schema: u32,
    /// What it is of.
    pub scope: ExportScope,
    /// The fingerprint of the key that what is sealed was sealed with.
    pub key: Option<String>,
    /// The last number that each table gave to a row, so that none is given
    /// twice.
    pub sequences: BTreeMap<String, i64>,
    /// How many rows there are of each table.
    pub rows: BTreeMap<String, u64>,
}

/// What comes next in an export.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
pub enum ExportPart {
    /// What stands before all rows.
    Header(ExportHeader),
    /// A row.
    Row(TableRow),
}

/// One row of a table. It may hold hashes of passwords.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
#[derive(Clone, Eq, PartialEq)]
pub struct TableRow {
    /// The table.
    pub table: String,
    /// The columns, by name.
    pub cells: Vec<(String, Cell)>,
}

/// The value of one column.
#[expect(missing_debug_implementations, reason = "it may be a hash")]
#[derive(Clone, Eq, PartialEq)]
pub enum Cell {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A whole number.
    Integer(i64),
    /// Nothing.
    Null,
    /// A text.
    Text(String),
}

impl ExportHeader {
    /// How many rows there are in all.
    #[must_use]
    pub fn all_rows(&self) -> u64 {
        self.rows
            .values()
            .fold(0, |sum, rows| sum.saturating_add(*rows))
    }
}
