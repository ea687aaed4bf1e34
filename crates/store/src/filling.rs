//! Putting an export into an empty store.

use countersign_core::store::{StoreError, TableRow};
use countersign_postgres::PostgresTransaction;
use countersign_sql::EXPORTED;
use countersign_sqlite::StagedTables;

use crate::AnyTransaction;

impl AnyTransaction<'_> {
    /// A table of this store that holds something; none where the store holds nothing but
    /// settings.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn filled_table(&mut self) -> Result<Option<&'static str>, StoreError> {
        match self {
            Self::File(transaction) => transaction.filled_table(),
            Self::Postgres(transaction) => {
                for table in EXPORTED.iter().filter(|table| table.name != SETTINGS) {
                    if transaction.holds_rows(table.name)? {
                        return Ok(Some(table.name));
                    }
                }
                Ok(None)
            }
        }
    }

    /// Puts all of an export into this store, which holds nothing but settings; those of the
    /// export take their place. Tells `each` of every row.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written. What was written until then
    /// must not be committed.
    pub fn fill(&mut self, staged: &StagedTables, each: impl FnMut()) -> Result<(), StoreError> {
        match self {
            Self::File(transaction) => transaction.fill(staged, each),
            Self::Postgres(transaction) => fill(transaction, staged, each),
        }
    }
}

fn fill(
    transaction: &mut PostgresTransaction<'_>,
    staged: &StagedTables,
    mut each: impl FnMut(),
) -> Result<(), StoreError> {
    if staged
        .header()
        .rows
        .get(SETTINGS)
        .is_some_and(|rows| *rows > 0)
    {
        transaction.clear_settings()?;
    }
    let mut rows: Vec<TableRow> = Vec::with_capacity(AT_ONCE);
    staged.each_row(|row| {
        rows.push(row);
        if rows.len() >= AT_ONCE {
            transaction.add_rows(&rows)?;
            rows.clear();
        }
        each();
        Ok(())
    })?;
    transaction.add_rows(&rows)?;
    transaction.raise_numbers(&staged.last_numbers()?)
}

/// What a store has from the start.
const SETTINGS: &str = "setting";
/// So many rows go at a time.
const AT_ONCE: usize = 1_024;
