//! Reading the audit, and the row that a pruning leaves in it.

use countersign_core::audit::{AuditEntry, AuditHead, AuditRow};
use countersign_core::store::{AdminStore, AdminTransaction as _, AuditQuery, Intent, StoreError};
use countersign_core::time::Timestamp;
use serde::Serialize;

use crate::context::Context;
use crate::view::rfc3339;

/// The rows that `query` asks for, newest last.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn list<S: AdminStore>(store: &mut S, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
    store.begin(Intent::Read)?.audit(query)
}

/// The row with this number.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn row<S: AdminStore>(store: &mut S, id: i64) -> Result<Option<AuditRow>, StoreError> {
    store.begin(Intent::Read)?.audit_row(id)
}

/// The row that tells of a pruning, which stores do in pieces by themselves:
/// `last` is the last act that goes.
#[must_use]
pub fn pruning(context: &Context<'_>, before: Timestamp, last: AuditHead) -> AuditEntry {
    let after = AuditedPrune {
        before: rfc3339(before),
        last: last.to_string(),
    };
    context.audit("audit.prune", "audit", None::<&AuditedPrune>, Some(&after))
}

/// What the audit keeps of a pruning.
#[derive(Serialize)]
struct AuditedPrune {
    before: String,
    last: String,
}
