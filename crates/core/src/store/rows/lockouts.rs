//! Failed logins of users, and of e-mail addresses that no user has.

use crate::lockout::Lockout;
use crate::name::LoginName;
use crate::store::StoreError;
use crate::time::Timestamp;

/// What is counted against e-mail addresses.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait LockoutRows {
    /// What is counted against this address.
    ///
    /// # Errors
    ///
    /// See [`LockoutRows`].
    fn lockout(&mut self, email: &LoginName) -> Result<Lockout, StoreError>;

    /// Replaces what is counted against this address at `at`, and whether a user
    /// has it.
    ///
    /// # Errors
    ///
    /// See [`LockoutRows`].
    fn put_lockout(
        &mut self,
        email: &LoginName,
        lockout: &Lockout,
        is_users: bool,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Takes note of whether a user has this address from now on, if anything is
    /// counted against it. What is counted stays.
    ///
    /// # Errors
    ///
    /// See [`LockoutRows`].
    fn mark_lockout(&mut self, email: &LoginName, is_users: bool) -> Result<(), StoreError>;

    /// Forgets what was counted against this address.
    ///
    /// # Errors
    ///
    /// See [`LockoutRows`].
    fn clear_lockout(&mut self, email: &LoginName) -> Result<(), StoreError>;

    /// Keeps what is counted against so many addresses that no user has, the
    /// latest and `newest` among them.
    ///
    /// # Errors
    ///
    /// See [`LockoutRows`].
    fn keep_unknown_lockouts(&mut self, most: usize, newest: &LoginName) -> Result<(), StoreError>;

    /// Removes what is counted against up to `most` addresses, if nothing was added
    /// since `at`; says how many they were.
    ///
    /// # Errors
    ///
    /// See [`LockoutRows`].
    fn remove_lockouts(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError>;
}
