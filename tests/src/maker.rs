//! Credentials written straight into a store, as no act would make them: with
//! whatever rules, group and attributes a case wants.

use std::path::Path;

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rule::Rule;
use countersign_core::secret::{Secret, SecretDigest, Verifier};
use countersign_core::store::rows::{CredentialRows as _, SecretRows as _};
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::time::Timestamp;
use countersign_core::{audit, change};
use countersign_sqlite::SqliteStore;
use countersign_testkit::store_suite::credential;

use crate::Login;

/// Writes credentials straight into the store, as many as are asked for.
#[expect(missing_debug_implementations, reason = "a store has nothing to show")]
pub struct Maker {
    /// The store.
    pub store: SqliteStore,
}

impl Maker {
    /// One for this store.
    pub fn new(store: &Path) -> Self {
        Self {
            store: SqliteStore::open(store).unwrap(),
        }
    }

    /// Adds a credential, whose secret is told by its name: see [`login`].
    pub fn add(&mut self, credential: &Credential) -> CredentialId {
        let mut transaction = self.store.begin(Intent::Write).unwrap();
        let id = transaction.add_credential(credential).unwrap();
        let secret = Secret::new(secret_of(&credential.name).into_bytes());
        transaction
            .add_secret(id, &Verifier::Digest(SecretDigest::of(&secret)))
            .unwrap();
        transaction
            .commit(&[audit_row()], &[change::Change::Credential(id)])
            .unwrap();
        id
    }

    /// An operator with these rules.
    pub fn operator(&mut self, name: &str, rules: Vec<Rule>) -> (CredentialId, Login) {
        let credential = Credential {
            rules,
            ..blank(name, None)
        };
        let id = self.add(&credential);
        (id, login(&credential.name))
    }

    /// Deletes a credential.
    pub fn delete(&mut self, id: CredentialId) {
        let mut transaction = self.store.begin(Intent::Write).unwrap();
        transaction.delete_credential(id).unwrap();
        transaction
            .commit(&[audit_row()], &[change::Change::Credential(id)])
            .unwrap();
    }

    /// Gives a credential these rules and no others.
    pub fn replace_rules(&mut self, id: CredentialId, name: &str, rules: Vec<Rule>) {
        let mut transaction = self.store.begin(Intent::Write).unwrap();
        let stored = transaction
            .credential(&LoginName::parse(name).unwrap())
            .unwrap()
            .unwrap();
        let changed = Credential { rules, ..stored };
        transaction.update_credential(&changed).unwrap();
        transaction
            .commit(&[audit_row()], &[change::Change::Credential(id)])
            .unwrap();
    }
}

/// The secret of a credential that was made here.
pub fn secret_of(name: &LoginName) -> String {
    format!("cs_secret-of-{name}")
}

/// The login of a credential that was made here.
pub fn login(name: &LoginName) -> Login {
    Login {
        username: name.to_string(),
        secret: secret_of(name),
    }
}

/// A credential of an operator or a tenant's that may do nothing.
pub fn blank(name: &str, tenant: Option<&str>) -> Credential {
    Credential {
        tenant: tenant.map(|id| TenantId::parse(id).unwrap()),
        ..credential(name)
    }
}

/// The row of the audit that an act must have.
pub fn audit_row() -> audit::AuditEntry {
    let time = Timestamp::from_millis(1_700_000_000_000);
    audit::AuditEntry::done(time, "cli:test", "test", "test")
}
