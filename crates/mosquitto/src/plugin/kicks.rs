//! Ending sessions, and seeing to it that they have ended.
//!
//! A broker ends a client before its kick returns, with two exceptions. 2.0
//! closes WebSockets when its loop goes round, or later if the client reads
//! nothing. If another client takes its id before that, a kick by the id would
//! end the other one, and the broker closes the first anyway. And 2.0.11 may
//! have lost a client's id (see `docs/SAFETY.md`), so
//! that a kick by it reaches no client. Until the broker says that a client is
//! gone, every check for that client is denied.

use std::sync::Arc;
use std::time::Instant;

use countersign::{Handle, LogLevel};

use super::Plugin;
use crate::host::Kick;

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
        self.pending_kicks.borrow_mut().add(handle, client_id, line);
        self.ask_to_end(handle, client_id);
    }

    /// Asks again about those that have not ended for a while.
    pub(super) fn retry_kicks(&self) {
        let late = self.pending_kicks.borrow().late();
        for (handle, client_id) in late {
            self.ask_to_end(handle, &client_id);
        }
    }

    fn ask_to_end(&self, handle: Handle, client_id: &Arc<str>) {
        self.pending_kicks.borrow_mut().set_asked(handle, None);
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
        let now = Some(Instant::now());
        self.pending_kicks.borrow_mut().set_asked(handle, now);
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
        self.pending_kicks.borrow_mut().set_lost(handle);
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

#[cfg(test)]
mod tests;
