//! Who is connected.

use crate::client_id::ClientIdTie;
use crate::credential::CredentialId;
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

    /// Says whether any broker has a session with this client id.
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
    /// Whether that broker is alive, so that it is connected still.
    pub is_alive: bool,
    /// The session.
    pub presence: Presence,
}
