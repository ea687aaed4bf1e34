//! Who asks, and when.

use countersign_admin::Authority;
use countersign_core::time::Timestamp;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// What the audit calls the asker: `http:NAME`.
    pub(crate) actor: String,
    /// What the asker is called.
    pub(crate) name: String,
    /// What its word counts for.
    pub(crate) authority: Authority,
}

/// The time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}
