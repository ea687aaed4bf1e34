//! The smallest host in Rust: makes a store with one device, opens a gate, lets
//! the device in, asks what it may do, suspends it, and ends its session when
//! the gate says so.
//!
//! ```sh
//! cargo run --example embed -- countersign.db
//! ```

use std::error::Error;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::store::Settings;
use countersign::sqlite::SqliteStore;
use countersign::{
    ClientRef, ConnectInfo, ConnectOutcome, Directive, Gate, GateConfig, Handle, TopicUse,
};
use countersign_admin::credential::{CreateCredential, NewCredential, SuspendCredential};
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::{Caller, Command, Context, OsRandom};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: embed STORE")?;
    let secret = provision(Path::new(&path))?;

    // Whatever makes this thread poll soon will do for a waker.
    let (sender, woken) = mpsc::sync_channel(1);
    let wake = move || {
        // A wake-up that is under way will do.
        let _ = sender.try_send(());
    };
    let options = Options::parse([("store", path.as_str())])?;
    let config = GateConfig::new(options, "embed-rust", || SystemTime::now().into(), wake);
    let mut gate = Gate::open(SqliteStore::open(&path)?, config)?;

    let mut info = ConnectInfo::new(Handle(1), b"sensor-1");
    info.username = Some(b"dev1@acme");
    info.password = Some(secret.as_bytes());
    info.address = Some("192.0.2.1");
    match gate.connect(&info) {
        ConnectOutcome::Admitted { username } => {
            println!("admitted {}", username.as_deref().unwrap_or("somebody"));
        }
        ConnectOutcome::Refused { reason, .. } => return Err(reason.as_str().into()),
        // What is not known lets nobody in.
        _ => return Err("refused".into()),
    }

    for topic in ["acme/hello", "other/hello"] {
        let client = ClientRef {
            handle: Handle(1),
            client_id: Some(b"sensor-1"),
            username: Some(b"dev1@acme"),
            connected: true,
            ..ClientRef::default()
        };
        let usage = TopicUse::Publish {
            topic: topic.as_bytes(),
            qos: 0,
            retain: false,
        };
        println!("publish {topic}: {:?}", gate.check(&client, usage));
    }

    // Whoever does this, from whichever process: the session ends.
    let name = LoginName::parse("dev1@acme")?;
    run(Path::new(&path), &SuspendCredential(name))?;
    'serving: loop {
        let _woken_or_time = woken.recv_timeout(Duration::from_millis(100));
        for directive in gate.poll() {
            if let Directive::Kick { handle, line, .. } = directive {
                // Here a broker closes the connection.
                println!("log: {line}");
                gate.disconnected(handle);
                break 'serving;
            }
        }
    }
    if let ConnectOutcome::Refused { reason, .. } = gate.connect(&info) {
        println!("again: {reason}");
    }
    gate.close();
    Ok(())
}

/// A store with a tenant `acme`, and in it the device `dev1`; its secret, which
/// is shown this once.
fn provision(path: &Path) -> Result<String, Box<dyn Error>> {
    SqliteStore::create(path, &Settings::default())?;
    let acme = TenantId::parse("acme")?;
    run(path, &CreateTenant(NewTenant::new(acme.clone())))?;
    let issued = run(path, &CreateCredential(NewCredential::new(acme, "dev1")))?;
    let secret = issued.secret.ok_or("there is no secret")?;
    Ok(String::from_utf8(secret.expose().to_vec())?)
}

/// Runs an administrative command, now.
fn run<C: Command>(path: &Path, command: &C) -> Result<C::Output, Box<dyn Error>> {
    let mut context = Context {
        now: SystemTime::now().into(),
        caller: Caller::owner("host:embed"),
        random: &mut OsRandom,
    };
    let mut store = SqliteStore::open(path)?;
    Ok(countersign_admin::run(&mut store, &mut context, command)?)
}
