//! Every administrative act of Countersign, once.
//!
//! The program `countersign` and every other front end call these functions and
//! add only their own input and output. An act is one transaction of an
//! [`AdminStore`](countersign_core::store::AdminStore): it reads what it
//! decides on, writes, and commits together with its row in the audit and its
//! entries in the change log, so that two acts at once can neither undo each
//! other nor leave anything half done. What is slow (hashing a password) is
//! done before the transaction begins, because a broker may wait for the lock.
//!
//! Time, randomness and who acts are told by a [`Context`].

#![forbid(unsafe_code)]

pub mod application;
pub mod audit;
pub mod authority;
pub mod check;
pub mod clients;
pub mod context;
pub mod credential;
mod difference;
pub mod jwt;
pub mod kind;
pub mod namespace;
pub mod operator;
pub mod password;
pub mod role;
pub mod rule;
pub mod scheme;
pub mod scheme_overlap;
pub mod sealed;
pub mod settings;
pub mod tenant;
pub mod text;
pub mod thing;
pub mod user;
pub mod view;

pub use self::authority::Authority;
pub use self::context::{Context, OsRandom, RandomError, RandomSource};

#[cfg(test)]
mod fixture;
