//! Finding rows of the audit, and the tenants that they are about.

use countersign_core::audit::AuditRow;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::store::AuditQuery;

use super::Rows;
use crate::error::{AdminError, ErrorKind, Noun, Subject};

/// Says whether a query asks for a row.
pub(crate) fn is_asked_for(
    rows: &mut Rows<'_>,
    query: &AuditQuery,
    row: &AuditRow,
) -> Result<bool, AdminError> {
    query.admits(&row.entry, |name| {
        let found = match LoginName::parse(name) {
            Ok(name) => rows.credential(&name)?,
            Err(_) => None,
        };
        Ok(found.and_then(|found| found.tenant))
    })
}

/// The first of these tenants that a row is about, if it is about one of them.
pub(crate) fn tenant_of_row(
    rows: &mut Rows<'_>,
    id: i64,
    tenants: &[TenantId],
) -> Result<Option<TenantId>, AdminError> {
    let Some(row) = rows.audit_row(id)? else {
        return Ok(None);
    };
    for tenant in tenants {
        let query = AuditQuery {
            tenant: Some(tenant.clone()),
            ..AuditQuery::default()
        };
        if is_asked_for(rows, &query, &row)? {
            return Ok(Some(tenant.clone()));
        }
    }
    Ok(None)
}

/// There is no row of this number, or the caller may not know of it.
pub(crate) fn no_row(id: i64) -> AdminError {
    let message = format!("the audit has no row {id}");
    let subject = Subject::new(Noun::AuditRow, id);
    AdminError::new(ErrorKind::NotFound, subject, message)
}
