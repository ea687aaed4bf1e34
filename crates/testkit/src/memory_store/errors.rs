//! Why something is not written.

use countersign_core::store::{StoreError, StoreErrorKind};

/// What was to be changed, or what it belongs to, is not there.
pub(super) fn gone(what: &str) -> StoreError {
    StoreError::gone(WRITE, what)
}

/// Fails unless what was to be changed is there.
pub(super) fn found(is_there: bool, what: &str) -> Result<(), StoreError> {
    if is_there { Ok(()) } else { Err(gone(what)) }
}

/// What was to be added is there already.
pub(super) fn taken(what: &str) -> StoreError {
    StoreError::new(WRITE, StoreErrorKind::Conflict).with_detail(what)
}

const WRITE: &str = "write to the store";
