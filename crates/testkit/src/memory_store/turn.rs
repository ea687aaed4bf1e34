//! The writer's turn: one transaction has it at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Gives the writer's turn to one transaction after the other.
#[derive(Debug, Default)]
pub(super) struct Turns {
    is_taken: Mutex<bool>,
    given_back: Condvar,
}

impl Turns {
    /// Takes the turn, if it is to be had within this time.
    pub(super) fn take(&self, patience: Duration) -> Option<Turn<'_>> {
        let is_taken = whatever_happened(&self.is_taken);
        let waited = self
            .given_back
            .wait_timeout_while(is_taken, patience, |is_taken| *is_taken);
        let (mut is_taken, waited) = waited.ok()?;
        if waited.timed_out() {
            return None;
        }
        *is_taken = true;
        Some(Turn(self))
    }
}

/// The writer's turn; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *whatever_happened(&self.0.is_taken) = false;
        self.0.given_back.notify_one();
    }
}

/// A lock whose content is never half written: a test that failed while it had it
/// is not what the next one is about.
pub(super) fn whatever_happened<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
