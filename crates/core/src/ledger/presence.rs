//! Who is connected, and the batches in which a broker writes that down.

use super::{Durability, Ledger, LedgerTransaction, Pace, client_ids, kicks, refusals};
use crate::audit::AuditChain;
use crate::client_id::is_made_up;
use crate::name::TenantId;
use crate::presence::{ClientIdUse, Presence, PresenceEvent, SessionEnd, SessionNumber};
use crate::store::rows::AuditRows as _;
use crate::store::{Batch, StoreError};
use crate::time::Timestamp;

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
        writing.commit_surviving(Durability::Kill)?;
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
        let is_all = clear_some(&mut writing, broker, now)?;
        writing.commit_surviving(Durability::Kill)?;
        if is_all {
            return Ok(());
        }
    }
}

/// Clears as much as one transaction may; says whether that was all.
pub(crate) fn clear_some(
    writing: &mut (impl LedgerTransaction + ?Sized),
    broker: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let cleared = writing.take_presence(broker, CLEARED_AT_ONCE)?;
    for (tie, credential) in &cleared {
        writing.touch_client_id(tie, *credential, broker, now)?;
    }
    Ok(cleared.len() < CLEARED_AT_ONCE)
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
