//! Every administrative act of Countersign, once.
//!
//! An act or a look is a [`Command`]: data that says what its caller must be
//! permitted ([`Command::needs`]) and applies itself to a transaction. The one
//! runner ([`run`]) begins the transaction of an
//! [`AdminStore`](countersign_core::store::AdminStore), checks the caller,
//! and commits what was written together with its rows in the audit and its
//! entries in the change log. So two acts at once can neither undo each other
//! nor leave anything half done. The program `countersign` and every other
//! front end make commands and print what comes back. What is slow (hashing a
//! password) is done before the transaction begins, because a broker may wait
//! for the lock.
//!
//! Time, caller and randomness are told by a [`Context`]. What is refused is an
//! [`AdminError`], for every command.

#![forbid(unsafe_code)]

pub mod account;
pub mod api_token;
pub mod application;
pub mod audit;
pub mod authority;
pub mod ban;
pub mod broker;
mod caller;
mod cascade;
pub mod certificate;
pub mod check;
pub mod clients;
pub mod command;
pub mod context;
pub mod control_note;
pub mod credential;
mod difference;
pub mod error;
pub mod events;
pub mod follower;
pub mod hook;
pub mod import;
pub mod issuer;
pub mod jwt;
pub mod kept_name;
mod kind;
pub mod limit;
mod lookup;
pub mod namespace;
pub mod operator;
pub mod password;
mod registration;
pub mod role;
pub mod rule;
pub mod scheme;
pub mod scheme_overlap;
pub mod sealed;
pub mod secret;
pub mod settings;
pub mod sign_in;
pub mod taking;
pub mod tenant;
pub mod text;
pub mod thing;
pub mod transfer;
pub mod user;
pub mod view;
pub mod why;

pub use self::caller::{Authority, Caller, Permission, SignedInUser};
pub use self::command::{Command, Mode, Tx, dry_run, run, run_after, run_all, run_unsynced};
pub use self::context::{Context, OsRandom, RandomError, RandomSource};
pub use self::error::{AdminError, ErrorKind};
pub use self::lookup::Rows;

#[cfg(test)]
mod fixture;
