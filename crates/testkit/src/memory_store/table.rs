//! Rows by key, in parts that are shared until they are written to.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::store::{Keyed, Listed, Page};

/// The rows of a table, by key. To clone it is cheap; a clone that is written to
/// has a part of its own from then on, and shares all others.
#[derive(Debug)]
pub(super) struct Table<K, V>(Arc<Vec<Part<K, V>>>);

/// Rows that follow each other; none is empty.
type Part<K, V> = Arc<BTreeMap<K, V>>;

impl<K: Clone + Ord, V: Clone> Table<K, V> {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|part| part.len()).sum()
    }

    /// A row, if there is one.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(self.place_of(key))?.get(key)
    }

    /// Says whether there is a row.
    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// All rows with their keys, by key.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().flat_map(|part| part.iter())
    }

    /// All keys, in their order.
    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All rows, by key.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, row)| row)
    }

    /// The rows from this key on.
    pub(super) fn range_from(&self, first: &K) -> impl Iterator<Item = (&K, &V)> {
        let parts = self.0.iter().skip(self.place_of(first));
        parts.flat_map(|part| part.range(first.clone()..))
    }

    /// Adds a row, or replaces it.
    pub(super) fn put(&mut self, key: K, row: V) {
        let at = self.place_of(&key);
        let parts = Arc::make_mut(&mut self.0);
        let Some(part) = parts.get_mut(at) else {
            parts.push(Arc::new(BTreeMap::from([(key, row)])));
            return;
        };
        let part = Arc::make_mut(part);
        part.insert(key, row);
        if part.len() > MOST_OF_A_PART {
            let middle = part.keys().nth(MOST_OF_A_PART / 2).cloned();
            let upper = middle.map(|middle| part.split_off(&middle));
            parts.splice(at + 1..at + 1, upper.map(Arc::new));
        }
    }

    /// A row to be changed, if there is one.
    pub(super) fn row(&mut self, key: &K) -> Option<&mut V> {
        if !self.contains_key(key) {
            return None;
        }
        let at = self.place_of(key);
        let part = Arc::make_mut(&mut self.0).get_mut(at)?;
        Arc::make_mut(part).get_mut(key)
    }

    /// Removes a row; says whether there was one.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        if !self.contains_key(key) {
            return false;
        }
        let at = self.place_of(key);
        let parts = Arc::make_mut(&mut self.0);
        let part = Arc::make_mut(&mut parts[at]);
        part.remove(key);
        if part.is_empty() {
            parts.remove(at);
        }
        true
    }

    /// The number of the part that a key belongs to.
    fn place_of(&self, key: &K) -> usize {
        let ends_before = |part: &Part<K, V>| part.keys().next_back().is_some_and(|end| end < key);
        let at = self.0.partition_point(ends_before);
        at.min(self.0.len().saturating_sub(1))
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
        let first = self.iter().take(most);
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
        let meant = self.iter().filter(|(key, row)| is_meant(key, row));
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

/// Says whether neither was written to since one was cloned from the other.
impl<K, V> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A page of `rows`, which are in no order.
pub(super) fn page_of<T: Keyed<Key: Clone + Ord>>(rows: Vec<T>, page: &Page<T::Key>) -> Listed<T> {
    page_by(rows, page, Clone::clone)
}

/// The same, in the order of what is made of the keys.
pub(super) fn page_by<T: Keyed, O: Ord>(
    mut rows: Vec<T>,
    page: &Page<T::Key>,
    order: impl Fn(&T::Key) -> O,
) -> Listed<T> {
    let after = page.after.as_ref().map(&order);
    rows.retain(|row| Some(order(&row.key())) > after);
    rows.sort_by_key(|row| order(&row.key()));
    rows.truncate(usize::try_from(page.sought()).unwrap_or(usize::MAX));
    page.listed(rows)
}

/// A part with more rows is cut in two.
const MOST_OF_A_PART: usize = 128;
