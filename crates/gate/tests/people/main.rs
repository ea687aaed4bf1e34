//! Users, applications, things and tokens at a gate on a real store.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may"
)]

mod commands;
mod enhanced;
mod external;
mod fixture;
mod things;
mod tokens;
mod users;
