//! A gate on a small store, which lives as long as the program.

use std::cell::RefCell;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::secret::Argon2Params;
use countersign::core::store::Settings;
use countersign::core::time::Timestamp;
use countersign::core::user::{Grant, GrantedRight};
use countersign::sqlite::SqliteStore;
use countersign::{Gate, GateConfig, Handle};
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::password::ChosenPassword;
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::user::{CreateUser, GrantUser};
use countersign_admin::{Caller, Context, OsRandom, run};

/// The gate, and the secrets that it knows.
pub struct Fixture {
    pub gate: Gate<SqliteStore>,
    /// The secret of `dev1@acme`.
    pub secret: Vec<u8>,
    next: usize,
}

/// The password of `boss@mail.test`, who administers `acme`.
pub const PASSWORD: &[u8] = b"hunter2 and more";

/// The clock: an input takes 20 ms, so that budgets and limits breathe.
static NOW: AtomicI64 = AtomicI64::new(1_700_000_000_000);

thread_local! {
    static FIXTURE: RefCell<Option<Fixture>> = const { RefCell::new(None) };
}

/// Does something with the gate, made at the first call.
pub fn with<T>(act: impl FnOnce(&mut Fixture) -> T) -> T {
    NOW.fetch_add(20, Ordering::Relaxed);
    FIXTURE.with_borrow_mut(|fixture| act(fixture.get_or_insert_with(Fixture::new)))
}

pub fn now() -> Timestamp {
    Timestamp::from_millis(NOW.load(Ordering::Relaxed))
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let path = folder.join("store.db");
        let key = format!("{}\n", "0123456789abcdef".repeat(4));
        std::fs::write(folder.join("store.db.key"), key).unwrap();
        let settings = Settings {
            argon2: Argon2Params::parse("m=8,t=1,p=1").unwrap(),
            ..Settings::default()
        };
        let mut store = SqliteStore::create(&path, &settings).unwrap();
        let mut random = OsRandom;
        let mut context = Context {
            now: now(),
            caller: Caller::owner("cli:fuzz"),
            random: &mut random,
        };
        let tenant = |id: &str| TenantId::parse(id).unwrap();
        for id in ["acme", "other"] {
            let new = NewTenant::new(tenant(id));
            run(&mut store, &mut context, &CreateTenant(new)).unwrap();
        }
        let new = CreateCredential(NewCredential::new(tenant("acme"), "dev1"));
        let made = countersign_admin::run(&mut store, &mut context, &new).unwrap();
        let secret = made.secret.unwrap().expose().to_vec();
        let boss = LoginName::parse("boss@mail.test").unwrap();
        let password = ChosenPassword::parse(PASSWORD.to_vec()).unwrap();
        let create = CreateUser::new(boss.clone(), password);
        run(&mut store, &mut context, &create).unwrap();
        let grant = GrantUser {
            email: boss,
            grant: Grant {
                tenant: tenant("acme"),
                group: None,
                right: GrantedRight::OrgAdmin,
            },
        };
        run(&mut store, &mut context, &grant).unwrap();
        drop(store);
        let path = path.to_str().unwrap();
        let options = Options::parse([("store", path)]).unwrap();
        let config = GateConfig::new(options, "fuzz", now, || {});
        let gate = Gate::open(SqliteStore::open(path).unwrap(), config).unwrap();
        Self {
            gate,
            secret,
            next: 0,
        }
    }

    /// A handle that no connection has.
    pub fn handle(&mut self) -> Handle {
        self.next += 1;
        Handle(self.next)
    }

    /// Ends a connection, and the session that the host keeps for it, and does
    /// what a host does between packets. Without the second call the gate would
    /// keep 100,000 sessions that are away, 37 MB, before the oldest go.
    pub fn finish(&mut self, handle: Handle) {
        self.gate.disconnected(handle);
        self.gate.disconnected(handle);
        drop(self.gate.poll());
    }
}
