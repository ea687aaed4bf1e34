//! What the registration of things and that of devices have in common.

use super::{Durability, LedgerTransaction};
use crate::auto_registration::AutoRegistration;
use crate::hand_back::Asked;
use crate::store::rows::RegistrationCount;
use crate::store::{Registered, StoreError};
use crate::time::Timestamp;

/// What was made, with one more in the second of `now`; none where that is one too many.
pub(super) fn one_more(before: RegistrationCount, now: Timestamp) -> Option<RegistrationCount> {
    let second = now.as_millis().div_euclid(1_000);
    let made = if before.second == second {
        before.made
    } else {
        0
    };
    (made < AutoRegistration::PER_SECOND).then(|| RegistrationCount {
        registered: before.registered.saturating_add(1),
        second,
        made: made.saturating_add(1),
    })
}

/// What was made where the centre is asked for one more: none here, and one in the second.
pub(super) const fn asks_for_one(
    before: RegistrationCount,
    count: RegistrationCount,
) -> RegistrationCount {
    RegistrationCount {
        registered: before.registered,
        ..count
    }
}

/// Commits a registration. That the centre is to be asked may be lost: its client asks
/// again.
pub(super) fn commit(
    writing: impl LedgerTransaction,
    registered: Registered,
    durability: Durability,
) -> Result<Registered, StoreError> {
    match registered {
        Registered::Asked => writing.commit_surviving(Durability::Kill)?,
        Registered::Done => writing.commit_surviving(durability)?,
        Registered::Full | Registered::TooFast => {}
    }
    Ok(registered)
}

impl From<Asked> for Registered {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Before | Asked::Now => Self::Asked,
            Asked::Full => Self::TooFast,
        }
    }
}
