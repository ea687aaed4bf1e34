//! Web sessions.

use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::secret::SecretDigest;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::web_session::{WebSession, WebSessionId};

/// Web sessions: users who signed in at the service.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait WebSessionRows {
    /// The session with this number.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn web_session(&mut self, id: WebSessionId) -> Result<Option<WebSession>, StoreError>;

    /// The session with this digest.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn web_session_by_digest(
        &mut self,
        digest: &SecretDigest,
    ) -> Result<Option<WebSession>, StoreError>;

    /// The sessions of a user, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn web_sessions_of(&mut self, user: CredentialId) -> Result<Vec<WebSession>, StoreError>;

    /// How many sessions there are of all users, those included that time has ended.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn count_web_sessions(&mut self) -> Result<u64, StoreError>;

    /// Adds a session; its number in `session` does not count.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`]; also when there is no such user.
    fn add_web_session(
        &mut self,
        session: &WebSession,
        digest: &SecretDigest,
    ) -> Result<WebSessionId, StoreError>;

    /// Takes note that a session was used.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn use_web_session(&mut self, id: WebSessionId, at: Timestamp) -> Result<(), StoreError>;

    /// Has a session work in another tenant.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn switch_web_session(&mut self, id: WebSessionId, tenant: &TenantId)
    -> Result<(), StoreError>;

    /// Removes a session; says whether it was there.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn remove_web_session(&mut self, id: WebSessionId) -> Result<bool, StoreError>;

    /// Removes all sessions of a user; says how many they were.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn remove_web_sessions_of(&mut self, user: CredentialId) -> Result<usize, StoreError>;

    /// Removes up to `most` sessions that were used last before `at`; says how many
    /// they were.
    ///
    /// # Errors
    ///
    /// See [`WebSessionRows`].
    fn remove_idle_web_sessions(&mut self, at: Timestamp, most: usize)
    -> Result<usize, StoreError>;
}
