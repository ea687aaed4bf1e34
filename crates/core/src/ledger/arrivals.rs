//! What becomes of a login once it is known whether the host let the client in:
//! it is kept, undone or, where the broker ended first, given up.

use super::client_ids::put_kept;
use super::{Durability, Ledger, LedgerTransaction as _, Pace};
use crate::client_id::ClientIdTie;
use crate::ownership::{Holder, Kept};
use crate::store::rows::{ClientIdRecord, ClientIdRows as _, CredentialRows as _};
use crate::store::{SessionUndo, StoreError};

/// See [`Ledger::undo_session`].
pub(super) fn undo(ledger: &mut impl Ledger, undo: &SessionUndo) -> Result<(), StoreError> {
    let id = &undo.client_id;
    let mut writing = ledger.begin_writing("undo a login", Pace::Host)?;
    writing.remove_arrival(id)?;
    let record = writing.client_id_record(id)?;
    if record.as_ref().is_some_and(|it| !undo.is_of(&it.session)) {
        return writing.commit_surviving(Durability::Kill);
    }
    match &undo.before {
        Some(before) if before.is_pruned() => {
            writing.remove_client_id_record(id)?;
            writing.put_pruned_client_id(id, before.holder)?;
        }
        Some(before) => {
            let mut session = before.clone();
            let mut credential = None;
            if let Holder::Credential(id) = session.holder {
                if writing.has_credential(id)? {
                    credential = Some(id);
                } else {
                    session.holder = Holder::Former;
                }
            }
            let broker = record.map(|it| it.broker).unwrap_or_default();
            let record = ClientIdRecord {
                session,
                credential,
                broker,
            };
            writing.put_client_id_record(id, &record)?;
        }
        None => writing.remove_client_id_record(id)?,
    }
    writing.commit_surviving(Durability::Kill)
}

/// See [`Ledger::keep_session`].
pub(super) fn keep(ledger: &mut impl Ledger, id: &ClientIdTie) -> Result<(), StoreError> {
    let mut writing = ledger.begin_writing("keep a session", Pace::Host)?;
    writing.remove_arrival(id)?;
    writing.commit_surviving(Durability::Kill)
}

/// See [`Ledger::give_up_arrivals`].
pub(super) fn give_up(ledger: &mut impl Ledger, broker: &str) -> Result<(), StoreError> {
    loop {
        let action = "look for logins of an earlier run";
        let mut writing = ledger.begin_writing(action, Pace::Journal)?;
        let arrivals = writing.arrivals_at(broker, GIVEN_UP_AT_ONCE)?;
        for (id, is_own) in &arrivals {
            match writing.client_id_record(id)? {
                Some(mut record) => {
                    if !is_own {
                        record.session.holder = Holder::Former;
                        record.credential = None;
                    }
                    put_kept(&mut writing, id, record, Kept::Own)?;
                }
                None => writing.put_pruned_client_id(id, Holder::Former)?,
            }
            writing.remove_arrival(id)?;
        }
        if !arrivals.is_empty() {
            writing.commit_surviving(Durability::Kill)?;
        }
        if arrivals.len() < GIVEN_UP_AT_ONCE {
            return Ok(());
        }
    }
}

/// So many logins of an earlier run are given up in one transaction.
const GIVEN_UP_AT_ONCE: usize = 256;
