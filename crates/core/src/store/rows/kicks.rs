//! Requests to end live sessions.

use crate::audit::AuditEntry;
use crate::change::KickRequestId;
use crate::client_id::ClientIdTie;
use crate::follower::FollowerName;
use crate::presence::SessionNumber;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Which sessions an administrator asks to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KickTarget {
    /// The one with this client id, at any broker. A client id may be a secret,
    /// so a request holds its hash alone.
    ClientId(ClientIdTie),
    /// This one of this broker.
    Session {
        /// The broker's name.
        broker: String,
        /// Its session.
        session: SessionNumber,
    },
    /// This one at the broker of a follower.
    Behind {
        /// The follower.
        follower: FollowerName,
        /// Its broker's name; none where it has but one.
        broker: Option<String>,
        /// The session there.
        session: SessionNumber,
    },
}

/// What was asked for, and by whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnsweredKick {
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub actor: String,
    /// Whose session it is.
    pub subject: String,
    /// What else there is to know about it, as JSON.
    pub about: Option<String>,
}

/// Requests to end live sessions.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait KickRows {
    /// Asks the brokers to end sessions. `entry` is what the audit says once
    /// one of them did.
    ///
    /// # Errors
    ///
    /// See [`KickRows`].
    fn request_kick(
        &mut self,
        target: &KickTarget,
        entry: &AuditEntry,
    ) -> Result<KickRequestId, StoreError>;

    /// What a request asks for, or asked for; none where there is no such request.
    ///
    /// # Errors
    ///
    /// See [`KickRows`].
    fn kick_target(&mut self, id: KickRequestId) -> Result<Option<KickTarget>, StoreError>;

    /// Marks a request to kick as answered; the first time, says what the audit
    /// is to say of it.
    ///
    /// # Errors
    ///
    /// See [`KickRows`].
    fn answer_kick(&mut self, id: KickRequestId) -> Result<Option<AnsweredKick>, StoreError>;

    /// Takes back a request that no broker answered; says whether none did.
    ///
    /// # Errors
    ///
    /// See [`KickRows`].
    fn withdraw_kick(&mut self, id: KickRequestId) -> Result<bool, StoreError>;

    /// Says whether a broker ended a session that was asked for.
    ///
    /// # Errors
    ///
    /// See [`KickRows`].
    fn is_kick_answered(&mut self, id: KickRequestId) -> Result<bool, StoreError>;

    /// Who asked, as the audit calls them; none where there is no such request.
    ///
    /// # Errors
    ///
    /// See [`KickRows`].
    fn kick_actor(&mut self, id: KickRequestId) -> Result<Option<String>, StoreError>;

    /// Removes up to `most` requests to kick that were made before `at`; says how
    /// many they were.
    ///
    /// # Errors
    ///
    /// See [`KickRows`].
    fn remove_kick_requests(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError>;
}
