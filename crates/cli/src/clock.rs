//! The time.

use countersign_core::time::Timestamp;

/// The time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}
