//! Which sessions share something: a credential, a client id.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};

use countersign_core::number_map::NumberSet;

use crate::host::Handle;

/// All handles under each key.
///
/// INVARIANT: a handle that was added is found until that very handle is
/// removed, whatever else is added and removed under its key.
#[derive(Debug)]
pub(crate) struct HandleIndex<K, S = RandomState>(HashMap<K, Handles, S>);

/// The handles under one key: nearly always one.
#[derive(Debug)]
pub(super) enum Handles {
    One(Handle),
    More(NumberSet<Handle>),
}

impl Handles {
    /// Adds a handle, if it is not there.
    pub(super) fn add(&mut self, handle: Handle) {
        match self {
            Self::One(one) if *one == handle => {}
            Self::One(one) => *self = Self::More(NumberSet::from_iter([*one, handle])),
            Self::More(more) => {
                more.insert(handle);
            }
        }
    }

    /// Removes a handle. Says whether it was the last, with which all of this goes.
    pub(super) fn remove(&mut self, handle: Handle) -> bool {
        match self {
            Self::One(one) => *one == handle,
            Self::More(more) => {
                more.remove(&handle);
                more.is_empty()
            }
        }
    }

    /// The handles, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Handle> + '_ {
        let (one, more) = match self {
            Self::One(one) => (Some(*one), None),
            Self::More(more) => (None, Some(more)),
        };
        one.into_iter().chain(more.into_iter().flatten().copied())
    }
}

impl<K, S: Default> Default for HandleIndex<K, S> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, S: BuildHasher> HandleIndex<K, S> {
    /// Adds a handle under a key.
    pub(crate) fn add(&mut self, key: K, handle: Handle) {
        let handles = self.0.entry(key).or_insert(Handles::One(handle));
        handles.add(handle);
    }

    /// Removes a handle from under a key.
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, handle: Handle)
    where
        K: Borrow<Q>,
    {
        if let Some((key, mut handles)) = self.0.remove_entry(key)
            && !handles.remove(handle)
        {
            self.0.insert(key, handles);
        }
    }

    /// The handles under a key, in no order.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> impl Iterator<Item = Handle> + '_
    where
        K: Borrow<Q>,
    {
        self.0.get(key).into_iter().flat_map(Handles::iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(index: &HandleIndex<u8>, key: u8) -> Vec<usize> {
        let mut handles: Vec<_> = index.get(&key).map(|handle| handle.0).collect();
        handles.sort_unstable();
        handles
    }

    #[test]
    fn a_handle_is_found_until_that_very_handle_is_removed() {
        let mut index = HandleIndex::default();
        assert!(of(&index, 1).is_empty());
        for handle in [7, 8, 8, 9] {
            index.add(1, Handle(handle));
        }
        index.add(2, Handle(7));
        index.remove(&1, Handle(9));
        index.remove(&1, Handle(6));
        assert_eq!((of(&index, 1), of(&index, 2)), (vec![7, 8], vec![7]));
        for handle in [7, 8] {
            index.remove(&1, Handle(handle));
        }
        index.remove(&2, Handle(8));
        assert_eq!((of(&index, 1), of(&index, 2)), (vec![], vec![7]));
        index.remove(&2, Handle(7));
        assert!(index.0.is_empty());
    }
}
