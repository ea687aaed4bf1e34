//! A store in a temporary directory, and short ways to act on it.

use std::collections::BTreeMap;

use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::connect::LoginRecord;
use countersign_core::credential::Credential;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::secret::{Argon2Params, Secret};
use countersign_core::store::{AuditQuery, GateStore as _, Login, Recorded, Settings};
use countersign_core::tenant::{Authentication, SubscribeMode, Tenant};
use countersign_core::time::Timestamp;
use countersign_sqlite::{AuditCheck, SqliteStore};
use tempfile::TempDir;

use crate::check::{self, Connect, Verdict};
use crate::context::{Context, RandomError, RandomSource};
use crate::credential::{self, CredentialError, Issued, NewCredential};
use crate::namespace::parse_namespace;
use crate::password::NewSecret;
use crate::tenant::{self, NewTenant, TenantError};

/// A store and a clock that stands still.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) store: SqliteStore,
    pub(crate) now: Timestamp,
}

impl Fixture {
    /// An empty store.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            argon2: Argon2Params::parse("m=8,t=1,p=1").unwrap(),
        };
        let store = SqliteStore::create(directory.path().join("store.db"), &settings).unwrap();
        Self {
            directory,
            store,
            now: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    /// A store with the tenant `acme` and its credential `dev1`.
    pub(crate) fn with_credential() -> Self {
        let mut fixture = Self::new();
        fixture.tenant("acme", &[]).unwrap();
        fixture.credential("dev1").unwrap();
        fixture
    }

    /// Acts with a context.
    pub(crate) fn act<T>(
        &mut self,
        act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            now: self.now,
            actor: "cli:tester",
            random: &mut crate::OsRandom,
        };
        act(&mut self.store, &mut context)
    }

    pub(crate) fn tenant(&mut self, id: &str, namespaces: &[&str]) -> Result<Tenant, TenantError> {
        let new = new_tenant(id, namespaces);
        self.act(|store, context| tenant::create(store, context, new))
    }

    pub(crate) fn credential(&mut self, name: &str) -> Result<Issued, CredentialError> {
        let new = new_credential(name);
        self.act(|store, context| credential::create(store, context, new))
    }

    pub(crate) fn show(&mut self, name: &str) -> Credential {
        credential::show(&mut self.store, &login_name(name)).unwrap()
    }

    /// Logs in with the newest secret, as a broker would record it.
    pub(crate) fn log_in(&mut self, name: &str, client_id: &str) {
        let credential = self.show(name);
        let client_id = ClientId::parse(client_id).unwrap();
        let login = Login {
            broker: "b",
            credential: &credential,
            secret: credential.secrets.first().unwrap().id,
            record: LoginRecord {
                activates: !credential.ever_used,
                ties: (credential.client_id_rule == ClientIdRule::FirstUse)
                    .then(|| client_id.tie()),
                retires_older_secrets: credential.secrets.iter().any(|secret| secret.until_used),
            },
        };
        let recorded = self.store.record_login(&login, self.now).unwrap();
        assert_eq!(recorded, Recorded::Done);
    }

    /// Asks what a client with this password would be told.
    pub(crate) fn check(&mut self, name: &str, password: Option<&[u8]>) -> Verdict {
        let presented = Connect {
            client_id: "c",
            username: Some(name),
            password: password.map(|bytes| Secret::new(bytes.to_vec())),
        };
        let site = countersign_core::connect::Site::default();
        check::connect(&mut self.store, self.now, &site, presented).unwrap()
    }

    /// The acts in the audit, with their subjects.
    pub(crate) fn acts(&mut self) -> Vec<String> {
        let AuditCheck::Intact { .. } = self.store.verify_audit().unwrap() else {
            panic!("the audit does not verify");
        };
        let entries = crate::audit::list(&mut self.store, &AuditQuery::default()).unwrap();
        entries
            .iter()
            .map(|entry| format!("{} {}", entry.act, entry.subject))
            .collect()
    }
}

/// Randomness that fails.
pub(crate) struct NoRandomness;

impl RandomSource for NoRandomness {
    fn fill(&mut self, _buffer: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

pub(crate) fn new_tenant(id: &str, namespaces: &[&str]) -> NewTenant {
    NewTenant {
        id: tenant_id(id),
        namespaces: namespaces
            .iter()
            .map(|text| parse_namespace(text).unwrap())
            .collect(),
        authentication: Authentication::Required,
        subscribe: SubscribeMode::Strict,
        client_id_prefix: None,
    }
}

/// A credential of `acme` with a generated secret.
pub(crate) fn new_credential(name: &str) -> NewCredential {
    NewCredential {
        name: name.into(),
        tenant: tenant_id("acme"),
        secret: NewSecret::Generated,
        client_id_rule: ClientIdRule::Any,
        group: None,
        description: None,
        attributes: BTreeMap::new(),
        not_before: None,
        expires_at: None,
        external_identity: false,
    }
}

pub(crate) fn tenant_id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

pub(crate) fn login_name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}
