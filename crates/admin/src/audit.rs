//! Reading the audit, and the row that a pruning leaves in it.

use countersign_core::audit::{AuditEntry, AuditHead, AuditKey, AuditRow};
use countersign_core::store::{AuditQuery, Intent, Listed, Page};
use countersign_core::time::{Timestamp, rfc3339};
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::context::{Context, json};
use crate::error::AdminError;

/// Lists the newest rows that a query asks for, newest last.
#[derive(Clone, Debug, Default)]
pub struct ListAudit(pub AuditQuery);

impl Command for ListAudit {
    type Output = Vec<AuditRow>;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn intent(&self) -> Intent {
        Intent::Read
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<AuditRow>, AdminError> {
        Ok(tx.audit(&self.0)?)
    }
}

/// Lists all rows that a query asks for, page by page, newest last.
#[derive(Clone, Debug, Default)]
pub struct ListAuditPage {
    /// Which rows; its limit does not count.
    pub query: AuditQuery,
    /// Which of them.
    pub page: Page<AuditKey>,
}

impl Command for ListAuditPage {
    type Output = Listed<AuditRow>;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn intent(&self) -> Intent {
        Intent::Read
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<AuditRow>, AdminError> {
        Ok(tx.audit_page(&self.query, &self.page)?)
    }
}

/// Finds the row with this number.
#[derive(Clone, Copy, Debug)]
pub struct FindAuditRow(pub i64);

impl Command for FindAuditRow {
    type Output = Option<AuditRow>;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn intent(&self) -> Intent {
        Intent::Read
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<AuditRow>, AdminError> {
        Ok(tx.audit_row(self.0)?)
    }
}

/// The row that tells of a pruning, which stores do in pieces by themselves:
/// `last` is the last act that goes.
#[must_use]
pub fn pruning(context: &Context<'_>, before: Timestamp, last: AuditHead) -> AuditEntry {
    let after = AuditedPrune {
        before: rfc3339(before),
        last: last.to_string(),
    };
    AuditEntry {
        after: json(&after),
        ..AuditEntry::done(context.now, context.caller.actor, "audit.prune", "audit")
    }
}

/// What the audit keeps of a pruning.
#[derive(Serialize)]
struct AuditedPrune {
    before: String,
    last: String,
}
