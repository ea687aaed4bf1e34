//! Forms that may be sent once: each holds a key, which its first sending takes away. So
//! a secret that one made is not made and shown again where a browser sends it anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use countersign_core::hex;

/// The keys of forms that were shown and not sent yet, by who was shown them.
#[derive(Debug, Default)]
pub(crate) struct FormKeys(Mutex<BTreeMap<String, VecDeque<String>>>);

impl FormKeys {
    /// A key for a form that somebody is shown. It gives way to many newer ones.
    pub(crate) fn issue(&self, actor: &str) -> String {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            // The form can't be sent then.
            return String::new();
        }
        let key = hex::encode(&bytes);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= MOST_ACTORS && !all.contains_key(actor) {
            all.pop_first();
        }
        let keys = all.entry(actor.to_owned()).or_default();
        if keys.len() >= MOST_OF_ONE {
            keys.pop_front();
        }
        keys.push_back(key.clone());
        key
    }

    /// Takes the key of a form that somebody sends; says whether it was there.
    pub(crate) fn take(&self, actor: &str, key: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(keys) = all.get_mut(actor) else {
            return false;
        };
        let place = keys.iter().position(|it| it == key);
        let is_there = place.is_some_and(|place| keys.remove(place).is_some());
        if keys.is_empty() {
            all.remove(actor);
        }
        is_there
    }
}

/// So many forms of one person may wait to be sent,
const MOST_OF_ONE: usize = 64;
/// and of so many persons.
const MOST_ACTORS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_once_by_whom_it_was_issued_to() {
        let keys = FormKeys::default();
        let key = keys.issue("a");
        assert!(!keys.take("b", &key) && !keys.take("a", "") && !keys.take("a", "x"));
        assert!(keys.take("a", &key));
        assert!(!keys.take("a", &key));
    }

    #[test]
    fn old_keys_and_old_persons_give_way() {
        let keys = FormKeys::default();
        let first = keys.issue("a");
        for _ in 0..MOST_OF_ONE {
            keys.issue("a");
        }
        assert!(!keys.take("a", &first));
        for number in 0..MOST_ACTORS.saturating_add(10) {
            keys.issue(&format!("b{number}"));
        }
        let all = keys.0.lock().unwrap();
        assert_eq!(all.len(), MOST_ACTORS);
        assert!(all.values().all(|keys| keys.len() <= MOST_OF_ONE));
    }
}
