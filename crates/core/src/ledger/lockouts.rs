//! Failed logins of users, and of e-mail addresses that no user has.

use super::{Durability, Ledger, LedgerTransaction as _, Pace};
use crate::connect::FailedLogin;
use crate::lockout::Lockout;
use crate::name::LoginName;
use crate::store::StoreError;
use crate::time::Timestamp;

/// What is counted against e-mail addresses.
pub trait LockoutRows {
    /// What is counted against this address.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read. So do all below, and
    /// those that write when it can't be written.
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError>;

    /// Replaces what is counted against this address at `at`; says whether a
    /// user has it.
    ///
    /// # Errors
    ///
    /// As [`LockoutRows::lockout`].
    fn put_lockout(
        &mut self,
        email: &LoginName,
        lockout: &Lockout,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Forgets what was counted against this address.
    ///
    /// # Errors
    ///
    /// As [`LockoutRows::lockout`].
    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError>;

    /// Keeps what is counted against so many addresses that no user has, the
    /// latest and `newest` among them.
    ///
    /// # Errors
    ///
    /// As [`LockoutRows::lockout`].
    fn keep_unknown_lockouts(&mut self, most: usize, newest: &LoginName) -> Result<(), StoreError>;
}

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
    let is_known = writing.put_lockout(email, &after, now)?;
    if !is_known && before == Lockout::default() {
        writing.keep_unknown_lockouts(UNKNOWN_KEPT, email)?;
    }
    writing.commit(Durability::PowerFailure)?;
    Ok(after)
}

/// How many addresses that no user has are kept at most.
const UNKNOWN_KEPT: usize = 10_000;
