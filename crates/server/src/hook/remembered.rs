//! Clients that a broker was told to let in, as far as there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use countersign::{Handle, Pin};

/// A client that was let in.
pub(super) struct LetIn {
    /// The gate's number of its session, where its broker is asked to end it.
    pub(super) handle: Option<Handle>,
    /// What it presented, and what its principal is called.
    pub(super) names: [Arc<str>; 2],
    pub(super) pin: Pin,
}

/// Clients that were let in, by client id: as many as there is room for, the last ones.
#[derive(Default)]
pub(super) struct Remembered {
    by_client_id: HashMap<Arc<str>, (u64, LetIn)>,
    /// In the order in which they came.
    order: VecDeque<(u64, Arc<str>)>,
    last: u64,
}

impl Remembered {
    /// The pin of the client that was let in last under this client id, if it goes by
    /// this name.
    pub(super) fn pin_of(&self, client_id: &str, username: &str) -> Option<Pin> {
        let (_, let_in) = self.by_client_id.get(client_id)?;
        let is_it = let_in.names.iter().any(|name| **name == *username);
        is_it.then_some(let_in.pin)
    }

    /// The user name that the client presented that was let in last under this client id.
    pub(super) fn presented_by(&self, client_id: &str) -> Option<Arc<str>> {
        let (_, let_in) = self.by_client_id.get(client_id)?;
        let [presented, _] = &let_in.names;
        Some(Arc::clone(presented))
    }

    /// Keeps a client; returns the sessions of those that are not kept any more.
    pub(super) fn keep(&mut self, client_id: &str, let_in: LetIn) -> Vec<Handle> {
        let mut gone = Vec::new();
        if client_id.len() > LONGEST_CLIENT_ID {
            gone.extend(let_in.handle);
            return gone;
        }
        self.last = self.last.wrapping_add(1);
        let key: Arc<str> = client_id.into();
        let before = self
            .by_client_id
            .insert(Arc::clone(&key), (self.last, let_in));
        gone.extend(before.and_then(|(_, before)| before.handle));
        self.order.push_back((self.last, key));
        while self.order.len() > MOST_REMEMBERED {
            let Some((number, key)) = self.order.pop_front() else {
                break;
            };
            // It may have come again since.
            if self
                .by_client_id
                .get(&key)
                .is_some_and(|(it, _)| *it == number)
                && let Some((_, oldest)) = self.by_client_id.remove(&key)
            {
                gone.extend(oldest.handle);
            }
        }
        gone
    }
}

/// So many clients are remembered at most.
const MOST_REMEMBERED: usize = 50_000;
/// What is longer is not remembered.
const LONGEST_CLIENT_ID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_clients_are_remembered_and_the_last_ones() {
        let pin = |number: usize| Pin::parse(&format!("cs.{number}.1.1")).unwrap();
        let let_in = |number: usize| LetIn {
            handle: Some(Handle(number)),
            names: ["dev1".into(), "dev1@acme".into()],
            pin: pin(number),
        };
        let mut remembered = Remembered::default();
        assert_eq!(remembered.keep("c", let_in(1)), []);
        assert_eq!(remembered.keep("c", let_in(2)), [Handle(1)]);
        assert_eq!(remembered.pin_of("c", "dev1"), Some(pin(2)));
        assert_eq!(remembered.pin_of("c", "dev1@acme"), Some(pin(2)));
        assert_eq!(remembered.pin_of("c", "dev2"), None);
        assert_eq!(remembered.pin_of("d", "dev1"), None);
        for number in 0..MOST_REMEMBERED {
            remembered.keep(&number.to_string(), let_in(number));
        }
        assert_eq!(remembered.by_client_id.len(), MOST_REMEMBERED);
        assert_eq!(remembered.order.len(), MOST_REMEMBERED);
        assert_eq!(remembered.pin_of("c", "dev1"), None);
        let long = "x".repeat(LONGEST_CLIENT_ID + 1);
        assert_eq!(remembered.keep(&long, let_in(9)), [Handle(9)]);
        assert_eq!(remembered.pin_of(&long, "dev1"), None);
    }
}
