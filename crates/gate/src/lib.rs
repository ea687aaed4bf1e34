//! Authentication and authorisation for any MQTT broker.
//!
//! A broker opens a [`Gate`] on a store and asks it six things:
//! [`Gate::connect`] when a client connects, [`Gate::check`] when one uses a
//! topic, [`Gate::disconnected`] when one is gone, [`Gate::poll`] when the
//! gate asked to be polled, [`Gate::completed`] when a login that waited has
//! ended, and [`Gate::close`] when the broker stops.
//!
//! A gate lives on one thread of its host, the one that handles packets, and
//! never makes it wait for longer than a short transaction, where the host can
//! hold a CONNECT; where it can't, slow checks of passwords take a bounded
//! share of that thread's time. The gate follows the store's change log on a
//! thread of its own, writes down who is connected on another, and hashes on
//! as many as there are cores to spare.

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
mod session;
mod slow;
mod unseen;
mod waiting;
mod walls;
mod writer;
