//! Ending sessions, and seeing to it that they have ended.
//!
//! A broker ends a client before its kick returns, with two exceptions. 2.0
//! closes WebSockets when its loop goes round, or later if the client reads
//! nothing. If another client takes its id before that, a kick by the id would
//! end the other one, and the broker closes the first anyway. And 2.0.11 may
//! have lost a client's id (see `docs/SAFETY.md`), so
//! that a kick by it reaches no client. Until the broker says that a client is
//! gone, every check for that client is denied.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::{Handle, LogLevel};

use super::Plugin;
use crate::host::Kick;

/// Sessions that the broker was asked to end, and that it has not ended yet.
#[derive(Debug, Default)]
pub(super) struct PendingKicks(HashMap<Handle, PendingKick>);

#[derive(Debug)]
struct PendingKick {
    client_id: Arc<str>,
    /// What is logged once it has ended.
    line: String,
    /// When the broker was asked last; none while it is being asked.
    asked: Option<Instant>,
    /// Whether it was asked by user name already, which is done once.
    is_lost: bool,
}

impl PendingKicks {
    /// Says whether a client may do nothing any more. While the broker is asked
    /// to end it, it asks about the client's Will and its subscriptions, which
    /// the gate knows about.
    pub(super) fn holds(&self, handle: Handle) -> bool {
        !self.0.is_empty() && self.0.get(&handle).is_some_and(|it| it.asked.is_some())
    }

    /// Forgets a client; answers the line about it.
    pub(super) fn remove(&mut self, handle: Handle) -> Option<String> {
        Some(self.0.remove(&handle)?.line)
    }

    /// Says whether a client has yet to end, or is ending just now.
    pub(super) fn is_open(&self, handle: Handle) -> bool {
        self.0.contains_key(&handle)
    }
}

impl Plugin {
    /// Ends a session, or what is left of one that is away.
    pub(super) fn end(&self, handle: Handle, client_id: &Arc<str>, line: &str) {
        if !self.clients.borrow().is_here(handle) {
            self.departed.set(Some(handle));
            match self.host.kick_only(handle, client_id) {
                Kick::Done => self.log(LogLevel::Notice, line),
                Kick::NoSuchClient => {
                    self.clients.borrow_mut().forget(handle);
                    self.tell_gone(handle);
                }
            }
            return;
        }
        let ending = PendingKick {
            client_id: Arc::clone(client_id),
            line: line.to_owned(),
            asked: None,
            is_lost: false,
        };
        self.pending_kicks.borrow_mut().0.insert(handle, ending);
        self.ask_to_end(handle, client_id);
    }

    /// Asks again about those that have not ended for a while.
    pub(super) fn retry_kicks(&self) {
        if self.pending_kicks.borrow().0.is_empty() {
            return;
        }
        let now = Instant::now();
        let is_late = |ending: &PendingKick| {
            let is_due = |asked: Instant| now.saturating_duration_since(asked) >= ASK_AGAIN;
            !ending.is_lost && ending.asked.is_some_and(is_due)
        };
        let late: Vec<_> = {
            let pending_kicks = self.pending_kicks.borrow();
            let late = pending_kicks.0.iter().filter(|(_, ending)| is_late(ending));
            late.map(|(handle, ending)| (*handle, Arc::clone(&ending.client_id)))
                .collect()
        };
        for (handle, client_id) in late {
            self.ask_to_end(handle, &client_id);
        }
    }

    fn ask_to_end(&self, handle: Handle, client_id: &Arc<str>) {
        if let Some(ending) = self.pending_kicks.borrow_mut().0.get_mut(&handle) {
            ending.asked = None;
        }
        let is_closing = if self.is_taken_over(handle) {
            true
        } else {
            let kick = self.host.kick_only(handle, client_id);
            kick == Kick::Done && self.clients.borrow().closes_late(handle)
        };
        if !is_closing && self.pending_kicks.borrow().is_open(handle) {
            if self.host.finds_clients() {
                // It loses no ids: the client is gone.
                self.pending_kicks.borrow_mut().remove(handle);
                self.clients.borrow_mut().forget(handle);
                self.tell_gone(handle);
            } else {
                self.end_lost(handle, client_id);
            }
        }
        if let Some(ending) = self.pending_kicks.borrow_mut().0.get_mut(&handle) {
            ending.asked = Some(Instant::now());
        }
    }

    /// Says whether the broker closes a client already, as another one has its id.
    fn is_taken_over(&self, handle: Handle) -> bool {
        self.clients.borrow().closes_late(handle)
            && self
                .gate
                .try_borrow()
                .is_ok_and(|gate| gate.is_taken_over(handle))
    }

    /// Ends a client that the broker does not know by its client id.
    ///
    /// 2.0.11 forgets which client has an id when another one goes away that came
    /// with it and was asked for a code. Both are of one principal, for nobody is
    /// asked who may not have the id; so all of that principal's are ended.
    fn end_lost(&self, handle: Handle, client_id: &str) {
        if let Some(ending) = self.pending_kicks.borrow_mut().0.get_mut(&handle) {
            ending.is_lost = true;
        }
        let gate = self.gate.try_borrow();
        let username = gate.ok().and_then(|gate| gate.username_of(handle));
        if let Some(username) = username {
            let line = format!(
                "the broker lost the client id `{client_id}`, so every session of `{username}` is ended"
            );
            self.log(LogLevel::Warning, &line);
            self.host.kick_all_of(&username);
        }
        if self.pending_kicks.borrow().is_open(handle) {
            let line = format!(
                "the broker can't end the client `{client_id}`, which may do nothing any more"
            );
            self.log(LogLevel::Warning, &line);
        }
    }
}

/// So long after it was asked, the broker is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
