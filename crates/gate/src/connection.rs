//! Connections that were let in, and what becomes of them; and clients that are
//! asked about without one.

pub(crate) mod external;
pub(crate) mod handle_index;
pub(crate) mod kick_reason;
pub(crate) mod meter;
pub(crate) mod principal;
pub(crate) mod session;
pub(crate) mod session_extension;
pub(crate) mod session_grant;
pub(crate) mod session_tag;
pub(crate) mod sessions;
pub(crate) mod tenant_counts;
pub(crate) mod unseen;
