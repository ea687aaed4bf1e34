//! Rows by key, in a table that is shared until it is written to.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// The rows of a table, by key. To clone it is cheap; a clone that is written to
/// has rows of its own from then on.
#[derive(Debug)]
pub(super) struct Table<K, V>(Arc<BTreeMap<K, V>>);

impl<K: Clone + Ord, V: Clone> Table<K, V> {
    /// Adds a row, or replaces it.
    pub(super) fn put(&mut self, key: K, row: V) {
        Arc::make_mut(&mut self.0).insert(key, row);
    }

    /// A row to be changed, if there is one.
    pub(super) fn row(&mut self, key: &K) -> Option<&mut V> {
        if self.0.contains_key(key) {
            Arc::make_mut(&mut self.0).get_mut(key)
        } else {
            None
        }
    }

    /// Changes each row that is meant; says how many they were.
    pub(super) fn change_where(
        &mut self,
        mut is_meant: impl FnMut(&V) -> bool,
        mut change: impl FnMut(&mut V),
    ) -> usize {
        let found = self.keys_where(usize::MAX, |_, row| is_meant(row));
        for key in &found {
            self.row(key).map(&mut change);
        }
        found.len()
    }

    /// Removes a row; says whether there was one.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        self.0.contains_key(key) && Arc::make_mut(&mut self.0).remove(key).is_some()
    }

    /// Removes each row that is meant; says how many they were.
    pub(super) fn remove_where(&mut self, is_meant: impl FnMut(&K, &V) -> bool) -> usize {
        self.remove_some(usize::MAX, is_meant)
    }

    /// Removes up to `most` of the rows that are meant, the lowest keys first; says
    /// how many they were.
    pub(super) fn remove_some(
        &mut self,
        most: usize,
        is_meant: impl FnMut(&K, &V) -> bool,
    ) -> usize {
        let found = self.keys_where(most, is_meant);
        for key in &found {
            self.remove(key);
        }
        found.len()
    }

    /// Removes up to `most` of the rows with the lowest keys, as long as they are
    /// meant; says which.
    pub(super) fn take_first(
        &mut self,
        most: usize,
        mut is_meant: impl FnMut(&K, &V) -> bool,
    ) -> Vec<(K, V)> {
        let first = self.0.iter().take(most);
        let meant = first.take_while(|(key, row)| is_meant(key, row));
        let taken: Vec<_> = meant.map(|(key, row)| (key.clone(), row.clone())).collect();
        for (key, _) in &taken {
            self.remove(key);
        }
        taken
    }

    /// The keys of up to `most` rows that are meant, in their order.
    pub(super) fn keys_where(
        &self,
        most: usize,
        mut is_meant: impl FnMut(&K, &V) -> bool,
    ) -> Vec<K> {
        let meant = self.0.iter().filter(|(key, row)| is_meant(key, row));
        meant.take(most).map(|(key, _)| key.clone()).collect()
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Says whether neither was written to since one was cloned from the other.
impl<K, V> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
