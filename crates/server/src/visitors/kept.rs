//! What is kept for somebody under a key, which is good once. Each form that may be sent
//! once holds such a key, so that a secret which one made is not made and shown again where
//! a browser sends it anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use countersign_core::hex;

/// Things under keys that were not taken yet, at most `MOST_OF_ONE` for each person.
#[derive(Debug, Default)]
pub(crate) struct Kept<T, const MOST_OF_ONE: usize>(Mutex<BTreeMap<String, Queue<T>>>);

type Queue<T> = VecDeque<(String, T)>;

impl<T, const MOST_OF_ONE: usize> Kept<T, MOST_OF_ONE> {
    /// Keeps something for somebody; returns its key. It gives way to many newer ones.
    pub(crate) fn keep(&self, actor: &str, thing: T) -> String {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            // Nothing has this key.
            return String::new();
        }
        let key = hex::encode(&bytes);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= MOST_ACTORS && !all.contains_key(actor) {
            all.pop_first();
        }
        let kept = all.entry(actor.to_owned()).or_default();
        if kept.len() >= MOST_OF_ONE {
            kept.pop_front();
        }
        kept.push_back((key.clone(), thing));
        key
    }

    /// Takes what somebody has under a key; nothing where it was taken before.
    pub(crate) fn take(&self, actor: &str, key: &str) -> Option<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get_mut(actor)?;
        let place = kept.iter().position(|(it, _)| it == key);
        let taken = place.and_then(|place| kept.remove(place));
        if kept.is_empty() {
            all.remove(actor);
        }
        taken.map(|(_, thing)| thing)
    }
}

/// For so many persons something is kept.
const MOST_ACTORS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_once_by_whom_it_was_issued_to() {
        let kept = Kept::<_, 4>::default();
        let key = kept.keep("a", 7);
        for (actor, key) in [("b", &*key), ("a", ""), ("a", "x")] {
            assert_eq!(kept.take(actor, key), None);
        }
        assert_eq!(kept.take("a", &key), Some(7));
        assert_eq!(kept.take("a", &key), None);
    }

    #[test]
    fn old_keys_and_old_persons_give_way() {
        let kept = Kept::<_, 4>::default();
        let first = kept.keep("a", ());
        for _ in 0..4 {
            kept.keep("a", ());
        }
        assert_eq!(kept.take("a", &first), None);
        for number in 0..MOST_ACTORS.saturating_add(10) {
            kept.keep(&format!("b{number}"), ());
        }
        let all = kept.0.lock().unwrap();
        assert_eq!(all.len(), MOST_ACTORS);
        assert!(all.values().all(|kept| kept.len() <= 4));
    }
}
