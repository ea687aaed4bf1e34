//! Authentication and authorisation for any MQTT broker.
//!
//! A broker opens a [`Gate`] on a store and asks it who may come in and what
//! they may publish and subscribe to. Credentials, tenants and rules are in the
//! store, which the program `countersign` (or the crate `countersign-admin`)
//! administers while brokers run; a gate hears of every change and says which
//! connections must end.
//!
//! # A whole host
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("countersign.db");
//! # let secret = provision(&path)?;
//! use std::sync::mpsc;
//! use std::time::SystemTime;
//!
//! use countersign::core::options::Options;
//! use countersign::sqlite::SqliteStore;
//! use countersign::{
//!     ConnectFacts, ConnectOutcome, Directive, Gate, Handle, Peer, Setting, TopicUse,
//! };
//!
//! // Opened on the thread that handles packets. Whatever makes that thread
//! // poll soon will do for a waker: here, a channel.
//! let (sender, woken) = mpsc::sync_channel(1);
//! let wake = move || {
//!     // A wake-up that is under way will do.
//!     let _ = sender.try_send(());
//! };
//! let path = path.to_str().ok_or("the path is no UTF-8")?;
//! let options = Options::parse([("store", path)])?;
//! let setting = Setting::new(options, "edge-1", || SystemTime::now().into(), wake);
//! let mut gate = Gate::open(SqliteStore::open(path)?, setting)?;
//!
//! // A CONNECT. The handle is the host's own number for this connection.
//! let mut facts = ConnectFacts::new(Handle(1), b"sensor-1");
//! facts.username = Some(b"dev1@acme");
//! facts.password = Some(secret.as_bytes());
//! facts.address = Some("192.0.2.1");
//! let username = match gate.connect(&facts) {
//!     ConnectOutcome::Admitted { username } => username,
//!     ConnectOutcome::Refused { reason, .. } => return Err(reason.as_str().into()),
//!     // What is not known lets nobody in.
//!     _ => return Err("refused".into()),
//! };
//!
//! // A PUBLISH of that connection.
//! let peer = Peer {
//!     handle: Handle(1),
//!     client_id: Some(b"sensor-1"),
//!     username: username.as_deref().map(str::as_bytes),
//!     connected: true,
//!     ..Peer::default()
//! };
//! let publish = TopicUse::Publish { topic: b"acme/hello", qos: 1, retain: false };
//! assert!(gate.check(&peer, publish).is_allowed());
//! let elsewhere = TopicUse::Publish { topic: b"other/hello", qos: 1, retain: false };
//! assert!(!gate.check(&peer, elsewhere).is_allowed());
//!
//! // Somebody suspends the device; the waker says so, the poll says whom.
//! # suspend(path)?;
//! let kicked = 'woken: loop {
//!     woken.recv()?;
//!     for directive in gate.poll() {
//!         if let Directive::Kick { handle, .. } = directive {
//!             break 'woken handle;
//!         }
//!     }
//! };
//! assert_eq!(kicked, Handle(1));
//!
//! gate.disconnected(Handle(1));
//! gate.close();
//! # fn context(random: &mut countersign_admin::OsRandom) -> countersign_admin::Context<'_> {
//! #     countersign_admin::Context { now: SystemTime::now().into(), actor: "cli:doc", random }
//! # }
//! # fn provision(path: &std::path::Path) -> Result<String, Box<dyn std::error::Error>> {
//! #     use countersign::core::{name::TenantId, scheme::SchemeName, store::Settings, tenant};
//! #     use countersign_admin::credential::{NewCredential, create};
//! #     let mut random = countersign_admin::OsRandom;
//! #     let mut store = SqliteStore::create(path, &Settings::default())?;
//! #     let acme = TenantId::parse("acme")?;
//! #     let new = countersign_admin::tenant::NewTenant::new(acme.clone());
//! #     countersign_admin::tenant::create(&mut store, &context(&mut random), new)?;
//! #     let new = NewCredential::new(acme, "dev1");
//! #     let issued = create(&mut store, &mut context(&mut random), new)?;
//! #     let secret = issued.secret.ok_or("no secret")?;
//! #     Ok(String::from_utf8(secret.expose().to_vec())?)
//! # }
//! # fn suspend(path: &str) -> Result<(), Box<dyn std::error::Error>> {
//! #     let name = countersign::core::name::LoginName::parse("dev1@acme")?;
//! #     let mut store = SqliteStore::open(path)?;
//! #     let mut random = countersign_admin::OsRandom;
//! #     countersign_admin::credential::suspend(&mut store, &context(&mut random), &name)?;
//! #     Ok(())
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a host asks, and when
//!
//! | the host … | calls |
//! |---|---|
//! | starts | [`Gate::open`] |
//! | has read a CONNECT | [`Gate::connect`] |
//! | is about to route a PUBLISH, to take a SUBSCRIBE, to deliver a message, to send a Will | [`Gate::check`] |
//! | has lost a connection, or ended it | [`Gate::disconnected`] |
//! | was woken, and at least every 100 ms | [`Gate::poll`] |
//! | has carried out a [`Directive::Complete`] | [`Gate::completed`] |
//! | has read its configuration again | [`Gate::change_options`], [`Gate::reload`] |
//! | stops | [`Gate::close`] |
//!
//! # Threads
//!
//! A gate belongs to one thread at a time. It is [`Send`] and not [`Sync`], and
//! what changes it takes `&mut self`, so the compiler sees to that. A broker
//! with many threads gives the gate a thread of its own and sends it questions
//! (`examples/rumqttd` does), or one gate to each thread that handles packets,
//! each under a broker name of its own.
//!
//! A gate starts threads of its own: one follows the store's change log, one
//! writes down who is connected, and some hash passwords. None of them calls
//! the host but for two functions of its [`Setting`]: the clock and the waker.
//! [`Gate::close`] ends them all.
//!
//! # Waiting
//!
//! A gate never makes its host wait for longer than a short transaction, with
//! one exception: a password that somebody *chose* must be hashed, which takes
//! tens of milliseconds at its first login. A host that can hold a CONNECT sets
//! [`ConnectFacts::may_wait`], gets [`ConnectOutcome::Pending`] with a
//! [`Ticket`], and goes on; later [`Gate::poll`] returns
//! [`Directive::Complete`] with that ticket. For a host that can't, the gate
//! hashes on the host's thread, for a bounded share of its time. Secrets that
//! Countersign generated are checked within microseconds and never wait.
//!
//! There is no runtime in this crate. [`Setting::wake`] is a function: it may
//! write to an eventfd, unpark a thread, or notify a task. It is called again
//! and again until the host polls, so a wake-up that gets lost does no harm.
//! An asynchronous host keeps the gate in one task and selects between
//! questions and the wake-up.
//!
//! # What it fails to
//!
//! Everything here fails closed. An unreadable store, a malformed name, a topic
//! that is none, a panic of a worker: all of them refuse, and none of them is an
//! error to be handled. [`Verdict`] and [`ConnectOutcome`] can't be ignored.
//! What may grow is `#[non_exhaustive]`, so a host writes an arm for what it
//! does not know; that arm refuses.
//!
//! # Features
//!
//! `sqlite` (default): the embedded store, re-exported as [`sqlite`].

#![forbid(unsafe_code)]

pub use countersign_core as core;
#[cfg(feature = "sqlite")]
pub use countersign_sqlite as sqlite;

pub use self::challenge::{CHALLENGE, ENHANCED_METHOD};
pub use self::command::{RESPONSE_TOPIC, SESSION_TOPIC};
pub use self::gate::{Gate, GateError};
pub use self::host::{
    Arrival, Completion, ConnectFacts, ConnectOutcome, Directive, Enhanced, Handle, LogLevel,
    Payload, Peer, PeerOrigin, RefusalCode, Setting, Ticket,
};
pub use self::reload::OptionChangeError;
pub use countersign_core::rights::TopicUse;
pub use countersign_core::rule::Verdict;

mod bell;
mod challenge;
mod changes;
mod clerk;
mod command;
mod compare;
mod extras;
mod follower;
mod gate;
mod hashing;
mod host;
mod pending;
mod people;
mod policy;
mod records;
mod reload;
mod session;
mod slow;
mod unseen;
mod waiting;
mod walls;
mod writer;
