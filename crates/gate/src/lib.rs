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
//!     ConnectInfo, ConnectOutcome, Directive, Gate, Handle, ClientRef, GateConfig, TopicUse,
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
//! let config = GateConfig::new(options, "edge-1", || SystemTime::now().into(), wake);
//! let mut gate = Gate::open(SqliteStore::open(path)?, config)?;
//!
//! // A CONNECT. The handle is the host's own number for this connection.
//! let mut info = ConnectInfo::new(Handle(1), b"sensor-1");
//! info.username = Some(b"dev1@acme");
//! info.password = Some(secret.as_bytes());
//! info.address = Some("192.0.2.1");
//! let username = match gate.connect(&info) {
//!     ConnectOutcome::Admitted { username } => username,
//!     ConnectOutcome::Refused { reason, .. } => return Err(reason.as_str().into()),
//!     // What is not known lets nobody in.
//!     _ => return Err("refused".into()),
//! };
//!
//! // A PUBLISH of that connection.
//! let client = ClientRef {
//!     handle: Handle(1),
//!     client_id: Some(b"sensor-1"),
//!     username: username.as_deref().map(str::as_bytes),
//!     connected: true,
//!     ..ClientRef::default()
//! };
//! let publish = TopicUse::Publish { topic: b"acme/hello", qos: 1, retain: false };
//! assert!(gate.check(&client, publish).is_allowed());
//! let elsewhere = TopicUse::Publish { topic: b"other/hello", qos: 1, retain: false };
//! assert!(!gate.check(&client, elsewhere).is_allowed());
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
//! #     countersign_admin::Context { now: SystemTime::now().into(), caller: countersign_admin::Caller::owner("cli:doc"), random }
//! # }
//! # fn provision(path: &std::path::Path) -> Result<String, Box<dyn std::error::Error>> {
//! #     use countersign::core::{name::TenantId, scheme::SchemeName, store::Settings, tenant};
//! #     use countersign_admin::credential::{CreateCredential, NewCredential};
//! #     let mut random = countersign_admin::OsRandom;
//! #     let mut store = SqliteStore::create(path, &Settings::default())?;
//! #     let acme = TenantId::parse("acme")?;
//! #     let new = countersign_admin::tenant::NewTenant::new(acme.clone());
//! #     countersign_admin::run(&mut store, &mut context(&mut random), &countersign_admin::tenant::CreateTenant(new))?;
//! #     let new = CreateCredential(NewCredential::new(acme, "dev1"));
//! #     let issued = countersign_admin::run(&mut store, &mut context(&mut random), &new)?;
//! #     let secret = issued.secret.ok_or("no secret")?;
//! #     Ok(String::from_utf8(secret.expose().to_vec())?)
//! # }
//! # fn suspend(path: &str) -> Result<(), Box<dyn std::error::Error>> {
//! #     let name = countersign::core::name::LoginName::parse("dev1@acme")?;
//! #     let mut store = SqliteStore::open(path)?;
//! #     let mut random = countersign_admin::OsRandom;
//! #     let suspend = countersign_admin::credential::SuspendCredential(name);
//! #     countersign_admin::run(&mut store, &mut context(&mut random), &suspend)?;
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
//! | has read a CONNECT | [`Gate::connect`], or [`Gate::connect_enhanced`] if it names a method |
//! | has read the AUTH that answers a challenge | [`Gate::resume`] |
//! | has let a connection in that a certificate vouches for | [`Gate::arrived`] |
//! | is about to route a PUBLISH, to take a SUBSCRIBE, to deliver a message, to send a Will | [`Gate::check`] |
//! | has checked a PUBLISH on [`SESSION_TOPIC`], on [`DYNSEC_TOPIC`] | [`Gate::command`], [`Gate::control`] |
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
//! the host but for two functions of its [`GateConfig`]: the clock and the
//! waker. [`Gate::close`] ends them all. A host that has threads of its own for
//! such jobs says so by [`GateConfig::background`].
//!
//! # Waiting
//!
//! A gate never makes its host wait for longer than a short transaction, with
//! one exception: a password that somebody *chose* must be hashed, which takes
//! tens of milliseconds at its first login. A host that can hold a CONNECT sets
//! [`ConnectInfo::may_wait`], gets [`ConnectOutcome::Pending`] with a
//! [`Ticket`], and goes on; later [`Gate::poll`] returns
//! [`Directive::Complete`] with that ticket. For a host that can't, the gate
//! hashes on the host's thread, for a bounded share of its time. Secrets that
//! Countersign generated are checked within microseconds and never wait.
//!
//! There is no runtime in this crate. [`GateConfig::wake`] is a function: it
//! may write to an eventfd, unpark a thread, or notify a task. It is called
//! again and again until the host polls, so a wake-up that gets lost does no
//! harm. An asynchronous host keeps the gate in one task and selects between
//! questions and the wake-up.
//!
//! # People
//!
//! Users, applications, things and tokens log in as devices do, and a host need
//! not know them apart. Two things it can do for them.
//!
//! *Enhanced authentication* (MQTT 5.0 §4.12) asks a user for a one-time code.
//! A CONNECT that names an Authentication Method goes to
//! [`Gate::connect_enhanced`], whatever the method;
//! [`ConnectOutcome::Challenge`] has the data of an AUTH, and what the client
//! answers goes to [`Gate::resume`]. Until it is admitted it has no rights.
//! Without this, users append the code to their password.
//!
//! *Session commands* are what a client publishes on [`SESSION_TOPIC`]: what it
//! is, which tenant it works in, tokens and things. A message that
//! [`Gate::check`] allows there goes to [`Gate::command`] and not to the
//! router. The answer is a [`Directive::Reply`] for this client alone, which is
//! sent without asking: `check` lets no client publish, and nothing be routed,
//! on [`RESPONSE_TOPIC`].
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("countersign.db");
//! # let (mut gate, seed) = open(&path)?;
//! use countersign::{
//!     ConnectInfo, ConnectOutcome, Directive, ENHANCED_METHOD, Enhanced, Handle, ClientRef,
//!     SESSION_TOPIC, TopicUse,
//! };
//!
//! // A CONNECT with the properties Authentication Method and Data.
//! let mut info = ConnectInfo::new(Handle(1), b"laptop");
//! info.username = Some(b"jane@mail.test");
//! info.protocol = 5;
//! let method = ENHANCED_METHOD.as_bytes();
//! let enhanced = Enhanced { method, data: Some(b"her password") };
//! let ConnectOutcome::Challenge { data } = gate.connect_enhanced(&info, &enhanced) else {
//!     return Err("nothing was asked".into());
//! };
//! // Sent as an AUTH with reason code 0x18 and the same method.
//! assert_eq!(data, br#"{"errorCode":-90041}"#);
//!
//! // The AUTH that her client answers.
//! # let code = seed.code_at(countersign::core::totp::Step::at(SystemTime::now().into()));
//! let username = match gate.resume(Handle(1), b"laptop", Some(&code)) {
//!     ConnectOutcome::Admitted { username } => username,
//!     // It may be asked again; what is not known lets nobody in.
//!     _ => return Err("refused".into()),
//! };
//!
//! // A PUBLISH on the topic of commands.
//! let client = ClientRef {
//!     handle: Handle(1),
//!     client_id: Some(b"laptop"),
//!     username: username.as_deref().map(str::as_bytes),
//!     connected: true,
//!     ..ClientRef::default()
//! };
//! let topic = SESSION_TOPIC.as_bytes();
//! if gate.check(&client, TopicUse::Publish { topic, qos: 1, retain: false }).is_allowed() {
//!     gate.command(&client, br#"{"commands":[{"command":"session.info"}]}"#);
//! }
//! let reply = 'waiting: loop {
//!     for directive in gate.poll() {
//!         if let Directive::Reply { handle, topic, payload, .. } = directive {
//!             // Sent to `handle` alone, at QoS 1 and not retained.
//!             assert_eq!((handle, topic), (Handle(1), countersign::RESPONSE_TOPIC));
//!             break 'waiting String::from_utf8(payload.expose().to_vec())?;
//!         }
//!     }
//! };
//! assert!(reply.contains(r#""username":"jane@mail.test""#));
//! gate.close();
//! # use std::{path::Path, time::SystemTime};
//! # use countersign::{Gate, GateConfig, sqlite::SqliteStore, core::totp::{Seed, Step}};
//! # use countersign_admin::{Context, OsRandom, password::ChosenPassword, user};
//! # type Opened = (Gate<SqliteStore>, Seed);
//! # fn open(path: &Path) -> Result<Opened, Box<dyn std::error::Error>> {
//! #     use countersign::core::{name::{LoginName, TenantId}, options::Options};
//! #     use countersign::core::{secret::Secret, store::Settings, user::{Grant, GrantedRight}};
//! #     use countersign_admin::{run, tenant::{CreateTenant, NewTenant}};
//! #     std::fs::write(path.with_extension("db.key"), "0a".repeat(32) + "\n")?;
//! #     let mut store = SqliteStore::create(path, &Settings::default())?;
//! #     let now = SystemTime::now().into();
//! #     let mut context = Context { now, caller: countersign_admin::Caller::owner("cli:doc"), random: &mut OsRandom };
//! #     let acme = TenantId::parse("acme")?;
//! #     let email = LoginName::parse("jane@mail.test")?;
//! #     run(&mut store, &mut context, &CreateTenant(NewTenant::new(acme.clone())))?;
//! #     let password = ChosenPassword::parse(b"her password".to_vec())?;
//! #     run(&mut store, &mut context, &user::CreateUser::new(email.clone(), password))?;
//! #     let grant = Grant { tenant: acme, group: None, right: GrantedRight::OrgAdmin };
//! #     run(&mut store, &mut context, &user::GrantUser { email: email.clone(), grant })?;
//! #     let seed = run(&mut store, &mut context, &user::EnrolSecondFactor(email.clone()))?.seed;
//! #     // The code of the step before this one counts, and leaves this one's.
//! #     let Step(step) = Step::at(now);
//! #     let code = Secret::new(seed.code_at(Step(step - 1)).to_vec());
//! #     run(&mut store, &mut context, &user::ConfirmSecondFactor { email, code })?;
//! #     drop(store);
//! #     let path = path.to_str().ok_or("the path is no UTF-8")?;
//! #     let options = Options::parse([("store", path)])?;
//! #     let config = GateConfig::new(options, "edge-1", || SystemTime::now().into(), || ());
//! #     Ok((Gate::open(SqliteStore::open(path)?, config)?, seed))
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it fails to
//!
//! Everything here fails closed. An unreadable store, a malformed name, a topic
//! that is not valid, a panic of a worker: all of them refuse, and none of them
//! is an error to be handled. [`Verdict`] and [`ConnectOutcome`] can't be
//! ignored. What may grow is `#[non_exhaustive]`, so a host writes an arm for
//! what it does not know; that arm refuses.
//!
//! # Features
//!
//! `sqlite` (default): the embedded store, re-exported as [`sqlite`].

#![forbid(unsafe_code)]

pub use countersign_core as core;
#[cfg(feature = "sqlite")]
pub use countersign_sqlite as sqlite;

pub use self::background::{Background, Job, Join, Progress, Threads};
pub use self::command::{DYNSEC_RESPONSE_TOPIC, DYNSEC_TOPIC, RESPONSE_TOPIC, SESSION_TOPIC};
pub use self::config::{GateConfig, GateError, OptionChangeError};
pub use self::gate::Gate;
pub use self::host::{
    ClientOrigin, ClientRef, Completion, CompletionStatus, ConnectInfo, ConnectOutcome, Directive,
    Enhanced, Handle, LogLevel, Payload, RefusalCode, Ticket,
};
pub use self::login::challenge::{CHALLENGE, ENHANCED_METHOD, TOKEN_METHODS};
pub use self::login::refusal::TurnedAway;
pub use self::pinned::{Pin, Pinned, PinnedClient, PinnedUse};
pub use countersign_core::rights::TopicUse;
pub use countersign_core::rule::Verdict;

mod background;
mod cache;
mod command;
mod config;
mod connection;
mod contact;
mod counters;
mod digest_map;
mod enforcer;
mod follower;
mod gate;
mod host;
mod journal;
mod login;
mod masking;
mod pinned;
mod state;
mod wakeup;
