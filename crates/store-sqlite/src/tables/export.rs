//! Reading whole tables, in one look at the store.

use countersign_core::store::{Cell, ExportPart, ExportScope, Intent, StoreError};
use countersign_sql::{TableReader, TableShape, export};
use rusqlite::params_from_iter;

use super::{sequence, shape_of};
use crate::busy_timeout::{ADMIN_WAIT, BusyTimeout};
use crate::cell::Bound;
use crate::error::Fault;
use crate::sql_reader::{State, cells};
use crate::store::SqliteStore;
use crate::transaction_guard::TransactionGuard;

impl SqliteStore {
    /// Reads what an export of `scope` has, as it is at one moment: the header,
    /// then each row. Memory does not grow with the store.
    ///
    /// # Errors
    ///
    /// Returns what `each` fails with, and [`StoreError`] when the store can't be
    /// read.
    pub fn export<E: From<StoreError>>(
        &self,
        scope: &ExportScope,
        each: impl FnMut(ExportPart) -> Result<(), E>,
    ) -> Result<(), E> {
        let _patience = BusyTimeout::of(ADMIN_WAIT);
        let explain = |fault: Fault| E::from(fault.while_trying(ACTION, &self.path));
        let guard = TransactionGuard::begin(&self.connection, Intent::Read)
            .map_err(|error| explain(error.into()))?;
        let key = self.key_file.read(&self.path).key;
        export(&State(&self.connection), scope, key.as_ref(), each).map_err(explain)??;
        guard.commit().map_err(|error| explain(error.into()))
    }
}

impl TableReader for State<'_> {
    fn shape(&self, table: &'static str) -> Result<Option<TableShape>, Fault> {
        shape_of(self.0, table)
    }

    fn last_number(&self, table: &'static str) -> Result<Option<i64>, Fault> {
        sequence(self.0, table)
    }

    fn walk<E>(
        &self,
        sql: &str,
        values: &[Cell],
        mut each: impl FnMut(Vec<Cell>) -> Result<(), E>,
    ) -> Result<Result<(), E>, Fault> {
        let mut statement = self.0.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values.iter().map(Bound)))?;
        while let Some(row) = rows.next()? {
            if let Err(error) = each(cells(row, columns)?) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

const ACTION: &str = "export the store";
