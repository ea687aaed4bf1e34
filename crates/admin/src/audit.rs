//! Reading, verifying and pruning the audit.

use countersign_core::audit::{AuditCheck, AuditHead, AuditHeads, AuditKey, AuditRow};
use countersign_core::ledger::Ledger;
use countersign_core::name::TenantId;
use countersign_core::store::{AdminStore, AuditQuery, Intent, Listed, Page};
use countersign_core::time::{Timestamp, rfc3339};
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx, run};
use crate::context::Context;
use crate::error::AdminError;
use crate::lookup;

use self::others::without_others;

mod others;

/// Lists the newest rows that a query asks for, newest last.
#[derive(Clone, Debug, Default)]
pub struct ListAudit(pub AuditQuery);

impl Command for ListAudit {
    type Output = Vec<AuditRow>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.0.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<AuditRow>, AdminError> {
        let rows = tx.audit(&self.0)?;
        told(tx, rows, self.0.tenant.as_ref())
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

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.query.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<AuditRow>, AdminError> {
        let Listed { rows, next } = tx.audit_page(&self.query, &self.page)?;
        let rows = told(tx, rows, self.query.tenant.as_ref())?;
        Ok(Listed { rows, next })
    }
}

/// Lists rows that a query asks for by their numbers, a page at a time. Refusals come
/// once they are summed up, and no row comes twice.
#[derive(Clone, Debug, Default)]
pub struct FollowAudit {
    /// Which rows; its limit does not count.
    pub query: AuditQuery,
    /// Behind the row with this number.
    pub after: i64,
}

/// Rows of the audit, and how far it was looked through for them.
#[derive(Clone, Debug)]
pub struct FollowedAudit {
    /// The rows, by their numbers.
    pub rows: Vec<AuditRow>,
    /// The number of the last row that was looked at; none where there was no further
    /// one.
    pub last: Option<i64>,
}

impl Command for FollowAudit {
    type Output = FollowedAudit;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.query.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<FollowedAudit, AdminError> {
        let looked_at = tx.audit_after(self.after, PAGE)?;
        let last = looked_at.last().and_then(|row| row.id);
        let mut rows = Vec::new();
        for row in looked_at {
            if lookup::is_asked_for(tx, &self.query, &row)? {
                rows.push(row);
            }
        }
        let rows = told(tx, rows, self.query.tenant.as_ref())?;
        Ok(FollowedAudit { rows, last })
    }
}

/// Finds the row with this number.
#[derive(Clone, Copy, Debug)]
pub struct FindAuditRow(pub i64);

impl Command for FindAuditRow {
    type Output = Option<AuditRow>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::SeeAuditRow(self.0)
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<AuditRow>, AdminError> {
        let (authority, now) = (tx.caller.authority, tx.now);
        let of = match authority.seen_tenants(tx, now)? {
            Some(seen) => lookup::tenant_of_row(tx, self.0, &seen)?,
            None => None,
        };
        let row = tx.audit_row(self.0)?.into_iter().collect();
        Ok(told(tx, row, of.as_ref())?.pop())
    }
}

/// Shows the heads of the audit's two chains.
#[derive(Clone, Copy, Debug)]
pub struct ShowAuditHeads;

impl Command for ShowAuditHeads {
    type Output = AuditHeads;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<AuditHeads, AdminError> {
        Ok(tx.audit_heads()?)
    }
}

/// Looks whether a row was changed, added or removed, and whether the rows of
/// these heads are still there.
#[derive(Clone, Debug, Default)]
pub struct VerifyAudit(pub Vec<AuditHead>);

impl Command for VerifyAudit {
    type Output = AuditCheck;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<AuditCheck, AdminError> {
        Ok(tx.verify_audit(&self.0)?)
    }
}

/// Removes, from each chain of the audit, all rows before the first that is not
/// older than `before`; says how many they were. The act is written down first.
/// Then the rows go a few at a time, for what writes longer holds up logins.
///
/// # Errors
///
/// Returns [`AdminError`] when the caller may not, and nothing changed then; and
/// when the store can't be written. Some rows may be gone then; the rest still
/// verifies.
pub fn prune<S: AdminStore + Ledger>(
    store: &mut S,
    context: &mut Context<'_>,
    before: Timestamp,
) -> Result<u64, AdminError> {
    // Not in the act itself: it walks along all rows that go.
    let last = run(store, context, &FindLastAct { before })?;
    run(store, context, &RecordPruning { before, last })?;
    Ok(store.prune_audit(last, before)?)
}

/// Finds the last act that a pruning removes.
pub(crate) struct FindLastAct {
    /// Since when acts stay.
    pub(crate) before: Timestamp,
}

impl Command for FindLastAct {
    type Output = AuditHead;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<AuditHead, AdminError> {
        Ok(tx.last_act_before(self.before)?)
    }
}

/// Writes down that the acts up to `last` are about to go.
pub(crate) struct RecordPruning {
    /// Since when acts stay.
    pub(crate) before: Timestamp,
    /// The last act that goes.
    pub(crate) last: AuditHead,
}

impl Command for RecordPruning {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let after = AuditedPrune {
            before: rfc3339(self.before),
            last: self.last.to_string(),
        };
        tx.record("audit.prune", "audit", None, Some(&after));
        Ok(())
    }
}

/// The rows as the caller may read them: of a tenant, without what is of others.
fn told(
    tx: &mut Tx<'_>,
    mut rows: Vec<AuditRow>,
    tenant: Option<&TenantId>,
) -> Result<Vec<AuditRow>, AdminError> {
    let Some(tenant) = tenant.filter(|_| !tx.may(&Permission::Platform)) else {
        return Ok(rows);
    };
    for row in &mut rows {
        for said in [&mut row.entry.before, &mut row.entry.after] {
            let own = said.as_deref().map(|json| without_others(tx, json, tenant));
            *said = own.transpose()?;
        }
    }
    Ok(rows)
}

/// How many rows are looked at at once.
const PAGE: usize = 500;

/// What the audit keeps of a pruning.
#[derive(Serialize)]
struct AuditedPrune {
    before: String,
    last: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn a_pruning_is_written_down_before_the_rows_go_and_the_rest_verifies() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &["acme/#"]).unwrap();
        let kept = fixture.run(&ShowAuditHeads).unwrap().acts;
        fixture.now = fixture.now.plus(core::time::Duration::from_secs(60));
        let before = fixture.now;
        let removed = fixture.act(|store, context| prune(store, context, before));
        assert_eq!(removed.unwrap(), 1);
        assert_eq!(fixture.acts(), ["audit.prune audit"]);
        let told = fixture.entries().pop().unwrap().after.unwrap();
        assert!(told.contains(&format!(r#""last":"{kept}""#)), "{told}");
        let check = fixture.run(&VerifyAudit(vec![kept])).unwrap();
        assert_eq!(check, AuditCheck::Missing { row: 1, last: 2 });
    }
}
