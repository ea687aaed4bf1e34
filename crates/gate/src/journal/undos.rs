//! What logins recorded about client ids, until it is undone where their clients were
//! not let in, and until it is written down that they were.
//!
//! As long as a store says that such a login took its client id over, whoever comes
//! back with that id could be handed what the host has kept under it. So no login
//! with the id is decided before. If the broker ends before, its next run finds what
//! nobody answered for (`Ledger::give_up_arrivals`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, TryLockError};

use countersign_core::client_id::ClientIdTie;
use countersign_core::store::{GateStore, SessionUndo, StoreError, StoreErrorKind};

use crate::host::CompletionStatus;

/// What is to be undone still.
#[derive(Debug, Default)]
pub(crate) struct Undos(HashMap<ClientIdTie, Arc<WaitingUndo>>);

/// Something that is to be undone once, or to be kept: by the writer when it can, or
/// before the next login with its client id.
#[derive(Debug)]
pub(crate) struct WaitingUndo(Mutex<Option<(SessionUndo, CompletionStatus)>>);

impl Undos {
    /// Undoes it now if the client is gone, and else takes note that it is there; if
    /// that fails, returns what the writer is to try again.
    pub(crate) fn answer(
        &mut self,
        store: &mut impl GateStore,
        undo: SessionUndo,
        status: CompletionStatus,
    ) -> Option<Arc<WaitingUndo>> {
        answer(store, &undo, status).err()?;
        let tie = undo.client_id;
        let waiting = Arc::new(WaitingUndo(Mutex::new(Some((undo, status)))));
        self.0.insert(tie, Arc::clone(&waiting));
        Some(waiting)
    }

    /// Undoes what is still to be undone about a client id; says whether anything was.
    ///
    /// # Errors
    ///
    /// Returns the store's error when that fails.
    pub(crate) fn settle(
        &mut self,
        store: &mut impl GateStore,
        client_id: &ClientIdTie,
    ) -> Result<bool, StoreError> {
        let Some(waiting) = self.0.get(client_id) else {
            return Ok(false);
        };
        waiting.settle(store)?;
        self.0.remove(client_id);
        Ok(true)
    }

    /// Says whether so much waits that no login may bring about more.
    pub(crate) fn are_full(&mut self) -> bool {
        if self.0.len() >= MOST {
            self.0.retain(|_, waiting| !waiting.is_settled());
        }
        self.0.len() >= MOST
    }
}

impl WaitingUndo {
    /// Undoes it, unless that is done.
    ///
    /// # Errors
    ///
    /// Returns the store's error when that fails; as busy where another thread is at
    /// it.
    pub(crate) fn settle(&self, store: &mut impl GateStore) -> Result<(), StoreError> {
        let mut left = match self.0.try_lock() {
            Ok(left) => left,
            Err(TryLockError::Poisoned(left)) => left.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::new("undo a login", StoreErrorKind::Busy));
            }
        };
        if let Some((undo, status)) = &*left {
            answer(store, undo, *status)?;
            *left = None;
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.0.try_lock().is_ok_and(|left| left.is_none())
    }
}

fn answer(
    store: &mut impl GateStore,
    undo: &SessionUndo,
    status: CompletionStatus,
) -> Result<(), StoreError> {
    match status {
        CompletionStatus::Gone => store.undo_session(undo),
        CompletionStatus::Here => store.keep_session(&undo.client_id),
    }
}

/// So many wait at most.
const MOST: usize = 4_096;

#[cfg(test)]
mod tests {
    use countersign_core::time::Timestamp;

    use super::*;

    fn waiting(number: usize) -> (ClientIdTie, Arc<WaitingUndo>) {
        let tie = ClientIdTie::of(&number.to_string());
        let undo = SessionUndo {
            client_id: tie,
            before: None,
            claimant: None,
            at: Timestamp::from_millis(0),
        };
        let waiting = Some((undo, CompletionStatus::Gone));
        (tie, Arc::new(WaitingUndo(Mutex::new(waiting))))
    }

    #[test]
    fn so_much_waits_to_be_undone_and_no_more_until_some_of_it_is() {
        let mut undos = Undos((1..MOST).map(waiting).collect());
        assert!(!undos.are_full());
        let (tie, last) = waiting(0);
        undos.0.insert(tie, Arc::clone(&last));
        assert!(undos.are_full());
        *last.0.lock().unwrap() = None;
        assert!(!undos.are_full());
        assert_eq!(undos.0.len(), MOST - 1);
    }
}
