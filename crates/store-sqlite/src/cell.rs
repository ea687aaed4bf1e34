//! The value of one column, as SQLite has it.

use countersign_core::store::Cell;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

/// A value that is stored, if it is one that stores have.
pub(crate) fn cell(value: ValueRef<'_>) -> Option<Cell> {
    Some(match value {
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Null => Cell::Null,
        ValueRef::Real(_) => return None,
        ValueRef::Text(text) => Cell::Text(core::str::from_utf8(text).ok()?.to_owned()),
    })
}

/// A cell as SQLite takes it.
pub(crate) struct Bound<'a>(pub(crate) &'a Cell);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Cell::Integer(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}
