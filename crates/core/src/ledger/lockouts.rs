//! Failed logins of users, and of e-mail addresses that no user has.

use super::{Durability, Ledger, LedgerTransaction as _, Pace};
use crate::connect::FailedLogin;
use crate::lockout::Lockout;
use crate::store::StoreError;
use crate::store::rows::{CredentialRows as _, LockoutRows as _};
use crate::time::Timestamp;

/// Counts a failure, unless the address was locked meanwhile.
pub(super) fn record_failure(
    ledger: &mut impl Ledger,
    failure: &FailedLogin,
    now: Timestamp,
) -> Result<Lockout, StoreError> {
    let mut writing = ledger.begin_writing("record a failed login", Pace::Host)?;
    let email = &failure.email;
    let before = writing.lockout(email)?;
    if before.is_locked(now) {
        return Ok(before);
    }
    let after = before.after_failure(&failure.policy, now);
    let is_users = writing.has_user(email)?;
    writing.put_lockout(email, &after, is_users, now)?;
    if !is_users && before == Lockout::default() {
        writing.keep_unknown_lockouts(UNKNOWN_KEPT, email)?;
    }
    writing.commit_surviving(Durability::PowerFailure)?;
    Ok(after)
}

/// How many addresses that no user has are kept at most.
pub(super) const UNKNOWN_KEPT: usize = 10_000;
