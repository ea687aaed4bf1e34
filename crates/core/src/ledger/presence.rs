//! Who is connected, and the batches in which a broker writes that down.

use super::{
    ClientIdRows as _, Durability, Ledger, LedgerTransaction, Pace, client_ids, kicks, refusals,
};
use crate::audit::AuditChain;
use crate::client_id::{ClientIdTie, is_made_up};
use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::presence::{ClientIdUse, Presence, PresenceEvent, SessionEnd, SessionNumber};
use crate::store::{Batch, StoreError};
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
pub trait PresenceRows {
    /// Adds a session of a broker, in place of any with its number.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read. So do all below, and
    /// those that write when it can't be written.
    fn put_presence(&mut self, broker: &str, presence: &Presence) -> Result<(), StoreError>;

    /// Removes a session of a broker, if there is such a one.
    ///
    /// # Errors
    ///
    /// As [`PresenceRows::put_presence`].
    fn remove_presence(&mut self, broker: &str, session: SessionNumber) -> Result<(), StoreError>;

    /// Gives a session of a broker its tenant, if there is such a session.
    ///
    /// # Errors
    ///
    /// As [`PresenceRows::put_presence`].
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
    /// As [`PresenceRows::put_presence`].
    fn take_presence(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, Option<CredentialId>)>, StoreError>;

    /// Says whether any broker has a session with this client id.
    ///
    /// # Errors
    ///
    /// As [`PresenceRows::put_presence`].
    fn is_connected(&mut self, id: &ClientIdTie) -> Result<bool, StoreError>;
}

/// What can't be written twice (refusals, audit rows, answers) is in the last
/// chunk, whole; observations before it may be.
pub(super) fn write_batch(
    ledger: &mut impl Ledger,
    broker: &str,
    batch: &Batch,
) -> Result<(), StoreError> {
    let rest_is_empty =
        batch.refusals.is_empty() && batch.kicked.is_empty() && batch.audit.is_empty();
    if rest_is_empty && batch.observations.is_empty() {
        return Ok(());
    }
    let mut chunks = batch.observations.chunks(OBSERVATIONS_AT_ONCE).peekable();
    loop {
        let chunk = chunks.next().unwrap_or_default();
        let is_last = chunks.peek().is_none();
        let mut writing = ledger.begin_writing("write down what happened", Pace::Journal)?;
        for observation in chunk {
            observe(&mut writing, broker, observation)?;
        }
        if is_last {
            refusals::add(&mut writing, broker, &batch.refusals)?;
            for id in &batch.kicked {
                kicks::answer(&mut writing, *id)?;
            }
            if !batch.audit.is_empty() {
                writing.append_audit(AuditChain::Acts, &batch.audit)?;
            }
        }
        writing.commit(Durability::Kill)?;
        if is_last {
            return Ok(());
        }
    }
}

pub(super) fn clear(
    ledger: &mut impl Ledger,
    broker: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    loop {
        let action = "clear the sessions of an earlier run";
        let mut writing = ledger.begin_writing(action, Pace::Journal)?;
        let cleared = writing.take_presence(broker, CLEARED_AT_ONCE)?;
        for (tie, credential) in &cleared {
            writing.touch_client_id(tie, *credential, broker, now)?;
        }
        writing.commit(Durability::Kill)?;
        if cleared.len() < CLEARED_AT_ONCE {
            return Ok(());
        }
    }
}

fn observe(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    observation: &PresenceEvent,
) -> Result<(), StoreError> {
    match observation {
        PresenceEvent::Connected(session) => connected(writing, broker, session),
        PresenceEvent::Disconnected(departure) => disconnected(writing, broker, departure),
        PresenceEvent::Passed(passed) => client_ids::note_use(writing, broker, passed),
        PresenceEvent::Joined(session, tenant) => joined(writing, broker, *session, tenant),
        PresenceEvent::Used(credential, at) => writing.note_use(*credential, *at),
    }
}

fn connected(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    presence: &Presence,
) -> Result<(), StoreError> {
    writing.put_presence(broker, presence)?;
    let (tie, at) = (&presence.tie, presence.connected_at);
    match presence.credential {
        Some(credential) if !presence.stored && !is_made_up(&presence.client_id) => {
            let begun = ClientIdUse {
                tie: *tie,
                credential,
                tenant: presence.tenant.clone(),
                began: at,
                ended: at,
            };
            client_ids::note_use(writing, broker, &begun)
        }
        None if presence.stored && !is_made_up(&presence.client_id) => {
            let tenant = presence.tenant.as_ref();
            client_ids::leave_unproved(writing, broker, tie, tenant, at)
        }
        credential => writing
            .touch_client_id(tie, credential, broker, at)
            .map(|_| ()),
    }
}

fn disconnected(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    departure: &SessionEnd,
) -> Result<(), StoreError> {
    let (tie, credential) = (&departure.tie, departure.credential);
    writing.remove_presence(broker, departure.session)?;
    if departure.is_kept == Some(false) {
        client_ids::end(writing, departure)?;
    }
    writing.touch_client_id(tie, credential, broker, departure.at)?;
    Ok(())
}

fn joined(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    session: SessionNumber,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    match writing.join_presence(broker, session, tenant)? {
        Some(joined) if joined.stored => {
            client_ids::join(writing, &joined.tie, tenant, joined.connected_at)
        }
        Some(_) | None => Ok(()),
    }
}

/// Observations a transaction: what a client id takes, times these, is a moment.
const OBSERVATIONS_AT_ONCE: usize = 32;

/// Sessions a transaction.
const CLEARED_AT_ONCE: usize = 256;
