//! The decisions of Countersign: who may connect to an MQTT broker and what
//! they may do there.
//!
//! This crate decides and does nothing else. It reads no file, clock or
//! socket, holds no thread and no source of randomness, and logs nothing:
//! time, random bytes and whatever is stored are arguments. What it needs to
//! know it asks of a [`store::Directory`]; how a secret compares it asks of a
//! [`connect::SecretCheck`].
//!
//! Start at [`connect::decide`], the order of a CONNECT, and at
//! [`lifecycle::State::after`], the life of a credential.

#![forbid(unsafe_code)]

pub mod access;
pub mod api_token;
pub mod audit;
pub mod auto_registration;
pub mod backoff;
pub mod ban;
pub mod broker;
pub mod certificate;
pub mod change;
pub mod client_id;
pub mod connect;
pub mod control;
pub mod control_note;
pub mod credential;
pub mod duration;
pub mod follower;
pub mod given;
pub mod hand_back;
pub mod hex;
pub mod hook;
pub mod imported;
pub mod issuer;
pub mod jwt;
pub mod kind;
pub mod ledger;
pub mod lifecycle;
pub mod limit;
pub mod lockout;
pub mod metrics;
pub mod name;
pub mod network;
pub mod number_map;
pub mod options;
pub mod ownership;
pub mod presence;
pub mod reason;
pub mod registrar;
pub mod rights;
pub mod role;
pub mod rule;
pub mod scheme;
pub mod seal;
pub mod secret;
pub mod store;
pub mod tenant;
pub mod thing;
pub mod time;
pub mod token;
pub mod told_refusals;
pub mod told_sessions;
pub mod topic;
pub mod totp;
pub mod url;
pub mod user;
pub mod web_session;
