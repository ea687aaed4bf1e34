//! Mosquitto's dynamic-security: its rules, as rules here, and its commands, as commands
//! of administration.
//!
//! There are no commands of its own here: each is made of those of
//! [`countersign_admin`], in one transaction, which check the caller and are audited as
//! such. What can't be said here as it is meant there is an error that names what stands
//! against what. What decides nothing here (texts, priorities) is remembered in notes.

#![forbid(unsafe_code)]

pub mod acl;
mod clients;
mod defaults;
mod find;
mod groups;
pub mod json;
mod listing;
mod members;
mod membership;
mod message;
mod note;
mod order;
mod params;
mod role_acls;
mod roles;
mod shown_clients;
pub mod written_rule;

pub use self::message::{LONGEST, TOO_LONG, answer, refusal};
