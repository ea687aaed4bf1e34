//! Countersign for brokers written in C.
//!
//! `cargo xtask codegen` makes `include/countersign.h` of these files; what is
//! written here for C is its manual. What is written for Rust stands in
//! `boundary.rs` (the only place where pointers become references, and where a
//! panic stops) and `object.rs` (why a stale pointer is an error and not the
//! end).
//!
//! | file | what it has |
//! |---|---|
//! | `version.rs`, `status.rs`, `message.rs` | what every part needs |
//! | `options.rs`, `gate_host.rs` | a gate and how it is opened |
//! | `connect.rs`, `check.rs`, `events.rs` | what a gate is asked |
//! | `store.rs`, `new_credential.rs`, `credential.rs`, `issued.rs` | administration |

#![expect(
    non_camel_case_types,
    reason = "these are the names that C programs use"
)]
#![expect(unsafe_code, reason = "C hands over pointers")]

pub mod boundary;
pub mod check;
pub mod connect;
pub mod credential;
pub mod events;
#[cfg(test)]
mod fixture;
pub mod gate_host;
pub mod issued;
pub mod message;
pub mod new_credential;
mod object;
pub mod options;
mod signals;
pub mod status;
pub mod store;
pub mod version;
