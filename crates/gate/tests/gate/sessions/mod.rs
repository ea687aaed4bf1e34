//! A gate on a real store, asked as a host asks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use countersign::core::client_id::ClientIdRule;
use countersign::core::credential::CredentialId;
use countersign::core::ledger::Ledger as _;
use countersign::core::lifecycle::State;
use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::presence::PresenceEvent;
use countersign::core::reason::Reason;
use countersign::core::scheme::SchemeName;
use countersign::core::store::{Batch, GateStore as _, StoreErrorKind};
use countersign::core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign::core::time::Timestamp;
use countersign::core::topic::TopicFilter;
use countersign::sqlite::SqliteStore;
use countersign::{
    ClientRef, ConnectInfo, ConnectOutcome, Directive, Gate, GateConfig, GateError, Handle,
    TopicUse, Verdict,
};
use countersign_admin::clients::ListClients;
use countersign_admin::credential::{
    CreateCredential, DeleteCredential, IssuedCredential, NewCredential, Overlap,
    ReactivateCredential, RotateCredential, ShowCredential, SuspendCredential, UntieCredential,
};
use countersign_admin::tenant::{CreateTenant, NewTenant, SetTenant, TenantChanges};
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom};

use crate::by_hand::{ByHand, folder, new_store, settings};

mod brokers;
mod groups;
mod metrics;
mod rest;
mod secrets;
mod tenants;

/// A gate, the store behind it, and the host's clock.
struct Fixture {
    gate: Gate<SqliteStore>,
    admin: SqliteStore,
    config: GateConfig,
    background: Arc<ByHand>,
    clock: Arc<AtomicI64>,
    wakes: Arc<AtomicUsize>,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::with_options(&[])
    }

    fn with_options(options: &[(&str, &str)]) -> Self {
        let folder = folder();
        let path = folder.path().join("countersign.db");
        let admin = new_store(&path, &settings());
        let path = path.to_str().unwrap();
        let options = [("store", path)].into_iter().chain(options.iter().copied());
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
        let wakes = Arc::new(AtomicUsize::new(0));
        let mut config = GateConfig::new(
            Options::parse(options).unwrap(),
            "bench",
            {
                let clock = Arc::clone(&clock);
                move || Timestamp::from_millis(clock.load(Ordering::SeqCst))
            },
            {
                let wakes = Arc::clone(&wakes);
                move || {
                    wakes.fetch_add(1, Ordering::SeqCst);
                }
            },
        );
        let background = ByHand::of(&mut config);
        let gate = Gate::open(SqliteStore::open(path).unwrap(), config.clone()).unwrap();
        let mut fixture = Self {
            gate,
            admin,
            config,
            background,
            clock,
            wakes,
            folder,
        };
        fixture.tenant("acme", Authentication::Required);
        fixture.settle();
        fixture
    }

    fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        self.act(|store, context| countersign_admin::run(store, context, command))
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T) -> T {
        let mut context = Context {
            now: Timestamp::from_millis(self.clock.load(Ordering::SeqCst)),
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        act(&mut self.admin, &mut context)
    }

    /// The client ids and names of those who are listed, once what is gathered is
    /// written.
    fn listed(&mut self) -> Vec<(String, Option<String>)> {
        self.background.write();
        let clients = self.run(&ListClients {
            tenant: None,
            all: false,
            ..ListClients::default()
        });
        let shown = |text: &Arc<str>| text.to_string();
        let clients = clients.unwrap().rows.into_iter().map(|client| {
            let presence = client.presence;
            (
                shown(&presence.client_id),
                presence.username.as_ref().map(shown),
            )
        });
        clients.collect()
    }

    fn tenant(&mut self, id: &str, authentication: Authentication) {
        let new = NewTenant {
            id: TenantId::parse(id).unwrap(),
            namespaces: Vec::new(),
            authentication,
            subscribe: SubscribeMode::Strict,
            client_id_prefix: None,
            lockout: None,
            default_rights: DefaultRights::Namespaces,
        };
        self.run(&CreateTenant(new)).unwrap();
    }

    fn set(&mut self, id: &str, changes: TenantChanges) {
        let id = TenantId::parse(id).unwrap();
        self.run(&SetTenant { id, changes }).unwrap();
    }

    fn credential(&mut self, name: &str) -> String {
        self.credential_that(name, |_| ())
    }

    fn credential_that(&mut self, name: &str, more: impl FnOnce(&mut NewCredential)) -> String {
        let mut new = NewCredential::new(TenantId::parse("acme").unwrap(), name);
        more(&mut new);
        secret_of(self.run(&CreateCredential(new)).unwrap())
    }

    fn connect(
        &mut self,
        handle: usize,
        client_id: &str,
        login: Option<(&str, &str)>,
    ) -> ConnectOutcome {
        let mut info = ConnectInfo::new(Handle(handle), client_id.as_bytes());
        info.username = login.map(|(name, _)| name.as_bytes());
        info.password = login.map(|(_, secret)| secret.as_bytes());
        info.address = Some("127.0.0.1");
        self.gate.connect(&info)
    }

    /// Works and polls until there is nothing more to do.
    fn settle(&mut self) -> Vec<Directive> {
        self.background.settle(&mut self.gate)
    }

    /// The client ids that the gate asks to kick.
    fn kicked(&mut self) -> Vec<String> {
        self.settle()
            .into_iter()
            .filter_map(|directive| match directive {
                Directive::Kick { client_id, .. } => Some(client_id.to_string()),
                _ => None,
            })
            .collect()
    }

    fn publish(
        &mut self,
        handle: usize,
        client_id: &str,
        username: Option<&str>,
        topic: &str,
    ) -> Verdict {
        let usage = TopicUse::Publish {
            topic: topic.as_bytes(),
            qos: 0,
            retain: false,
        };
        self.check(handle, client_id, username, usage)
    }

    fn check(
        &mut self,
        handle: usize,
        client_id: &str,
        username: Option<&str>,
        usage: TopicUse<'_>,
    ) -> Verdict {
        let client = ClientRef {
            handle: Handle(handle),
            client_id: Some(client_id.as_bytes()),
            username: username.map(str::as_bytes),
            connected: true,
            ..ClientRef::default()
        };
        self.gate.check(&client, usage)
    }

    fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }
}

fn secret_of(issued: IssuedCredential) -> String {
    String::from_utf8(issued.secret.unwrap().expose().to_vec()).unwrap()
}

fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

#[track_caller]
fn admitted(outcome: &ConnectOutcome) -> Option<&str> {
    match outcome {
        ConnectOutcome::Admitted { username } => username.as_deref(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(outcome: &ConnectOutcome) -> Reason {
    match outcome {
        ConnectOutcome::Refused { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

const DEV1: &str = "dev1@acme";
