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
use crate::scheme::expect_stored_passwords;
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
        // An export of one tenant does not tell it.
        expect_stored_passwords(tx)?;
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
    use countersign_core::kind::Application;
    use countersign_core::lifecycle::State;
    use countersign_core::store::{ExportHeader, ExportPart, StoreError, TableRow};
    use countersign_core::user::GrantedRight;
    use countersign_sqlite::{SqliteStore, StagedTables};

    use super::*;
    use crate::credential::{DeleteCredential, ShowCredential, SuspendCredential};
    use crate::error::{ErrorKind, Noun};
    use crate::fixture::{Fixture, JANE, adding, login_name, tenant_id};
    use crate::user::EnrolSecondFactor;

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

    /// All that an export of a store has.
    fn exported(store: &SqliteStore, scope: &ExportScope) -> (ExportHeader, Vec<TableRow>) {
        let (mut header, mut rows) = (None, Vec::new());
        let read = store.export::<StoreError>(scope, |part| {
            match part {
                ExportPart::Header(it) => header = Some(it),
                ExportPart::Row(row) => rows.push(row),
            }
            Ok(())
        });
        read.unwrap();
        (header.unwrap(), rows)
    }

    /// Runs acts that look random and are the same for each seed. Some are refused,
    /// as they would be by chance.
    fn act_at_random(fixture: &mut Fixture, seed: u64) {
        let mut state = seed;
        let mut below = |end: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).checked_rem(end).unwrap()
        };
        for step in 0..60 {
            let (act, number) = (below(15), below(4));
            let name = format!("d{number}");
            let login = login_name(&format!("{name}@acme"));
            let role = format!("r{number}");
            match act {
                0 => drop(fixture.tenant(&format!("t{number}"), &[])),
                1 => drop(fixture.credential(&name)),
                2 => drop(fixture.role(&role)),
                3 => drop(fixture.change_role(&role, &adding("allow both acme/${username}/#"))),
                4 => drop(fixture.change_role(&role, &adding("deny publish acme/x"))),
                5 => drop(fixture.run(&SuspendCredential(login))),
                6 => drop(fixture.run(&DeleteCredential(login))),
                7 => drop(fixture.of_scheme("vwire-token", Some(&name))),
                8 => drop(fixture.of_scheme("impact", None)),
                9 => drop(fixture.thing(&format!("k{number}"), "fleet")),
                10 => drop(fixture.token(&[])),
                11 => drop(fixture.run(&EnrolSecondFactor(login_name(JANE)))),
                12 => drop(fixture.grant(JANE, "acme", GrantedRight::OrgAdmin)),
                // The name is one as a scheme makes them.
                13 => drop(fixture.import(&format!("35789005532185{number}"))),
                _ => {
                    let shown = fixture.run(&ShowCredential(login.clone()));
                    if shown.is_ok_and(|shown| shown.credential.state != State::Suspended) {
                        fixture.log_in(login.as_str(), &format!("c{step}"));
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_a_store_holds_an_import_of_its_export_is_exported_again() {
        for seed in 0..6 {
            let mut fixture = Fixture::with_admin();
            fixture.application("fleet", Application::default());
            act_at_random(&mut fixture, seed);
            for with_sealed in [false, true] {
                for tenant in [None, Some(tenant_id("acme"))] {
                    let scope = ExportScope {
                        tenant,
                        with_sealed,
                    };
                    let (header, rows) = exported(&fixture.store, &scope);
                    let mut staged = StagedTables::begin(header.clone()).unwrap();
                    for row in &rows {
                        staged.add(row).unwrap();
                    }
                    staged.complete().unwrap();
                    let mut other = Fixture::new();
                    let record = RecordImport {
                        tenant: None,
                        rows: header.all_rows(),
                    };
                    let filled: Result<(), AdminError> = other.act(|store, context| {
                        crate::run_after(store, context, &record, |transaction| {
                            Ok(transaction.fill(&staged, || {})?)
                        })
                    });
                    filled.unwrap();
                    // The export of a tenant does not say it, but has their rows.
                    assert_eq!(other.with_passwords(), fixture.with_passwords());
                    let again = exported(&other.store, &scope);
                    assert!(again == (header, rows), "seed {seed}");
                }
            }
        }
    }
}
