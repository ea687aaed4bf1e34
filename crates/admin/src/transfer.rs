//! Exports, and imports of our own form: what the runner checks and the audit
//! keeps of them. The rows themselves are the store's affair.

use countersign_core::change::Change;
use countersign_core::name::TenantId;
use countersign_core::store::ExportScope;
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::lookup;
use crate::sealed::KeyFileError;

/// Takes note that an export is made: whoever has it can try passwords on its
/// hashes.
#[derive(Clone, Debug)]
pub struct RecordExport {
    /// What it is of.
    pub scope: ExportScope,
    /// The form: `countersign`, or the program whose files are written.
    pub form: &'static str,
}

/// Takes note that an export was put into this store. Brokers judge everything
/// again.
#[derive(Clone, Debug)]
pub struct RecordImport {
    /// The tenant that the export is of, if it is of one alone.
    pub tenant: Option<TenantId>,
    /// How many rows it has.
    pub rows: u64,
}

#[derive(Serialize)]
struct AuditedExport {
    form: &'static str,
    with_sealed: bool,
}

#[derive(Serialize)]
struct AuditedImport {
    form: &'static str,
    rows: u64,
}

impl Command for RecordExport {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let ExportScope {
            tenant,
            with_sealed,
        } = &self.scope;
        if let Some(tenant) = tenant {
            lookup::tenant(tx, tenant)?;
        }
        if *with_sealed && tx.seal_key().is_none() {
            return Err(KeyFileError::NoKey.into());
        }
        let after = AuditedExport {
            form: self.form,
            with_sealed: *with_sealed,
        };
        tx.record("export", subject(tenant.as_ref()), None, Some(&after));
        Ok(())
    }
}

impl Command for RecordImport {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let after = AuditedImport {
            form: COUNTERSIGN,
            rows: self.rows,
        };
        tx.record("import", subject(self.tenant.as_ref()), None, Some(&after));
        tx.changed(Change::Everything);
        Ok(())
    }
}

/// What an export or an import is about.
fn subject(tenant: Option<&TenantId>) -> &str {
    tenant.map_or(STORE, TenantId::as_str)
}

/// Our own form, as the audit calls it.
pub const COUNTERSIGN: &str = "countersign";

/// What the audit calls the whole of a store.
const STORE: &str = "store";

#[cfg(test)]
mod tests {
    use countersign_core::change::ChangeSeq;

    use super::*;
    use crate::error::{ErrorKind, Noun};
    use crate::fixture::{Fixture, tenant_id};

    #[test]
    fn an_export_is_recorded_and_one_of_no_tenant_refused() {
        let mut fixture = Fixture::new();
        let missing = RecordExport {
            scope: ExportScope {
                tenant: Some(tenant_id("nobody")),
                with_sealed: false,
            },
            form: COUNTERSIGN,
        };
        let error = fixture.run(&missing).unwrap_err();
        assert!(error.is(ErrorKind::NotFound, Noun::Tenant));
        let whole = RecordExport {
            scope: ExportScope::default(),
            form: COUNTERSIGN,
        };
        fixture.run(&whole).unwrap();
        let row = fixture.entries().pop().unwrap();
        assert_eq!(
            (row.act.as_str(), row.subject.as_str()),
            ("export", "store")
        );
        let after = row.after.unwrap();
        assert_eq!(after, "{\"form\":\"countersign\",\"with_sealed\":false}");
    }

    #[test]
    fn an_import_has_everything_judged_again() {
        let mut fixture = Fixture::new();
        let import = RecordImport {
            tenant: Some(tenant_id("acme")),
            rows: 3,
        };
        fixture.run(&import).unwrap();
        assert_eq!(fixture.changes_after(ChangeSeq(0)), [Change::Everything]);
        assert_eq!(fixture.acts(), ["import acme"]);
    }
}
