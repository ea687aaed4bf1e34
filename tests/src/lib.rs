//! What the end-to-end tests share: a broker with the plugin, a store, and the
//! words that the rows of `docs/behaviours.md` are written in.

pub mod authority;
pub mod hooked;
pub mod key_server;
pub mod maker;
pub mod mosquitto_tools;
pub mod people;
pub mod service;
pub mod turn;

use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use countersign_core::scheme::Shape;
use countersign_testkit::broker::Builder;
use countersign_testkit::mqtt::Message;
use countersign_testkit::tools::{Background, Output, Tool};
use countersign_testkit::{Broker, Cli, Client, Connect, Version, artifacts};
use serde_json::Value;
use tempfile::TempDir;

/// Runs a test on each of the three brokers. One that is `nearly alone` has no more
/// than one other beside it, since it waits for what takes processor time.
///
/// The row of the behaviours that it shows begins its name.
#[macro_export]
macro_rules! on_every_broker {
    (nearly alone; $($tests:tt)*) => {
        $crate::on_every_broker! { @ $crate::turn::nearly_alone; $($tests)* }
    };
    (@ $turn:expr; $($(#[$attribute:meta])* fn $name:ident($version:ident) $body:block)*) => {
        $(
            $(#[$attribute])*
            mod $name {
                use super::*;

                fn run($version: countersign_testkit::Version) {
                    let _turn = $turn();
                    $body
                }

                #[test]
                fn on_2_0_11() {
                    run(countersign_testkit::Version::V2_0_11);
                }

                #[test]
                fn on_2_0_21() {
                    run(countersign_testkit::Version::V2_0_21);
                }

                #[test]
                fn on_2_1() {
                    run(countersign_testkit::Version::V2_1);
                }
            }
        )*
    };
    ($($tests:tt)*) => {
        $crate::on_every_broker! { @ $crate::turn::beside_others; $($tests)* }
    };
}

/// A broker with the plugin, its store, and the program that administers it.
#[derive(Debug)]
pub struct Fixture {
    /// The broker.
    pub broker: Broker,
    /// The program, on the broker's store.
    pub cli: Cli,
    _folder: Option<TempDir>,
}

/// A tenant that one test alone uses, on a broker that tests share.
#[derive(Debug)]
pub struct OwnTenant {
    /// The tenant.
    pub id: String,
    fixture: &'static Fixture,
}

impl Deref for OwnTenant {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        self.fixture
    }
}

fn loading(builder: Builder, plugin: &Path, store: &Path) -> Builder {
    builder
        .line("allow_anonymous true")
        .plugin(plugin)
        .plugin_option("store", store.display())
}

impl Fixture {
    /// A broker with a fresh store and no tenants.
    pub fn start(version: Version) -> Self {
        Self::start_with(version, |builder| builder)
    }

    /// The same with whatever `more` adds to the broker.
    pub fn start_with(version: Version, more: impl FnOnce(Builder) -> Builder) -> Self {
        Self::start_plugin(version, &artifacts::plugin().unwrap(), more)
    }

    /// A broker whose plugin's clock can be moved.
    pub fn start_with_clock(version: Version) -> (Self, Clock) {
        Self::start_with_clock_and(version, |builder| builder)
    }

    /// The same, with further lines for `mosquitto.conf`.
    pub fn start_with_clock_and(
        version: Version,
        more: impl FnOnce(Builder) -> Builder,
    ) -> (Self, Clock) {
        let clock = Clock::new();
        let plugin = artifacts::plugin_with_test_hooks().unwrap();
        let fixture = Self::start_plugin(version, &plugin, |builder| {
            more(builder.env("COUNTERSIGN_TEST_CLOCK", clock.file.to_str().unwrap()))
        });
        (fixture, clock)
    }

    fn start_plugin(
        version: Version,
        plugin: &Path,
        more: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("countersign-store-")
            .tempdir()
            .unwrap();
        let store = folder.path().join("countersign.db");
        let builder = Broker::builder(version);
        Self {
            _folder: Some(folder),
            ..Self::on_store(&store, more(loading(builder, plugin, &store)))
        }
    }

    fn on_store(store: &Path, builder: Builder) -> Self {
        let cli = Cli::new(store);
        cli.json(&["init"]);
        Self {
            broker: builder.start().unwrap(),
            cli,
            _folder: None,
        }
    }

    /// A broker that this version's tests share, and a tenant of one's own. It is
    /// for tests that ask the program alone and look at nothing but what is their
    /// tenant's: a login does not wait long for what another test writes, and
    /// failed ones count for the address that all come from.
    pub fn shared(version: Version) -> OwnTenant {
        static SHARED: LazyLock<Mutex<HashMap<Version, &'static Fixture>>> =
            LazyLock::new(Mutex::default);
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let start = || {
            let builder = Broker::builder(version);
            // In the broker's folder: what is never dropped goes with the broker.
            let store = builder.dir().join("countersign.db");
            let builder = loading(builder, &artifacts::plugin().unwrap(), &store);
            &*Box::leak(Box::new(Self::on_store(&store, builder)))
        };
        let fixture = *SHARED.lock().unwrap().entry(version).or_insert_with(start);
        let id = format!("own{}", COUNT.fetch_add(1, Ordering::Relaxed));
        fixture.tenant(&id, &[]);
        OwnTenant { fixture, id }
    }

    /// The same with one tenant, `t1`, that owns Kaa's topics.
    pub fn start_with_tenant(version: Version) -> Self {
        let fixture = Self::start(version);
        fixture.tenant("t1", &["--namespace", "kp1/#"]);
        fixture
    }

    /// Makes a tenant.
    pub fn tenant(&self, id: &str, options: &[&str]) -> Value {
        self.cli.act(&format!("tenant create {id}"), options)
    }

    /// Sets what a tenant asks of clients.
    pub fn set_authentication(&self, tenant: &str, mode: &str) {
        let line = format!("tenant set {tenant} --authentication {mode}");
        self.cli.act(&line, &[]);
    }

    /// Makes a credential with a generated secret.
    pub fn credential(&self, name: &str, tenant: &str) -> Login {
        self.credential_with(name, tenant, &[])
    }

    /// The same with more options.
    pub fn credential_with(&self, name: &str, tenant: &str, options: &[&str]) -> Login {
        let line = format!("credential create {name} --tenant {tenant}");
        Login::from(&self.cli.act(&line, options))
    }

    /// Makes a credential with a chosen password.
    pub fn credential_with_password(&self, name: &str, tenant: &str, password: &str) -> Login {
        let line = format!("credential create {name} --tenant {tenant} --password-stdin");
        let args: Vec<&str> = line.split(' ').collect();
        let stdin = format!("{password}\n");
        let made = self.cli.json_with_stdin(&args, stdin.as_bytes());
        Login {
            username: text(&made, "username"),
            secret: password.to_owned(),
        }
    }

    /// Does `act` to a credential: `suspend`, `reactivate`, `revoke`, `delete`.
    pub fn act(&self, act: &str, login: &Login) -> Value {
        self.cli.json(&["credential", act, &login.username])
    }

    /// What `credential show` says.
    pub fn show(&self, login: &Login) -> Value {
        self.cli.json(&["credential", "show", &login.username])
    }

    /// When this credential was last used, as `credential show` says.
    pub fn last_used_at(&self, login: &Login) -> jiff::Timestamp {
        // Not as a text: its fraction is as long as it must be, so texts don't
        // sort.
        text(&self.show(login), "last_used_at").parse().unwrap()
    }

    /// All that our plugin wrote to the broker's log.
    pub fn our_lines(&self) -> String {
        let log = self.broker.log();
        let ours: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("Countersign: "))
            .collect();
        ours.join("\n")
    }

    /// The state that `credential show` says.
    pub fn state(&self, login: &Login) -> String {
        text(&self.show(login), "state")
    }

    /// The broker's port.
    pub fn port(&self) -> u16 {
        self.broker.port()
    }

    /// The seed's command: publishes a temperature and waits for an answer on
    /// the error topic, in vain, for a second.
    pub fn kaa_request(&self, username: &str, password: &str, protocol: &str) -> Output {
        self.kaa_request_with(&["-u", username, "-P", password, "-V", protocol])
    }

    /// The same with other arguments for who one is.
    pub fn kaa_request_with(&self, who: &[&str]) -> Output {
        Tool::mosquitto("mosquitto_rr", self.port())
            .args(["-e", "kp1/demo/dcx/token/json/1/error"])
            .args(["-t", "kp1/demo/dcx/token/json/1"])
            .args(["-m", r#"{"temperature": 21}"#, "-W", "1"])
            .args(who)
            .run(PATIENCE)
            .unwrap()
    }

    /// A background `mosquitto_sub` that has its subscription.
    pub fn subscriber(&self, login: &Login, client_id: &str, filter: &str) -> Background {
        let mut subscriber = Tool::mosquitto("mosquitto_sub", self.port())
            .args(["-u", &login.username, "-P", &login.secret])
            .args(["-i", client_id, "-t", filter, "-v", "-d", "-V", "311"])
            .background()
            .unwrap();
        subscriber.wait_for_output("SUBACK", PATIENCE).unwrap();
        subscriber
    }

    /// The CONNACK's code of a CONNECT, MQTT 3.1.1.
    pub fn code(&self, login: &Login) -> Option<u8> {
        login.connect("a-client").code(self.port())
    }

    /// Waits until so many clients are counted.
    pub fn wait_for_clients_count(&self, expected: u64) {
        wait_until("the count of clients is right", || {
            self.cli.json(&["clients", "count"])["connected"] == expected
        });
    }

    /// Waits until `clients list` shows exactly these client ids.
    pub fn wait_for_clients(&self, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        wait_until("the list of clients is right", || {
            let listed = self.cli.json(&["clients", "list"]);
            let mut ids: Vec<String> = listed
                .as_array()
                .unwrap()
                .iter()
                .map(|client| text(client, "client_id"))
                .collect();
            ids.sort_unstable();
            ids == expected
        });
    }
}

/// What moves a plugin's clock; nobody else's.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
    _folder: TempDir,
}

impl Clock {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Self {
            file: folder.path().join("clock"),
            _folder: folder,
        };
        clock.set(Duration::ZERO);
        clock
    }

    /// Makes the plugin's clock run so far ahead of the real one.
    pub fn set(&self, ahead: Duration) {
        let written = self.file.with_extension("new");
        std::fs::write(&written, ahead.as_millis().to_string()).unwrap();
        std::fs::rename(&written, &self.file).unwrap();
    }
}

/// A name and the secret that proves it.
#[derive(Clone, Debug)]
pub struct Login {
    /// The whole login name.
    pub username: String,
    /// The secret.
    pub secret: String,
}

impl Login {
    /// A CONNECT of MQTT 3.1.1 with it.
    pub fn connect(&self, client_id: &str) -> Connect {
        Connect::v311(client_id).login(&self.username, &self.secret)
    }

    /// A CONNECT of MQTT 5.0 with it.
    pub fn connect_v5(&self, client_id: &str) -> Connect {
        Connect::v5(client_id).login(&self.username, &self.secret)
    }

    /// The same name with another secret.
    pub fn with_secret(&self, secret: &str) -> Self {
        Self {
            username: self.username.clone(),
            secret: secret.to_owned(),
        }
    }
}

/// What `credential create`, `reset-password` and `rotate` print.
impl From<&Value> for Login {
    fn from(printed: &Value) -> Self {
        Self {
            username: text(printed, "username"),
            secret: text(printed, "secret"),
        }
    }
}

/// The text under a key.
pub fn text(value: &Value, key: &str) -> String {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text under `{key}`: {value}"))
        .to_owned()
}

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The topics of all messages that come until it is quiet.
pub fn topics(client: &mut Client) -> Vec<String> {
    client
        .receive_all(QUIET)
        .into_iter()
        .map(|message: Message| message.topic)
        .collect()
}

/// Says whether the broker ends this connection, without anything being sent
/// over it that could wake the broker.
pub fn is_kicked(client: &mut Client) -> bool {
    client.wait_closed(KICK_DEADLINE).is_some()
}

/// Nothing here takes so long unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Ten times the goal of 250 ms from an act to the end of a session.
pub const KICK_DEADLINE: Duration = Duration::from_millis(2_500);

/// So long nothing comes where nothing should.
pub const QUIET: Duration = Duration::from_millis(250);

/// CONNACK "not authorised" of MQTT 3.1.1 (§3.2.2.3).
pub const REFUSED: Option<u8> = Some(5);

/// CONNACK "not authorised" of MQTT 5.0 (§3.2.2.2).
pub const REFUSED_V5: Option<u8> = Some(0x87);

/// CONNACK "accepted".
pub const ACCEPTED: Option<u8> = Some(0);

/// What rows about schemes and operators need.
impl Fixture {
    /// Makes a credential and returns what was printed.
    pub fn make(&self, scheme: &str, tenant: &str, options: &[&str]) -> Value {
        let line = format!("credential create --scheme {scheme} --tenant {tenant}");
        self.cli.act(&line, options)
    }

    /// Makes an operator, who stands outside all tenants.
    pub fn operator(&self, name: &str, options: &[&str]) -> Login {
        let made = self.cli.act(&format!("operator create {name}"), options);
        Login {
            username: text(&made, "name"),
            secret: text(&made, "secret"),
        }
    }

    /// An operator's client that is delivered everything under `filter`.
    pub fn observer(&self, filter: &str) -> Client {
        let login = self.operator("observer", &["--subscribe", filter]);
        let mut client = login.connect("observer").accepted(self.port());
        assert_eq!(client.subscribe(&[(filter, 0)]).unwrap(), [0]);
        client
    }

    /// Adds a scheme that is `base` but for its name and `key`.
    pub fn scheme_like(&self, base: &str, name: &str, key: &str, value: &str) {
        let shown = self.cli.run(&["scheme", "show", base]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let is_kept = |line: &&str| {
            let own = line.split('=').next().unwrap_or_default().trim();
            own != "name" && own != key
        };
        let kept: Vec<&str> = shown.stdout.lines().filter(is_kept).collect();
        let written = format!("name = \"{name}\"\n{key} = {value}\n{}\n", kept.join("\n"));
        self.add_scheme(name, &written);
    }

    /// Adds a scheme that is written so.
    pub fn add_scheme(&self, name: &str, written: &str) {
        let file = self.cli.store().with_file_name(format!("{name}.toml"));
        std::fs::write(&file, written).unwrap();
        self.cli.json(&["scheme", "add", file.to_str().unwrap()]);
    }
}

/// The topics of the messages that came so far. What was acknowledged to its
/// publisher before this call is among them, so nothing has to be waited for.
pub fn topics_so_far(client: &mut Client) -> Vec<String> {
    client
        .received()
        .into_iter()
        .map(|message| message.topic)
        .collect()
}

/// Says whether a client of MQTT 5 may publish to a topic, and is still let in then.
pub fn publishes(client: &mut Client, topic: &str) -> bool {
    let code = client.publish(topic, b"x", 1, false).unwrap();
    client.ping(PATIENCE).unwrap();
    code < 0x80
}

/// Says whether a client may subscribe to a filter.
pub fn subscribes(client: &mut Client, filter: &str) -> bool {
    client.subscribe(&[(filter, 0)]).unwrap()[0] < 0x80
}

/// Whether a text has a shape, written as in a scheme.
pub fn has_shape(text: &str, shape: &str) -> bool {
    Shape::parse(shape).unwrap().matches(text)
}
