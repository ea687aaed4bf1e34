//! Reading whole tables of one state of a store.

use countersign_core::name::TenantId;
use countersign_core::seal::SealKey;
use countersign_core::store::{Cell, ExportHeader, ExportPart, ExportScope};

use crate::exported::{EXPORTED, ExportedTable};
use crate::followed::ROWS_OF_SCHEMA;
use crate::reader::SqlReader;
use crate::shape::{TableShape, quote};
use crate::table_reader::TableReader;

/// Hands over what an export of `scope` has: the header, then each row. Memory does not grow
/// with the store. What is sealed was sealed with `key`.
///
/// # Errors
///
/// Returns the store's fault when it can't be read, and inside of it what `each` fails with.
pub fn export<R: TableReader, E>(
    reader: &R,
    scope: &ExportScope,
    key: Option<&SealKey>,
    mut each: impl FnMut(ExportPart) -> Result<(), E>,
) -> Result<Result<(), E>, R::Fault> {
    let mut header = ExportHeader {
        schema: ROWS_OF_SCHEMA,
        scope: scope.clone(),
        key: key.filter(|_| scope.with_sealed).map(SealKey::fingerprint),
        ..ExportHeader::default()
    };
    let tables = tables(reader, scope, &mut header)?;
    if let Err(error) = each(ExportPart::Header(header)) {
        return Ok(Err(error));
    }
    for (table, shape) in &tables {
        let select = shape.select(|column| table.shown::<R>(column, scope), table.rows(scope));
        let told = reader.walk(&select, &tenant_of(scope), |cells| {
            let row = shape.row::<R>(cells).map_err(Err)?;
            each(ExportPart::Row(row)).map_err(Ok)
        })?;
        if let Err(end) = told {
            return end.map(Err);
        }
    }
    Ok(Ok(()))
}

/// The tables that an export has, counted in its header.
fn tables<R: TableReader>(
    reader: &R,
    scope: &ExportScope,
    header: &mut ExportHeader,
) -> Result<Vec<(&'static ExportedTable, TableShape)>, R::Fault> {
    let mut tables = Vec::new();
    for table in EXPORTED.iter().filter(|table| table.is_in(scope)) {
        let name = table.name;
        let Some(shape) = reader.shape(name)? else {
            return Err(R::nonsense(format!("the table `{name}`")));
        };
        let count = count(reader, table, scope)?;
        header.rows.insert(name.to_owned(), count);
        if scope.tenant.is_none()
            && table.is_numbered
            && let Some(last) = reader.last_number(name)?
        {
            header.sequences.insert(name.to_owned(), last);
        }
        tables.push((table, shape));
    }
    Ok(tables)
}

fn count<R: SqlReader>(
    reader: &R,
    table: &ExportedTable,
    scope: &ExportScope,
) -> Result<u64, R::Fault> {
    let sql = format!(
        "SELECT count(*) FROM {} WHERE {}",
        quote(table.name),
        table.rows(scope)
    );
    let rows = reader.rows(&sql, &tenant_of(scope))?;
    match rows.first().map(Vec::as_slice) {
        Some([Cell::Integer(count)]) => Ok(u64::try_from(*count).unwrap_or(0)),
        _ => Err(R::nonsense(format!("how many rows `{}` has", table.name))),
    }
}

/// What is bound to statements of an export.
fn tenant_of(scope: &ExportScope) -> Vec<Cell> {
    let tenant = scope.tenant.as_ref().map(TenantId::as_str);
    tenant.map(|it| Cell::Text(it.into())).into_iter().collect()
}
