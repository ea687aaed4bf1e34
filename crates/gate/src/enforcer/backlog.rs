//! Changes that are not worked off yet, each once.
//!
//! What became of a credential or a tenant is read when its change is worked
//! off, so a second entry for it before that would find nothing new. Most changes are
//! of credentials that no session uses; how many of the log's are here at once is for
//! the enforcer to bound. Beyond those there are at most as many as there are sessions
//! and tenants to be judged.

use std::collections::{HashSet, VecDeque};

use countersign_core::change::Change;

/// Changes that are not worked off yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    queue: VecDeque<Change>,
    queued: HashSet<Change>,
}

impl Backlog {
    /// Adds a change, unless it is in it.
    pub(crate) fn push(&mut self, change: Change) {
        if self.queued.insert(change.clone()) {
            self.queue.push_back(change);
        }
    }

    /// Puts the change back that was taken last.
    pub(crate) fn put_back(&mut self, change: Change) {
        if self.queued.insert(change.clone()) {
            self.queue.push_front(change);
        }
    }

    /// Takes the change that is to be worked off next.
    pub(crate) fn pop(&mut self) -> Option<Change> {
        let change = self.queue.pop_front()?;
        self.queued.remove(&change);
        Some(change)
    }

    /// How many are not worked off.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Says whether all is worked off.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl Extend<Change> for Backlog {
    fn extend<T: IntoIterator<Item = Change>>(&mut self, changes: T) {
        for change in changes {
            self.push(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::credential::CredentialId;

    use super::*;

    fn change(number: i64) -> Change {
        Change::Credential(CredentialId(number))
    }

    #[test]
    fn nothing_is_to_be_worked_off_at_first() {
        assert!(Backlog::default().is_empty() && Backlog::default().pop().is_none());
    }

    #[test]
    fn however_often_something_changes_it_is_worked_off_once_and_in_order() {
        let mut backlog = Backlog::default();
        for round in 0..1_000 {
            backlog.extend((0..10).map(change));
            backlog.push(Change::Everything);
            assert!(backlog.queue.len() <= 11, "{round}");
        }
        let first = backlog.pop().unwrap();
        assert_eq!(first, change(0));
        backlog.put_back(first);
        let order: Vec<_> = core::iter::from_fn(|| backlog.pop()).collect();
        let expected: Vec<_> = (0..10).map(change).chain([Change::Everything]).collect();
        assert_eq!(order, expected);
        assert!(backlog.is_empty() && backlog.queued.is_empty());
        // What changes again after it was worked off is worked off again.
        backlog.push(change(0));
        assert!(!backlog.is_empty());
    }
}
