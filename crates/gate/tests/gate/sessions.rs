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
use countersign::core::store::{Batch, GateStore as _, Settings, StoreErrorKind};
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

use crate::by_hand::{ByHand, folder};

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
        let admin = SqliteStore::create(&path, &Settings::default()).unwrap();
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
        });
        let shown = |text: &Arc<str>| text.to_string();
        let clients = clients.unwrap().into_iter().map(|client| {
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

#[test]
fn a_login_activates_before_it_is_answered() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    assert_eq!(
        refused(&fixture.connect(1, "a", Some((DEV1, "wrong")))),
        Reason::BadSecret
    );
    assert_eq!(
        fixture
            .run(&ShowCredential(name(DEV1)))
            .unwrap()
            .credential
            .state,
        State::Inactive
    );
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    let shown = fixture.run(&ShowCredential(name(DEV1))).unwrap().credential;
    assert_eq!(shown.state, State::Active);
    assert!(shown.last_used_at.is_some());
}

#[test]
fn a_session_may_use_its_tenants_topics_and_an_unknown_client_none() {
    let mut fixture = Fixture::new();
    fixture.tenant("globex", Authentication::Required);
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/x"),
        Verdict::Allow
    );
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "globex/x"),
        Verdict::Deny(Reason::OtherTenant)
    );
    for (handle, client_id, username) in
        [(2, "a", Some(DEV1)), (1, "b", Some(DEV1)), (1, "a", None)]
    {
        let verdict = fixture.publish(handle, client_id, username, "acme/x");
        assert_eq!(
            verdict,
            Verdict::Deny(Reason::Unauthenticated),
            "{handle} {client_id} {username:?}"
        );
    }
    for hostile in [&b"acme/\xff"[..], b"acme/+", b"acme/#", b"", b"acme/\0"] {
        let usage = TopicUse::Publish {
            topic: hostile,
            qos: 0,
            retain: false,
        };
        assert_eq!(
            fixture.check(1, "a", Some(DEV1), usage),
            Verdict::Deny(Reason::Malformed)
        );
    }
}

#[test]
fn suspending_ends_the_session_and_its_will_is_still_judged_as_it_was() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert!(
        fixture.wakes.load(Ordering::SeqCst) > 0,
        "the host was woken"
    );
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/will"),
        Verdict::Allow
    );
    let delivery = TopicUse::Deliver { topic: b"acme/x" };
    assert_eq!(
        fixture.check(1, "a", Some(DEV1), delivery),
        Verdict::Deny(Reason::Suspended)
    );
    fixture.gate.disconnected(Handle(1));
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/will"),
        Verdict::Allow
    );
    let _one = fixture.gate.poll();
    let _two = fixture.gate.poll();
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/will"),
        Verdict::Deny(Reason::Unauthenticated)
    );
}

#[test]
fn suspending_and_reactivating_at_once_still_ends_what_ran_before() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    fixture.run(&ReactivateCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        admitted(&fixture.connect(2, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    assert_eq!(fixture.kicked(), [""; 0]);
}

#[test]
fn rotating_ends_exactly_the_sessions_of_the_old_secret() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let _old = fixture.connect(1, "old", Some((DEV1, &old)));
    let new = fixture
        .run(&RotateCredential {
            name: name(DEV1),
            overlap: Overlap::None,
        })
        .unwrap();
    let new = secret_of(new);
    assert_eq!(
        admitted(&fixture.connect(2, "new", Some((DEV1, &new)))),
        Some(DEV1)
    );
    assert_eq!(fixture.kicked(), ["old"]);
    assert_eq!(
        refused(&fixture.connect(3, "old", Some((DEV1, &old)))),
        Reason::BadSecret
    );
}

#[test]
fn an_overlap_ends_the_old_secret_and_its_sessions_at_its_instant() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let overlap = Overlap::For(Duration::from_secs(60));
    let new = fixture
        .run(&RotateCredential {
            name: name(DEV1),
            overlap,
        })
        .unwrap();
    let new = secret_of(new);
    let _old = fixture.connect(1, "old", Some((DEV1, &old)));
    let _new = fixture.connect(2, "new", Some((DEV1, &new)));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.kicked(), ["old"]);
}

#[test]
fn an_old_secret_that_works_until_the_new_one_is_used_ends_then() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let overlap = Overlap::UntilUsed;
    let new = fixture
        .run(&RotateCredential {
            name: name(DEV1),
            overlap,
        })
        .unwrap();
    let new = secret_of(new);
    let _old = fixture.connect(1, "old", Some((DEV1, &old)));
    assert_eq!(fixture.kicked(), [""; 0]);
    assert_eq!(
        admitted(&fixture.connect(2, "new", Some((DEV1, &new)))),
        Some(DEV1)
    );
    assert_eq!(fixture.kicked(), ["old"]);
    assert_eq!(
        refused(&fixture.connect(3, "old", Some((DEV1, &old)))),
        Reason::BadSecret
    );
}

#[test]
fn an_expiry_refuses_and_ends_sessions_at_its_instant() {
    let mut fixture = Fixture::new();
    let end =
        Timestamp::from_millis(fixture.clock.load(Ordering::SeqCst)).plus(Duration::from_secs(10));
    let secret = fixture.credential_that("dev1", |new| new.expires_at = Some(end));
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.pass(Duration::from_millis(9_999));
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.pass(Duration::from_millis(1));
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        refused(&fixture.connect(2, "a", Some((DEV1, &secret)))),
        Reason::Expired
    );
}

#[test]
fn a_host_that_asks_again_about_a_live_session_is_answered_whatever_the_store_says() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    // The change has not been polled yet; the session still stands.
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    // With anything else it is a new login.
    assert_eq!(
        refused(&fixture.connect(1, "a", Some((DEV1, "wrong")))),
        Reason::UnknownName
    );
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "acme/x"),
        Verdict::Deny(Reason::Unauthenticated)
    );
}

#[test]
fn a_kicked_session_is_not_recognised_again() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        refused(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Reason::Suspended
    );
}

#[test]
fn a_credential_made_again_is_another_one() {
    let mut fixture = Fixture::new();
    let old = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &old)));
    fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    let new = fixture.credential("dev1");
    assert_eq!(fixture.kicked(), ["a"]);
    fixture.gate.disconnected(Handle(1));
    assert_eq!(
        refused(&fixture.connect(2, "a", Some((DEV1, &old)))),
        Reason::BadSecret
    );
    assert_eq!(
        admitted(&fixture.connect(2, "a", Some((DEV1, &new)))),
        Some(DEV1)
    );
}

#[test]
fn first_use_binds_the_client_id_for_good() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential_that("dev1", |new| {
        new.client_id_rule = Some(ClientIdRule::FirstUse)
    });
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some((DEV1, &secret)))),
        Some(DEV1)
    );
    assert_eq!(
        refused(&fixture.connect(2, "b", Some((DEV1, &secret)))),
        Reason::ClientIdMismatch
    );
    fixture.run(&UntieCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    assert_eq!(
        admitted(&fixture.connect(2, "b", Some((DEV1, &secret)))),
        Some(DEV1)
    );
}

#[test]
fn an_anonymous_client_joins_the_first_open_tenant_that_it_touches() {
    let mut fixture = Fixture::new();
    assert_eq!(
        refused(&fixture.connect(1, "a", None)),
        Reason::Unauthenticated
    );
    fixture.tenant("globex", Authentication::Off);
    fixture.tenant("initech", Authentication::Optional);
    fixture.settle();
    assert_eq!(admitted(&fixture.connect(1, "a", None)), None);
    assert_eq!(
        fixture.publish(1, "a", None, "acme/x"),
        Verdict::Deny(Reason::NoRule)
    );
    assert_eq!(fixture.publish(1, "a", None, "globex/x"), Verdict::Allow);
    assert_eq!(
        fixture.publish(1, "a", None, "initech/x"),
        Verdict::Deny(Reason::OtherTenant)
    );
    let required = TenantChanges {
        authentication: Some(Authentication::Required),
        ..TenantChanges::default()
    };
    fixture.set("initech", required.clone());
    assert_eq!(fixture.kicked(), [""; 0]);
    fixture.set("globex", required);
    assert_eq!(fixture.kicked(), ["a"]);
}

#[test]
fn the_default_tenant_answers_for_clients_that_name_none() {
    let mut fixture = Fixture::with_options(&[("default_tenant", "acme")]);
    fixture.tenant("globex", Authentication::Off);
    fixture.settle();
    assert_eq!(
        refused(&fixture.connect(1, "a", None)),
        Reason::Unauthenticated
    );
    assert_eq!(
        refused(&fixture.connect(1, "a", Some(("dev1", "x")))),
        Reason::UnknownName
    );
    let off = TenantChanges {
        authentication: Some(Authentication::Off),
        ..TenantChanges::default()
    };
    fixture.set("acme", off);
    fixture.settle();
    assert_eq!(
        admitted(&fixture.connect(1, "a", Some(("dev1", "x")))),
        None
    );
    assert_eq!(
        fixture.publish(1, "a", None, "globex/x"),
        Verdict::Deny(Reason::OtherTenant)
    );
    assert_eq!(fixture.publish(1, "a", None, "acme/x"), Verdict::Allow);
}

#[test]
fn a_tenants_new_namespace_reaches_live_sessions() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "plant/x"),
        Verdict::Deny(Reason::NoRule)
    );
    let add_namespaces = vec![TopicFilter::parse("plant/#").unwrap()];
    fixture.set(
        "acme",
        TenantChanges {
            add_namespaces,
            ..TenantChanges::default()
        },
    );
    fixture.settle();
    assert_eq!(
        fixture.publish(1, "a", Some(DEV1), "plant/x"),
        Verdict::Allow
    );
}

#[test]
fn shapes_that_nothing_valid_has_are_refused_in_every_mode() {
    let mut fixture = Fixture::new();
    let off = TenantChanges {
        authentication: Some(Authentication::Off),
        ..TenantChanges::default()
    };
    fixture.set("acme", off);
    fixture.settle();
    for (client_id, username) in [
        ("a+", None),
        ("#", None),
        ("a\n", None),
        ("a", Some("x\0@acme")),
        ("a", Some("x+@acme")),
        ("a", Some("")),
        ("a", Some("@acme")),
        ("a", Some(" dev1@acme")),
    ] {
        let outcome = fixture.connect(1, client_id, username.map(|name| (name, "x")));
        assert_eq!(
            refused(&outcome),
            Reason::Malformed,
            "{client_id:?} {username:?}"
        );
    }
    let unknown = fixture.connect(1, "a", Some(("x@nosuch", "x")));
    assert_eq!(refused(&unknown), Reason::UnknownTenant);
}

#[test]
fn two_live_brokers_can_not_share_a_name() {
    let fixture = Fixture::new();
    let again = Gate::open(
        SqliteStore::open(&fixture.config.options.store).unwrap(),
        fixture.config.clone(),
    );
    match again {
        Err(GateError::Store(error)) => assert_eq!(error.kind(), StoreErrorKind::Conflict),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two brokers have one name"),
    }
    let config = fixture.config.clone();
    let folder = fixture.folder;
    fixture.gate.close();
    assert!(Gate::open(SqliteStore::open(&config.options.store).unwrap(), config).is_ok());
    drop(folder);
}

#[test]
fn who_is_connected_is_written_down_and_cleared() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let _in = fixture.connect(1, "a", Some((DEV1, &secret)));
    assert_eq!(fixture.listed(), [("a".to_owned(), Some(DEV1.to_owned()))]);
    fixture.gate.disconnected(Handle(1));
    assert!(fixture.listed().is_empty());
}

#[test]
fn who_goes_once_a_store_was_told_of_it_again_is_not_listed() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let login = Some((DEV1, &*secret));
    for (handle, client_id) in [(1, "stays"), (2, "goes")] {
        assert!(admitted(&fixture.connect(handle, client_id, login)).is_some());
    }
    for suffix in ["-wal", "-shm"] {
        let store = fixture.config.options.store.display();
        std::fs::remove_file(format!("{store}{suffix}")).unwrap();
    }
    // The writer has taken out that both came, and can't write it.
    fixture.background.step();
    assert!(fixture.admin.mark().is_err());
    assert!(admitted(&fixture.connect(3, "comes", login)).is_some());
    fixture.gate.disconnected(Handle(2));
    let listed = fixture.listed().into_iter();
    let listed: Vec<_> = listed.map(|(client_id, _)| client_id).collect();
    assert_eq!(listed, ["stays", "comes"]);
}

#[test]
fn what_an_administrator_does_holds_for_the_next_login_without_a_poll() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev1");
    let login = Some((DEV1, &*secret));
    let unknown = fixture.connect(9, "z", Some(("dev2@acme", "x")));
    assert_ne!(refused(&unknown), Reason::Suspended);
    for handle in 1..4 {
        assert_eq!(admitted(&fixture.connect(handle, "a", login)), Some(DEV1));
    }
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    assert_eq!(refused(&fixture.connect(4, "a", login)), Reason::Suspended);
    fixture.run(&ReactivateCredential(name(DEV1))).unwrap();
    assert_eq!(admitted(&fixture.connect(5, "a", login)), Some(DEV1));
    fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    // For want of time to hash, it may also be over budget.
    let gone = refused(&fixture.connect(6, "a", login));
    assert!(matches!(gone, Reason::UnknownName | Reason::OverBudget));
    let again = fixture.credential("dev1");
    let wrong = refused(&fixture.connect(7, "a", login));
    assert!(matches!(wrong, Reason::BadSecret | Reason::OverBudget));
    assert_eq!(
        admitted(&fixture.connect(8, "b", Some((DEV1, &again)))),
        Some(DEV1)
    );
    let new = fixture.credential("dev2");
    assert_eq!(
        admitted(&fixture.connect(9, "z", Some(("dev2@acme", &new)))),
        Some("dev2@acme")
    );
}

#[test]
fn a_first_use_at_another_broker_is_no_hindrance() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential_that("dev1", |new| {
        new.client_id_rule = Some(ClientIdRule::FirstUse);
    });
    // Looked up, and not used.
    let wrong = refused(&fixture.connect(1, "a", Some((DEV1, "wrong"))));
    assert!(matches!(wrong, Reason::BadSecret | Reason::OverBudget));
    let store = SqliteStore::open(fixture.folder.path().join("countersign.db")).unwrap();
    let mut config = fixture.config.clone();
    config.broker = "elsewhere".into();
    let elsewhere = Gate::open(store, config).unwrap();
    let here = core::mem::replace(&mut fixture.gate, elsewhere);
    let login = Some((DEV1, &*secret));
    assert_eq!(admitted(&fixture.connect(1, "a", login)), Some(DEV1));
    let elsewhere = core::mem::replace(&mut fixture.gate, here);
    assert_eq!(
        refused(&fixture.connect(2, "b", login)),
        Reason::ClientIdMismatch
    );
    assert_eq!(admitted(&fixture.connect(3, "a", login)), Some(DEV1));
    elsewhere.close();
}

/// What threads may do is said by types, and stays so.
#[test]
fn a_gate_moves_between_threads_and_is_never_shared() {
    const fn sends<T: Send>() {}
    const fn shares<T: Send + Sync>() {}
    const {
        sends::<Gate<SqliteStore>>();
        sends::<ConnectOutcome>();
        shares::<Directive>();
        shares::<GateConfig>();
    }
}

#[test]
fn options_that_hold_while_a_gate_is_open_can_t_change() {
    let mut fixture = Fixture::new();
    let store = fixture.config.options.store.to_str().unwrap().to_owned();
    let store = store.as_str();
    for (key, value) in [
        ("broker", "other"),
        ("hash_budget", "50"),
        ("hash_round", "50"),
        ("hash_threads", "3"),
    ] {
        let options = Options::parse([("store", store), (key, value)]).unwrap();
        let refused = fixture.gate.change_options(options).unwrap_err();
        assert_eq!(refused.option(), key);
    }
    let elsewhere = Options::parse([("store", "/elsewhere.db")]).unwrap();
    let refused = fixture.gate.change_options(elsewhere).unwrap_err();
    assert_eq!(refused.option(), "store");
}

#[test]
fn other_options_hold_for_the_next_login_and_end_no_session() {
    let mut fixture = Fixture::new();
    fixture.tenant("open", Authentication::Off);
    fixture.settle();
    let secret = fixture.credential("dev1");
    let login = Some(("dev1@acme", secret.as_str()));
    assert_eq!(admitted(&fixture.connect(1, "a", login)), Some("dev1@acme"));
    let store = fixture.config.options.store.to_str().unwrap().to_owned();
    let options = Options::parse([("store", store.as_str()), ("listener_1884", "open")]).unwrap();
    fixture.gate.change_options(options).unwrap();
    assert!(fixture.kicked().is_empty());
    let mut info = ConnectInfo::new(Handle(2), b"b");
    info.username = Some(b"dev1@acme");
    info.password = Some(secret.as_bytes());
    info.listener = Some(1884);
    let outcome = fixture.gate.connect(&info);
    assert_eq!(refused(&outcome), Reason::WrongListener);
}

#[test]
fn what_was_committed_counts_for_the_next_login_while_others_write_without_pause() {
    let mut fixture = Fixture::new();
    let secret = fixture.credential("dev7");
    let name = LoginName::parse("dev7@acme").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut elsewhere = SqliteStore::open(fixture.admin.path()).unwrap();
    let churn = std::thread::spawn(move || {
        let mut written = 0_u32;
        while !stopped.load(Ordering::SeqCst) {
            written += 1;
            let at = Timestamp::from_millis(written.into());
            let batch = Batch {
                observations: vec![PresenceEvent::Used(CredentialId(1), at)],
                ..Batch::default()
            };
            elsewhere.write_batch("there", &batch).unwrap();
        }
        written
    });
    for round in 0..150 {
        let outcome = fixture.connect(1, "c", Some(("dev7@acme", &secret)));
        // At most the login's own record was in the way of the others' writes.
        assert!(
            matches!(
                outcome,
                ConnectOutcome::Admitted { .. }
                    | ConnectOutcome::Refused {
                        reason: Reason::StoreBusy,
                        ..
                    }
            ),
            "{round}: {outcome:?}"
        );
        fixture.gate.disconnected(Handle(1));
        fixture.run(&SuspendCredential(name.clone())).unwrap();
        let outcome = fixture.connect(2, "c", Some(("dev7@acme", &secret)));
        assert!(
            matches!(
                outcome,
                ConnectOutcome::Refused {
                    reason: Reason::Suspended,
                    ..
                }
            ),
            "{round}: {outcome:?}"
        );
        fixture.run(&ReactivateCredential(name.clone())).unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    assert!(churn.join().unwrap() > 0);
}
