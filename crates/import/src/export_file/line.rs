//! The lines as they are written, and the header as it is read.

use std::collections::BTreeMap;

use countersign_core::hex;
use countersign_core::name::TenantId;
use countersign_core::store::{Cell, ExportHeader, ExportScope, TableRow};
use serde::ser::{SerializeMap as _, SerializeStruct as _};
use serde::{Deserialize, Serialize, Serializer};

use super::FORMAT;

/// The first line of an export, to be written as JSON.
#[must_use]
pub fn header_line(header: &ExportHeader) -> impl Serialize {
    HeaderLine {
        format: FORMAT,
        schema: header.schema,
        tenant: header.scope.tenant.as_ref().map(ToString::to_string),
        with_sealed: header.scope.with_sealed,
        key: header.key.clone(),
        sequences: header.sequences.clone(),
        rows: header.rows.clone(),
    }
}

/// The line of a row, to be written as JSON.
#[must_use]
pub fn row_line(row: &TableRow) -> impl Serialize {
    RowLine(row)
}

/// The header, key by key.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine {
    pub(super) format: u32,
    schema: u32,
    tenant: Option<String>,
    with_sealed: bool,
    key: Option<String>,
    sequences: BTreeMap<String, i64>,
    rows: BTreeMap<String, u64>,
}

/// What is read of any header, so that one of another form can be told.
#[derive(Deserialize)]
pub(super) struct FormatLine {
    pub(super) format: u32,
}

impl HeaderLine {
    /// The header, if its tenant has the name of one.
    pub(super) fn into_header(self) -> Option<ExportHeader> {
        let tenant = match self.tenant {
            Some(tenant) => Some(TenantId::parse(&tenant).ok()?),
            None => None,
        };
        Some(ExportHeader {
            schema: self.schema,
            scope: ExportScope {
                tenant,
                with_sealed: self.with_sealed,
            },
            key: self.key,
            sequences: self.sequences,
            rows: self.rows,
        })
    }
}

struct RowLine<'a>(&'a TableRow);

struct Cells<'a>(&'a [(String, Cell)]);

struct CellValue<'a>(&'a Cell);

impl Serialize for RowLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("row", 2)?;
        line.serialize_field("table", &self.0.table)?;
        line.serialize_field("row", &Cells(&self.0.cells))?;
        line.end()
    }
}

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(Some(self.0.len()))?;
        for (name, cell) in self.0 {
            row.serialize_entry(name, &CellValue(cell))?;
        }
        row.end()
    }
}

impl Serialize for CellValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Cell::Bytes(bytes) => {
                let mut value = serializer.serialize_map(Some(1))?;
                value.serialize_entry(super::row::HEX, &hex::encode(bytes))?;
                value.end()
            }
            Cell::Integer(number) => serializer.serialize_i64(*number),
            Cell::Null => serializer.serialize_unit(),
            Cell::Text(text) => serializer.serialize_str(text),
        }
    }
}
