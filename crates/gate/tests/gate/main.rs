//! A gate on a real store, asked as a host asks it. Nothing here waits: the
//! tests run the gate's jobs themselves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may"
)]

mod agreement;
mod auto_bans;
mod bans;
mod by_hand;
mod denied;
mod fixture;
mod joining;
mod limits;
mod named_tenants;
mod passwords;
mod people;
mod sessions;
mod surface;
