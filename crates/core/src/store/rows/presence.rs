//! Who is connected.

use core::time::Duration;

use crate::client_id::ClientIdTie;
use crate::credential::CredentialId;
use crate::follower::FollowerName;
use crate::name::TenantId;
use crate::presence::{Presence, SessionNumber};
use crate::store::{Listed, Page, StoreError};
use crate::time::Timestamp;

/// A session whose tenant became known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JoinedPresence {
    /// Its client id.
    pub tie: ClientIdTie,
    /// Since when it is connected.
    pub connected_at: Timestamp,
    /// Whether the session outlives the connection.
    pub stored: bool,
}

/// The sessions of brokers.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait PresenceRows {
    /// Who is connected, by broker and session.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn presence(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(String, SessionNumber)>,
    ) -> Result<Listed<BrokerPresence>, StoreError>;

    /// Who is connected with this client id.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn presence_with(&mut self, client_id: &ClientIdTie)
    -> Result<Vec<BrokerPresence>, StoreError>;

    /// This session of this broker, if it is connected.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn presence_of(
        &mut self,
        broker: &str,
        session: SessionNumber,
    ) -> Result<Option<BrokerPresence>, StoreError>;

    /// The sessions of a credential.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn presence_of_credential(
        &mut self,
        credential: CredentialId,
    ) -> Result<Vec<BrokerPresence>, StoreError>;

    /// How many are connected to brokers that are alive.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn count_presence(&mut self, tenant: Option<&TenantId>) -> Result<u64, StoreError>;

    /// Adds a session of a broker, in place of any with its number.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn put_presence(&mut self, broker: &str, presence: &Presence) -> Result<(), StoreError>;

    /// Removes a session of a broker, if there is such a one.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn remove_presence(&mut self, broker: &str, session: SessionNumber) -> Result<(), StoreError>;

    /// Gives a session of a broker its tenant, if there is such a session.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn join_presence(
        &mut self,
        broker: &str,
        session: SessionNumber,
        tenant: &TenantId,
    ) -> Result<Option<JoinedPresence>, StoreError>;

    /// Removes up to `most` sessions of a broker, and says of each its client id
    /// and its credential.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn take_presence(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, Option<CredentialId>)>, StoreError>;

    /// Adds a session at the broker of a follower, in place of any with its number.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`]; also when there is no such follower.
    fn put_presence_behind(
        &mut self,
        follower: &FollowerName,
        broker: &str,
        presence: &Presence,
    ) -> Result<(), StoreError>;

    /// Removes up to `most` sessions at the broker of a follower; says how many.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn take_presence_behind(
        &mut self,
        follower: &FollowerName,
        most: usize,
    ) -> Result<usize, StoreError>;

    /// How many sessions there are at the broker of a follower.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn count_presence_behind(&mut self, follower: &FollowerName) -> Result<u64, StoreError>;

    /// How many are connected to the brokers of followers that were heard of since then.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn count_presence_of_followers(
        &mut self,
        tenant: Option<&TenantId>,
        since: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Says whether any broker of this store has a session with this client id.
    ///
    /// # Errors
    ///
    /// See [`PresenceRows`].
    fn is_connected(&mut self, id: &ClientIdTie) -> Result<bool, StoreError>;
}

/// A live session and the broker it is at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerPresence {
    /// The broker's name.
    pub broker: String,
    /// Whether that broker is alive, so that it is connected still; never of one that is
    /// a follower's.
    pub is_alive: bool,
    /// Whose broker it is, if it is a follower's.
    pub behind: Option<Behind>,
    /// The session.
    pub presence: Presence,
}

/// Whose broker a session is at that uses a replica of this store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Behind {
    /// The follower.
    pub follower: FollowerName,
    /// When it was last heard of.
    pub heard_at: Option<Timestamp>,
}

impl BrokerPresence {
    /// Whether the session is connected, as far as is known. What a follower said of its
    /// broker counts while it is heard of.
    #[must_use]
    pub fn is_connected(&self, now: Timestamp) -> bool {
        let heard_at = self.behind.as_ref().and_then(|behind| behind.heard_at);
        self.is_alive || heard_at.is_some_and(|at| heard_since(now) <= at)
    }
}

/// Followers that were last heard of before then are away.
#[must_use]
pub fn heard_since(now: Timestamp) -> Timestamp {
    now.minus(AWAY_AFTER)
}

/// `doctor` says the same of a follower.
const AWAY_AFTER: Duration = Duration::from_secs(60);
