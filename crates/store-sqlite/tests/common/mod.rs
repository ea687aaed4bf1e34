//! A store in a directory of its own, and acts to fill it with.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign_core::audit::{AuditCheck, AuditEntry};
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::client_id::ClientId;
use countersign_core::connect::{LoginRecord, Proof};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::ledger::Ledger as _;
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::lifecycle::State;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rule::Namespaces;
use countersign_core::secret::{Secret, SecretDigest, Verifier};
use countersign_core::store::rows::{
    AuditRows as _, CredentialRows as _, SecretRows as _, TenantRows as _,
};
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, AuditQuery, CredentialQuery, Directory as _,
    GateStore as _, Intent, LoginEffects, Recorded, Settings, StoreError, all_rows,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use countersign_testkit::store_suite;
use tempfile::TempDir;

/// An empty store, and the directory that goes when it is dropped.
pub(crate) fn fresh() -> (SqliteStore, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("countersign.db");
    (
        SqliteStore::create(path, &Settings::default()).unwrap(),
        directory,
    )
}

pub(crate) fn tenant_id() -> TenantId {
    TenantId::parse("acme").unwrap()
}

pub(crate) fn entry(time: i64, act: &str, subject: &str) -> AuditEntry {
    AuditEntry {
        after: Some(r#"{"state":"Inactive"}"#.into()),
        ..AuditEntry::done(Timestamp::from_millis(time), "cli:test", act, subject)
    }
}

/// Makes the tenant that [`create`] makes credentials in; no act of its own.
pub(crate) fn make_tenant(store: &mut SqliteStore) {
    let mut transaction = store.begin(Intent::Write).unwrap();
    let tenant = Tenant {
        namespaces: Namespaces::new([]).unwrap(),
        ..store_suite::tenant("acme")
    };
    transaction.put_tenant(&tenant).unwrap();
    transaction.commit(&[], &[]).unwrap();
}

/// Makes a credential whose secret is `secret of NAME`: one act, row, change.
pub(crate) fn create(store: &mut SqliteStore, name: &str) -> Result<CredentialId, StoreError> {
    let mut transaction = store.begin(Intent::Write)?;
    let id = transaction.add_credential(&credential(name))?;
    let secret = Secret::new(format!("secret of {name}").into_bytes());
    transaction.add_secret(id, &Verifier::Digest(SecretDigest::of(&secret)))?;
    transaction.commit(
        &[entry(1, "credential.create", name)],
        &[Change::Credential(id)],
    )?;
    Ok(id)
}

/// Logs in with a credential for the first time.
pub(crate) fn activate(store: &mut SqliteStore, name: &str) -> Result<Recorded, StoreError> {
    let name = LoginName::parse(name).unwrap();
    let credential = store.credential(&name)?.unwrap();
    let login = LoginEffects {
        broker: "b1",
        client_id: &ClientId::parse("c").unwrap(),
        username: Some(credential.name.as_str()),
        tenant: credential.tenant.as_ref(),
        proved: Some((&credential, Proof::Secret(credential.secrets[0].id))),
        record: LoginRecord {
            activates: true,
            ..LoginRecord::default()
        },
    };
    store.record_login(&login, Timestamp::from_millis(1))
}

/// Checks that acts, audit rows and changes tell the same; returns how many
/// credentials there are.
pub(crate) fn assert_consistent(store: &mut SqliteStore) -> usize {
    assert!(store.quick_check().unwrap().is_empty());
    let mut transaction = store.begin(Intent::Read).unwrap();
    let query = CredentialQuery::default();
    let credentials = all_rows(|page| transaction.credentials(&query, page)).unwrap();
    let audit = transaction.audit(&AuditQuery::default()).unwrap();
    drop(transaction);
    let rows = audit.len();
    let count = |act| audit.iter().filter(|row| row.entry.act == act).count();
    let used = credentials
        .iter()
        .filter(|one| one.state == State::Active)
        .count();
    assert_eq!(count("credential.create"), credentials.len());
    assert_eq!(count("credential.activate"), used);
    assert!(credentials.iter().all(|one| one.secrets.len() == 1));
    let changes = store.changes_after(ChangeSeq(0), usize::MAX).unwrap();
    assert_eq!(changes.len(), credentials.len());
    let rows = u64::try_from(rows).unwrap();
    assert_eq!(
        store
            .begin(Intent::Read)
            .unwrap()
            .verify_audit(&[])
            .unwrap(),
        AuditCheck::Intact { rows }
    );
    credentials.len()
}

/// The mode of a file, without its type.
pub(crate) fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn credential(name: &str) -> Credential {
    Credential {
        tenant: Some(tenant_id()),
        ..store_suite::credential(name)
    }
}
