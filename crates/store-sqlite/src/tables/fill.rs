//! Putting an export that was checked into an empty store.

use countersign_core::store::StoreError;
use countersign_sql::{EXPORTED, TableShape, quote};
use rusqlite::{Connection, params_from_iter};

use super::{StagedTables, insert_into, raise_sequence, sequence, shape_of};
use crate::error::Fault;
use crate::transaction::SqliteTransaction;

impl SqliteTransaction<'_> {
    /// A table of this store that holds something; none where the store holds
    /// nothing but settings.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn filled_table(&mut self) -> Result<Option<&'static str>, StoreError> {
        self.run(ACTION, |connection| {
            for table in EXPORTED.iter().filter(|table| table.name != SETTINGS) {
                if holds_rows(connection, table.name)? {
                    return Ok(Some(table.name));
                }
            }
            Ok(None)
        })
    }

    /// Puts all of an export into this store, which holds nothing but settings;
    /// those of the export take their place. Tells `each` of every row.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written. What was written
    /// until then must not be committed.
    pub fn fill(
        &mut self,
        staged: &StagedTables,
        mut each: impl FnMut(),
    ) -> Result<(), StoreError> {
        self.run(ACTION, |connection| {
            let from = &staged.connection;
            if holds_rows(from, SETTINGS)? {
                connection.execute("DELETE FROM setting", [])?;
            }
            for table in EXPORTED {
                let name = table.name;
                let Some(shape) = shape_of(from, name)? else {
                    return Err(Fault::Content(format!("the table `{name}`")));
                };
                copy(from, connection, &shape, &mut each)?;
                if let Some(last) = sequence(from, name)? {
                    raise_sequence(connection, name, last)?;
                }
            }
            Ok(())
        })
    }
}

fn copy(
    from: &Connection,
    to: &Connection,
    shape: &TableShape,
    each: &mut impl FnMut(),
) -> Result<(), Fault> {
    let mut select = from.prepare(&shape.select(quote, "true"))?;
    let mut insert = to.prepare(&insert_into(shape))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(shape.columns.len());
        for index in 0..shape.columns.len() {
            values.push(rusqlite::types::ToSqlOutput::Borrowed(row.get_ref(index)?));
        }
        insert.execute(params_from_iter(values))?;
        each();
    }
    Ok(())
}

fn holds_rows(connection: &Connection, table: &str) -> Result<bool, Fault> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quote(table));
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

const ACTION: &str = "import into the store";

/// What a store has from the start.
const SETTINGS: &str = "setting";
