//! The line of a row as it is read: nothing in it that a row does not have, no
//! column twice.

use core::fmt;

use countersign_core::hex;
use countersign_core::store::{Cell, TableRow};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// The key of bytes.
pub(super) const HEX: &str = "hex";

/// One line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadRow {
    table: String,
    row: ReadCells,
}

impl From<ReadRow> for TableRow {
    fn from(read: ReadRow) -> Self {
        Self {
            table: read.table,
            cells: read.row.0,
        }
    }
}

struct ReadCells(Vec<(String, Cell)>);

struct ReadCell(Cell);

impl<'de> Deserialize<'de> for ReadCells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CellsVisitor)
    }
}

struct CellsVisitor;

impl<'de> Visitor<'de> for CellsVisitor {
    type Value = ReadCells;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the columns of a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ReadCells, A::Error> {
        let mut cells: Vec<(String, Cell)> = Vec::new();
        while let Some((name, ReadCell(cell))) = members.next_entry::<String, _>()? {
            if cells.len() >= MOST_COLUMNS {
                return Err(A::Error::custom("the row has too many columns"));
            }
            if cells.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("the row has a column twice"));
            }
            cells.push((name, cell));
        }
        Ok(ReadCells(cells))
    }
}

impl<'de> Deserialize<'de> for ReadCell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor).map(ReadCell)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, a text, bytes or null")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        let number = i64::try_from(value).map_err(|_| E::custom("a number is too large"))?;
        Ok(Cell::Integer(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Cell, A::Error> {
        let not_bytes = || A::Error::custom("a value is not bytes as `{\"hex\":\"00ff\"}`");
        let Some((name, digits)) = members.next_entry::<String, String>()? else {
            return Err(not_bytes());
        };
        let bytes = hex::decode(&digits).filter(|_| name == HEX);
        if members.next_key::<String>()?.is_some() {
            return Err(not_bytes());
        }
        bytes.map(Cell::Bytes).ok_or_else(not_bytes)
    }
}

/// More than any table has.
const MOST_COLUMNS: usize = 64;
