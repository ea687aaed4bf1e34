//! The store as what all stores share reads it.

use countersign_core::store::Cell;
use countersign_sql::{KeyPart, SqlReader, last_object_change};
use rusqlite::{Connection, Row, params_from_iter};

use crate::cell::Bound;
use crate::cell::cell;
use crate::error::Fault;

/// The number and the stamp of the last entry of the log; zeros where there is none.
pub(crate) fn last_entry(connection: &Connection) -> Result<(i64, i64), Fault> {
    last_object_change(&State(connection))
}

/// The values of a row that has so many columns.
pub(crate) fn cells(row: &Row<'_>, columns: usize) -> Result<Vec<Cell>, Fault> {
    let cell = |column| {
        let name = || row.as_ref().column_name(column).unwrap_or("?").to_owned();
        cell(row.get_ref(column)?).ok_or_else(|| Fault::Content(format!("a stored `{}`", name())))
    };
    (0..columns).map(cell).collect()
}

/// A store at one moment.
pub(crate) struct State<'a>(pub(crate) &'a Connection);

impl SqlReader for State<'_> {
    type Fault = Fault;

    const NO_BYTES: &'static str = "x''";

    fn list(place: usize, parts: &[KeyPart]) -> String {
        let columns: Vec<_> = match parts {
            [_] => vec!["value".to_owned()],
            parts => (0..parts.len())
                .map(|part| format!("json_extract(value, '$[{part}]')"))
                .collect(),
        };
        format!("(SELECT {} FROM json_each(?{place}))", columns.join(", "))
    }

    fn rows(&self, sql: &str, values: &[Cell]) -> Result<Vec<Vec<Cell>>, Fault> {
        let Self(connection) = self;
        let mut statement = connection.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values.iter().map(Bound)))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(cells(row, columns)?);
        }
        Ok(found)
    }

    fn nonsense(what: String) -> Fault {
        Fault::Content(what)
    }
}
