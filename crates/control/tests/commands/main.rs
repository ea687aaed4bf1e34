//! The commands, on a store in memory: what they answer, what they come to here, and who
//! may give them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may"
)]

mod clients;
mod defaults;
mod fixture;
mod groups;
mod messages;
mod roles;
mod who_may;
