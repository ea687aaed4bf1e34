//! The records of client ids. [`ownership`](crate::ownership) says what they
//! mean.

use crate::client_id::ClientIdTie;
use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::ownership::{Holder, StoredSession};
use crate::store::StoreError;
use crate::time::Timestamp;

/// What is recorded about a client id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientIdRecord {
    /// What follows from it: a credential that is revoked holds nothing.
    pub session: StoredSession,
    /// The credential that is recorded, whatever became of it.
    pub credential: Option<CredentialId>,
    /// The broker that wrote it last.
    pub broker: String,
}

/// Whose records are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientIdsOf<'a> {
    /// Those of a credential under which the host may keep a session of its own.
    StoredBy(CredentialId),
    /// The others of a credential.
    UsedBy(CredentialId),
    /// Those of unauthenticated clients of a tenant, or of none.
    Unauthenticated(Option<&'a TenantId>),
}

/// A login that was recorded, and whose client may be gone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ArrivalRow {
    /// The broker.
    pub broker: String,
    /// Whether what was stored under the client id is its own.
    pub is_own: bool,
}

/// How many records there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClientIdCounts {
    /// Records.
    pub records: u64,
    /// What is left of those that were pruned.
    pub pruned: u64,
}

/// The records of client ids, and what is left of those that were not used for
/// long: whose session the host may keep, and no more.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait ClientIdRows {
    /// What is recorded about a client id.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn client_id_record(&mut self, id: &ClientIdTie) -> Result<Option<ClientIdRecord>, StoreError>;

    /// Replaces what is recorded about a client id.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn put_client_id_record(
        &mut self,
        id: &ClientIdTie,
        record: &ClientIdRecord,
    ) -> Result<(), StoreError>;

    /// Removes what is recorded about a client id, if anything is.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn remove_client_id_record(&mut self, id: &ClientIdTie) -> Result<(), StoreError>;

    /// Takes note that the one who is recorded used a client id at `at`, if it was
    /// not later. Says whether. It is no change of the record
    /// ([`LogPosition::session_changes`](crate::store::LogPosition::session_changes)).
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn touch_client_id(
        &mut self,
        id: &ClientIdTie,
        credential: Option<CredentialId>,
        broker: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Takes note that the host may not have let in whose login is recorded.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn put_arrival(&mut self, id: &ClientIdTie, arrival: &ArrivalRow) -> Result<(), StoreError>;

    /// Takes that note away, if there is one.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn remove_arrival(&mut self, id: &ClientIdTie) -> Result<(), StoreError>;

    /// Up to `most` client ids of which a broker left such a note, with whether what
    /// was stored is its own.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn arrivals_at(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, bool)>, StoreError>;

    /// Whose session the host may keep under a client id whose record was pruned.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn pruned_client_id(&mut self, id: &ClientIdTie) -> Result<Option<Holder>, StoreError>;

    /// Adds a client id to those that were pruned.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn put_pruned_client_id(&mut self, id: &ClientIdTie, holder: Holder) -> Result<(), StoreError>;

    /// Removes a client id from those that were pruned, if it is one.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn remove_pruned_client_id(&mut self, id: &ClientIdTie) -> Result<(), StoreError>;

    /// The credential that is bound to exactly this client id, by its rule or
    /// by its first use.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn bound_to(&mut self, id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError>;

    /// Says whether a credential other than `claimant` is bound to a client id.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn is_bound_to_another(
        &mut self,
        id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<bool, StoreError>;

    /// How many records there are of those that were first used after `since`, up
    /// to `most`.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn count_client_ids_of(
        &mut self,
        whose: ClientIdsOf<'_>,
        since: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError>;

    /// How many records there are in all.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn count_client_ids(&mut self) -> Result<ClientIdCounts, StoreError>;

    /// Up to `most` client ids whose last use was before `at`, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn client_ids_unused_since(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError>;

    /// Up to `most` client ids whose last use was after `at`.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn client_ids_used_after(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError>;

    /// Makes `at` the last use of a client id, and its first one if that was later.
    /// It is no change of the record, as in [`ClientIdRows::touch_client_id`].
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn set_last_use(&mut self, id: &ClientIdTie, at: Timestamp) -> Result<(), StoreError>;

    /// Makes what unauthenticated clients left in a tenant a former holder's.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn release_unauthenticated(&mut self, tenant: &TenantId) -> Result<(), StoreError>;

    /// What follows from what is recorded about a client id, pruned or not.
    ///
    /// # Errors
    ///
    /// See [`ClientIdRows`].
    fn stored_session(&mut self, id: &ClientIdTie) -> Result<Option<StoredSession>, StoreError> {
        Ok(match self.client_id_record(id)? {
            Some(record) => Some(record.session),
            None => self.pruned_client_id(id)?.map(StoredSession::pruned),
        })
    }
}
