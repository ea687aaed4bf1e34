//! The store as what all stores share reads it.

use countersign_core::store::Cell;
use countersign_sql::{KeyPart, SqlReader, last_object_change};

use crate::error::Fault;
use crate::sql::{CellRef, Connection, Row, Value};

/// The number and the stamp of the last entry of the log; zeros where there is none.
pub(crate) fn last_entry(connection: &Connection) -> Result<(i64, i64), Fault> {
    last_object_change(&State(connection))
}

/// A store at one moment.
pub(crate) struct State<'a>(pub(crate) &'a Connection);

impl SqlReader for State<'_> {
    type Fault = Fault;

    const NO_BYTES: &'static str = "''::bytea";

    fn list(place: usize, parts: &[KeyPart]) -> String {
        let column = |part: &KeyPart, text: &str| match part {
            KeyPart::Number => format!("({text})::bigint"),
            KeyPart::Tenant | KeyPart::Name => text.to_owned(),
        };
        match parts {
            [part] => format!(
                "(SELECT {} FROM jsonb_array_elements_text(?{place}::text::jsonb) AS of (it))",
                column(part, "it")
            ),
            parts => {
                let columns: Vec<_> = parts
                    .iter()
                    .enumerate()
                    .map(|(place, part)| column(part, &format!("it ->> {place}")))
                    .collect();
                format!(
                    "(SELECT {} FROM jsonb_array_elements(?{place}::text::jsonb) AS of (it))",
                    columns.join(", ")
                )
            }
        }
    }

    fn rows(&self, sql: &str, values: &[Cell]) -> Result<Vec<Vec<Cell>>, Fault> {
        let Self(connection) = self;
        let statement = connection.prepare(&sql.replace('?', "$"))?;
        let values: Vec<_> = values.iter().map(value_of).collect();
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(cells(row)?);
        }
        Ok(found)
    }

    fn nonsense(what: String) -> Fault {
        Fault::Content(what)
    }
}

pub(crate) fn value_of(cell: &Cell) -> Value {
    match cell {
        Cell::Bytes(bytes) => Value::Bytes(bytes.clone()),
        Cell::Integer(number) => Value::Integer(*number),
        Cell::Null => Value::Null,
        Cell::Text(text) => Value::Text(text.clone()),
    }
}

/// The values of a row.
pub(crate) fn cells(row: &Row) -> Result<Vec<Cell>, Fault> {
    let cells = (0..row.len()).map(|column| row.cell(column).map(cell_of));
    cells.collect()
}

fn cell_of(value: CellRef<'_>) -> Cell {
    match value {
        CellRef::Null => Cell::Null,
        CellRef::Integer(number) => Cell::Integer(number),
        CellRef::Text(text) => Cell::Text(text.into()),
        CellRef::Bytes(bytes) => Cell::Bytes(bytes.into()),
    }
}
