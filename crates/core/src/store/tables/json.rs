//! A row as JSON. Where one is read, there is nothing in it that a row does not have,
//! and no column twice.

use core::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::{SerializeMap as _, SerializeStruct as _};
use serde::{Deserialize, Serialize, Serializer};

use super::{Cell, TableRow};
use crate::hex;

/// The key of bytes.
const HEX: &str = "hex";

impl Serialize for TableRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("row", 2)?;
        line.serialize_field("table", &self.table)?;
        line.serialize_field("row", &Cells(&self.cells))?;
        line.end()
    }
}

struct Cells<'a>(&'a [(String, Cell)]);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(Some(self.0.len()))?;
        for (name, cell) in self.0 {
            row.serialize_entry(name, cell)?;
        }
        row.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => {
                let mut value = serializer.serialize_map(Some(1))?;
                value.serialize_entry(HEX, &hex::encode(bytes))?;
                value.end()
            }
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Null => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for TableRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ReadRow { table, row } = ReadRow::deserialize(deserializer)?;
        Ok(Self {
            table,
            cells: row.0,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadRow {
    table: String,
    row: ReadCells,
}

struct ReadCells(Vec<(String, Cell)>);

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
        while let Some((name, cell)) = members.next_entry::<String, Cell>()? {
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

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
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
