//! Logins whose password must be hashed: held, in time, and out of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::core::change::Change;
use countersign::core::client_id::{ClientId, ClientIdRule};
use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::reason::Reason;
use countersign::core::secret::{Argon2Params, PasswordHash, SaltReading, SecretId, Verifier};
use countersign::core::store::rows::SecretRows as _;
use countersign::core::store::{
    AdminStore as _, AdminTransaction as _, Directory as _, Intent, Settings,
};
use countersign::core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{
    ClientRef, Completion, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Gate,
    GateConfig, Handle, RefusalCode, Ticket, TopicUse, Verdict,
};
use countersign_admin::clients::ListClients;
use countersign_admin::credential::{
    CreateCredential, CredentialChanges, DeleteCredential, NewCredential, ResetPassword,
    RevokeCredential, SetCredential, SuspendCredential,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_admin::settings::{SetSettings, SettingsChanges};
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::text::FreeText;
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom};

use crate::by_hand::{ByHand, folder, new_store};

mod cost;
mod counted;
mod held;
mod limits;
mod rehash;

const QUICK: &str = "m=8,t=1,p=1";
const DEV1: &str = "dev1@acme";

/// A gate, the store behind it, and the host's clock.
struct Fixture {
    gate: Gate<SqliteStore>,
    admin: SqliteStore,
    background: Arc<ByHand>,
    clock: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

/// A CONNECT.
#[derive(Clone, Copy)]
struct Try<'a> {
    handle: usize,
    client_id: &'a str,
    name: &'a str,
    password: &'a str,
    address: &'a str,
    may_wait: bool,
}

const TRY: Try<'static> = Try {
    handle: 1,
    client_id: "a",
    name: DEV1,
    password: "right",
    address: "192.0.2.1",
    may_wait: true,
};

const WRONG: Try<'static> = Try {
    password: "wrong",
    ..TRY
};

fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

fn chosen(password: &str) -> NewSecret {
    NewSecret::Chosen(ChosenPassword::parse(password.into()).unwrap())
}

impl Fixture {
    /// With a tenant `acme` and a device `dev1`, whose password is `right`.
    fn new() -> Self {
        Self::with(QUICK, Authentication::Required)
    }

    fn with(argon2: &str, authentication: Authentication) -> Self {
        Self::with_options(argon2, authentication, &[])
    }

    fn with_options(argon2: &str, authentication: Authentication, more: &[(&str, &str)]) -> Self {
        let folder = folder();
        let path = folder.path().join("countersign.db");
        let settings = Settings {
            argon2: Argon2Params::parse(argon2).unwrap(),
            ..Settings::default()
        };
        let admin = new_store(&path, &settings);
        let path = path.to_str().unwrap();
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
        let mut config = GateConfig::new(
            Options::parse([&[("store", path), ("hash_threads", "1")], more].concat()).unwrap(),
            "bench",
            {
                let clock = Arc::clone(&clock);
                move || Timestamp::from_millis(clock.load(Ordering::SeqCst))
            },
            || (),
        );
        let background = ByHand::of(&mut config);
        let gate = Gate::open(SqliteStore::open(path).unwrap(), config).unwrap();
        let mut fixture = Self {
            gate,
            admin,
            background,
            clock,
            folder,
        };
        let acme = NewTenant {
            id: TenantId::parse("acme").unwrap(),
            namespaces: Vec::new(),
            authentication,
            subscribe: SubscribeMode::Strict,
            client_id_prefix: None,
            lockout: None,
            default_rights: DefaultRights::Namespaces,
        };
        fixture.run(&CreateTenant(acme)).unwrap();
        fixture.device("dev1");
        fixture.settle();
        fixture
    }

    fn device(&mut self, device: &str) {
        let new = NewCredential {
            secret: chosen("right"),
            ..NewCredential::new(TenantId::parse("acme").unwrap(), device)
        };
        self.run(&CreateCredential(new)).unwrap();
    }

    /// Gives a credential a password as another system hashed it, besides.
    fn take_over(&mut self, name: &LoginName, hash: &str) -> SecretId {
        let id = self.admin.credential(name).unwrap().unwrap().id;
        let hash = PasswordHash::import(hash, SaltReading::Either).unwrap();
        let mut transaction = self.admin.begin(Intent::Write).unwrap();
        let secret = transaction.add_secret(id, &Verifier::Password(hash));
        transaction.commit(&[], &[Change::Credential(id)]).unwrap();
        self.settle();
        secret.unwrap()
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

    fn connect(&mut self, it: Try<'_>) -> ConnectOutcome {
        self.gate.connect(&info(it))
    }

    /// Works and polls until there is nothing more to do.
    fn settle(&mut self) -> Vec<Directive> {
        self.background.settle(&mut self.gate)
    }

    fn change(&mut self, name: &LoginName, change: impl FnOnce(&mut CredentialChanges)) {
        let mut changes = CredentialChanges::default();
        change(&mut changes);
        let name = name.clone();
        self.run(&SetCredential { name, changes }).unwrap();
    }

    /// Logs in until there is no time left on the host's thread.
    fn use_up_the_round(&mut self, which: usize) {
        for number in 900..910 {
            let name = format!("filler{which}-{number}@acme");
            let outcome = self.connect(Try {
                handle: number,
                client_id: &format!("filler{number}"),
                name: &name,
                address: &format!("198.51.{}.{}", number % 100, which % 250),
                may_wait: false,
                ..WRONG
            });
            if refused(&outcome).1 == RefusalCode::Busy {
                return;
            }
        }
        panic!("there is no end of time");
    }

    /// What a login comes to at its first try, which is made again until it is
    /// answered.
    fn first_seen(&mut self, login: Try<'_>, which: &mut usize) -> Seen {
        let mut attempt = |fixture: &mut Self| {
            if !login.may_wait {
                fixture.use_up_the_round(*which);
                *which = which.saturating_add(1);
            }
            seen(&fixture.connect(login))
        };
        let first = attempt(self);
        let mut last = first;
        while last != Seen::Refused(RefusalCode::NotAuthorized) {
            let is_complete =
                |directive: &Directive| matches!(directive, Directive::Complete { .. });
            if self.settle().iter().any(is_complete) {
                break;
            }
            if last == Seen::Refused(RefusalCode::Busy) {
                last = attempt(self);
            }
        }
        first
    }

    /// How logins end that waited: ticket and completion.
    fn completions(&mut self) -> Vec<(Ticket, Completion)> {
        self.settle()
            .into_iter()
            .filter_map(|directive| match directive {
                Directive::Complete {
                    ticket, completion, ..
                } => Some((ticket, completion)),
                _ => None,
            })
            .collect()
    }

    /// Why a login that waits is refused in the end.
    fn refused_in_the_end(&mut self) -> String {
        match self.completions().as_slice() {
            [(_, Completion::Refuse { line })] => line.clone().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Says whether somebody with this handle may publish.
    fn publishes(&mut self, handle: usize, username: Option<&str>, connected: bool) -> bool {
        self.may(
            handle,
            username,
            connected,
            TopicUse::Publish {
                topic: b"acme/x",
                qos: 0,
                retain: false,
            },
        )
    }

    fn may(
        &mut self,
        handle: usize,
        username: Option<&str>,
        connected: bool,
        usage: TopicUse<'_>,
    ) -> bool {
        let client = ClientRef {
            handle: Handle(handle),
            client_id: Some(b"a"),
            username: username.map(str::as_bytes),
            connected,
            ..ClientRef::default()
        };
        self.gate.check(&client, usage) == Verdict::Allow
    }

    /// The client ids that are listed, once what is gathered is written.
    fn listed(&mut self) -> Vec<String> {
        self.background.write();
        let listed = self
            .run(&ListClients {
                tenant: None,
                all: false,
                ..ListClients::default()
            })
            .unwrap();
        listed
            .rows
            .into_iter()
            .map(|client| client.presence.client_id.to_string())
            .collect()
    }
}

fn info(it: Try<'_>) -> ConnectInfo<'_> {
    let mut info = ConnectInfo::new(Handle(it.handle), it.client_id.as_bytes());
    info.username = Some(it.name.as_bytes());
    info.password = Some(it.password.as_bytes());
    info.address = Some(it.address);
    info.may_wait = it.may_wait;
    info
}

#[track_caller]
fn pending(outcome: &ConnectOutcome) -> (Ticket, Option<&str>) {
    match outcome {
        ConnectOutcome::Pending { ticket, username } => (*ticket, username.as_deref()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_admitted(outcome: &ConnectOutcome) -> bool {
    match outcome {
        ConnectOutcome::Admitted { .. } => true,
        ConnectOutcome::Refused { .. } => false,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(outcome: &ConnectOutcome) -> (Reason, RefusalCode) {
    match outcome {
        ConnectOutcome::Refused { reason, code, .. } => (*reason, *code),
        other => panic!("{other:?}"),
    }
}

fn admit(username: Option<&str>) -> Completion {
    Completion::Admit {
        username: username.map(Into::into),
    }
}

/// What a client, and whoever measures how long it takes, can learn of a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    /// It is held, for it is hashed.
    Held,
    /// It is refused without a hash.
    Refused(RefusalCode),
}

fn seen(outcome: &ConnectOutcome) -> Seen {
    match outcome {
        ConnectOutcome::Pending { .. } => Seen::Held,
        ConnectOutcome::Refused { code, .. } => Seen::Refused(*code),
        other => panic!("{other:?}"),
    }
}
