//! What is kept of a store in memory, true to the change log.

mod anonymous_rights;
pub(crate) mod bans;
pub(crate) mod cached_directory;
mod complaints;
pub(crate) mod credential_cache;
pub(crate) mod store_snapshot;
pub(crate) mod store_view;
pub(crate) mod verdict_cache;
