//! A gate on a store of its own, and devices that log in and publish.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "it asks for what it made itself"
)]

use countersign::core::name::TenantId;
use countersign::core::options::Options;
use countersign::core::reason::Reason;
use countersign::core::store::Settings;
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{ConnectFacts, ConnectOutcome, Gate, Handle, Peer, Setting, TopicUse};
use countersign_admin::credential::{self, NewCredential};
use countersign_admin::tenant::{self, NewTenant};
use countersign_admin::{Context, OsRandom};

/// What may go wrong.
pub(crate) type Result<T> = core::result::Result<T, Box<dyn std::error::Error>>;

/// What a device logs in with.
#[derive(Clone)]
struct Login {
    name: String,
    secret: Vec<u8>,
    /// Its own, as in most fleets.
    client_id: String,
}

/// A gate and its devices.
pub(crate) struct Rig {
    gate: Gate<SqliteStore>,
    setting: Setting,
    logins: Vec<Login>,
    starts: usize,
}

impl Rig {
    /// A gate on a store in `folder` with one credential more than `count`, the last of
    /// which has logged in.
    pub(crate) fn new(folder: &std::path::Path, count: usize) -> Result<Self> {
        let path = folder.join("countersign.db");
        let path = path.to_str().ok_or("the folder has no name")?;
        let mut admin = SqliteStore::create(path, &Settings::default())?;
        let mut context = Context {
            now: NOW,
            actor: "cli:bench",
            random: &mut OsRandom,
        };
        let acme = TenantId::parse("acme")?;
        let new = NewTenant::new(acme.clone());
        tenant::create(&mut admin, &context, new)?;
        let mut logins = Vec::new();
        for index in 0..=count {
            let new = NewCredential::new(acme.clone(), format!("device{index:05}"));
            let issued = credential::create(&mut admin, &mut context, new)?;
            let secret = issued.secret.ok_or("a secret was made")?;
            let name = issued.described.credential.name.to_string();
            logins.push(Login {
                client_id: name.replace('@', "-"),
                name,
                secret: secret.expose().to_vec(),
            });
        }
        let options = Options::parse([("store", path)])?;
        let setting = Setting::new(options, "bench", || NOW, || ());
        let gate = Gate::open(SqliteStore::open(path)?, setting.clone())?;
        let mut rig = Self {
            gate,
            setting,
            logins,
            starts: 0,
        };
        rig.connect_and_leave(count);
        Ok(rig)
    }

    /// A gate that has seen nobody.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        let path = self.setting.options.store.clone();
        let mut setting = self.setting.clone();
        self.starts += 1;
        // The one before still has its name.
        setting.broker = format!("another{}", self.starts);
        self.gate = Gate::open(SqliteStore::open(path)?, setting)?;
        Ok(())
    }

    /// Lets every device in and out, so that none logs in for the first time.
    pub(crate) fn log_everybody_in(&mut self) -> Result<()> {
        // The first login changes the record, the second finds it as it stays.
        for index in (0..self.logins.len()).chain(0..self.logins.len()) {
            self.connect_and_leave(index);
        }
        // What the writer does is counted elsewhere, but what it does to the
        // store is not to come in between.
        std::thread::sleep(std::time::Duration::from_secs(1));
        Ok(())
    }

    /// Asks whether there is something to do.
    pub(crate) fn poll(&mut self) {
        let _directives = core::hint::black_box(self.gate.poll());
    }

    fn connect_as(&mut self, client_id: &str, username: &[u8], password: &[u8]) -> ConnectOutcome {
        self.gate.connect(&{
            let mut facts = ConnectFacts::new(HANDLE, client_id.as_bytes());
            facts.username = Some(username);
            facts.password = Some(password);
            facts.address = Some("192.0.2.1");
            facts
        })
    }

    /// Lets a device in.
    pub(crate) fn connect(&mut self, index: usize) {
        let login = self.logins[index].clone();
        let (name, client_id) = (&*login.name, &*login.client_id);
        // Under Valgrind the writer holds the store for longer than a login waits.
        let outcome = (0..MOST_TRIES)
            .map(|_| self.connect_as(client_id, name.as_bytes(), &login.secret))
            .find(|outcome| !is_busy(outcome));
        let is_in = matches!(outcome, Some(ConnectOutcome::Admitted { .. }));
        assert!(is_in, "{name}: {outcome:?}");
    }

    /// Lets a device in, which leaves again.
    pub(crate) fn connect_and_leave(&mut self, index: usize) {
        self.connect(index);
        self.gate.disconnected(HANDLE);
        self.gate.disconnected(HANDLE);
    }

    /// Refuses a token that nobody has.
    pub(crate) fn connect_unknown(&mut self, index: usize) {
        let token = format!("dt_{index:08x}-0000-4000-8000-000000000000");
        let outcome = self.connect_as("device-of-acme-17", token.as_bytes(), token.as_bytes());
        let is_refused = matches!(outcome, ConnectOutcome::Refused { .. });
        assert!(is_refused, "{outcome:?}");
    }

    fn ask(&mut self, login: usize, usage: TopicUse<'_>) {
        let Login {
            name, client_id, ..
        } = &self.logins[login];
        let peer = Peer {
            handle: HANDLE,
            client_id: Some(client_id.as_bytes()),
            username: Some(name.as_bytes()),
            connected: true,
            ..Peer::default()
        };
        assert!(self.gate.check(&peer, usage).is_allowed());
    }

    /// Judges a message of a device that is in.
    pub(crate) fn publish(&mut self, login: usize, index: usize) {
        let usage = TopicUse::Publish {
            topic: TOPICS[index % TOPICS.len()].as_bytes(),
            qos: 0,
            retain: false,
        };
        self.ask(login, usage);
    }

    /// Judges a message to a device that is in.
    pub(crate) fn deliver(&mut self, login: usize, index: usize) {
        let topic = TOPICS[index % TOPICS.len()].as_bytes();
        self.ask(login, TopicUse::Deliver { topic });
    }
}

fn is_busy(outcome: &ConnectOutcome) -> bool {
    matches!(
        outcome,
        ConnectOutcome::Refused {
            reason: Reason::StoreBusy,
            ..
        }
    )
}

const MOST_TRIES: usize = 1_000;
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HANDLE: Handle = Handle(0x5555_0000_1230);
const TOPICS: [&str; 2] = ["acme/data/01/temperature", "acme/data/02/temperature"];
