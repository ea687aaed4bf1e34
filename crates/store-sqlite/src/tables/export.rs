//! Reading whole tables, in one look at the store.

use std::collections::BTreeMap;

use countersign_core::name::TenantId;
use countersign_core::store::{
    ExportHeader, ExportPart, ExportScope, Intent, StoreError, TableRow,
};
use countersign_sql::{TableShape, quote};
use rusqlite::{Connection, params_from_iter};

use super::{EXPORTED, ExportedTable, Withheld, sequence, shape_of};
use crate::busy_timeout::{ADMIN_WAIT, BusyTimeout};
use crate::cell::cell;
use crate::error::Fault;
use crate::schema::{self, MIGRATIONS};
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
        mut each: impl FnMut(ExportPart) -> Result<(), E>,
    ) -> Result<(), E> {
        let _patience = BusyTimeout::of(ADMIN_WAIT);
        let explain = |fault: Fault| E::from(fault.while_trying(ACTION, &self.path));
        let connection = &self.connection;
        let guard = TransactionGuard::begin(connection, Intent::Read)
            .map_err(|error| explain(error.into()))?;
        let key = self.key_file.read(&self.path).key;
        let mut header = ExportHeader {
            schema: schema::newest(MIGRATIONS),
            scope: scope.clone(),
            key: key
                .filter(|_| scope.with_sealed)
                .map(|key| key.fingerprint()),
            ..ExportHeader::default()
        };
        let tables = tables(connection, scope, &mut header).map_err(explain)?;
        each(ExportPart::Header(header))?;
        for (table, shape) in &tables {
            let select = shape.select(|column| table.shown(column, scope), table.rows(scope));
            let mut statement = connection
                .prepare(&select)
                .map_err(|error| explain(error.into()))?;
            let mut rows = statement
                .query(params_from_iter(
                    scope.tenant.as_ref().map(TenantId::as_str),
                ))
                .map_err(|error| explain(error.into()))?;
            while let Some(row) = rows.next().map_err(|error| explain(error.into()))? {
                each(ExportPart::Row(read(shape, row).map_err(explain)?))?;
            }
        }
        guard.commit().map_err(|error| explain(error.into()))
    }
}

impl ExportedTable {
    /// Which rows are in an export.
    fn rows(&self, scope: &ExportScope) -> &'static str {
        match &scope.tenant {
            Some(_) => self.of_tenant.unwrap_or("false"),
            None => "true",
        }
    }

    /// Says whether an export has something of this table.
    fn is_in(&self, scope: &ExportScope) -> bool {
        let is_whole = scope.tenant.is_none() || self.of_tenant.is_some();
        is_whole && (scope.with_sealed || self.withheld != Withheld::Rows)
    }

    /// What an export has of a column.
    pub(crate) fn shown(&self, column: &str, scope: &ExportScope) -> String {
        let column_name = quote(column);
        if scope.tenant.is_some() && self.of_store == Some(column) {
            return "0".into();
        }
        match self.withheld {
            Withheld::Sealed(sealed) if sealed == column && !scope.with_sealed => {
                format!("CASE WHEN {column_name} IS NOT NULL THEN x'' END")
            }
            Withheld::Nothing | Withheld::Rows | Withheld::Sealed(_) => column_name,
        }
    }
}

/// The tables that an export has, counted in its header.
fn tables(
    connection: &Connection,
    scope: &ExportScope,
    header: &mut ExportHeader,
) -> Result<Vec<(ExportedTable, TableShape)>, Fault> {
    let mut tables = Vec::new();
    let (mut rows, mut sequences) = (BTreeMap::new(), BTreeMap::new());
    for table in EXPORTED.iter().filter(|table| table.is_in(scope)) {
        let name = table.name;
        let Some(shape) = shape_of(connection, name)? else {
            return Err(Fault::Content(format!("the table `{name}`")));
        };
        let count: i64 = connection.query_row(
            &format!(
                "SELECT count(*) FROM {} WHERE {}",
                quote(name),
                table.rows(scope)
            ),
            params_from_iter(scope.tenant.as_ref().map(TenantId::as_str)),
            |row| row.get(0),
        )?;
        rows.insert(name.to_owned(), u64::try_from(count).unwrap_or(0));
        if scope.tenant.is_none()
            && let Some(last) = sequence(connection, name)?
        {
            sequences.insert(name.to_owned(), last);
        }
        tables.push((*table, shape));
    }
    header.rows = rows;
    header.sequences = sequences;
    Ok(tables)
}

pub(crate) fn read(shape: &TableShape, row: &rusqlite::Row<'_>) -> Result<TableRow, Fault> {
    let mut cells = Vec::with_capacity(shape.columns.len());
    for (index, column) in shape.columns.iter().enumerate() {
        let cell = cell(row.get_ref(index)?)
            .ok_or_else(|| Fault::Content(format!("a stored `{}`", column.name)))?;
        cells.push((column.name.clone(), cell));
    }
    Ok(TableRow {
        table: shape.name.clone(),
        cells,
    })
}

const ACTION: &str = "export the store";
