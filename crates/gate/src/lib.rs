//! Authentication and authorisation for any MQTT broker.
//!
//! A broker opens a [`Gate`] on a store and asks it five things:
//! [`Gate::connect`] when a client connects, [`Gate::check`] when one uses a
//! topic, [`Gate::disconnected`] when one is gone, [`Gate::poll`] when the
//! gate asked to be polled, and [`Gate::close`] when the broker stops.
//!
//! A gate lives on one thread of its host, the one that handles packets, and
//! never makes it wait for longer than a short transaction. It follows the
//! store's change log on a thread of its own, and writes down who is connected
//! on another.

#![forbid(unsafe_code)]

pub use countersign_core as core;
#[cfg(feature = "sqlite")]
pub use countersign_sqlite as sqlite;

pub use self::gate::{Gate, GateError};
pub use self::host::{
    ConnectFacts, ConnectOutcome, Directive, Handle, LogLevel, Peer, Setting, Ticket,
};
pub use countersign_core::rights::TopicUse;
pub use countersign_core::rule::Verdict;

mod changes;
mod compare;
mod follower;
mod gate;
mod host;
mod policy;
mod session;
mod unseen;
mod writer;
