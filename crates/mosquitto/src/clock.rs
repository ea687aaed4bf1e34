//! The clock that the gate is given.

use std::time::UNIX_EPOCH;

use countersign::core::time::Timestamp;

/// What time it is.
pub(crate) fn now() -> Timestamp {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    #[cfg(feature = "test-hooks")]
    let now = crate::test_hooks::shifted(now);
    now
}
