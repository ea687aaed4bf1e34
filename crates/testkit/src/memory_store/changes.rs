//! The change log.

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::store::StoreError;
use countersign_core::store::rows::ChangeRows;
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::tables::{Tables, next};

impl Tables {
    /// The last entry of the change log.
    pub(super) fn last_change(&self) -> ChangeSeq {
        ChangeSeq(self.last_numbers.change)
    }
}

impl ChangeRows for MemoryTransaction<'_> {
    fn last_change(&mut self) -> Result<ChangeSeq, StoreError> {
        Ok(self.tables.last_change())
    }

    fn last_change_at(&mut self) -> Result<Timestamp, StoreError> {
        let last = self.tables.changes.values().next_back();
        Ok(last.map_or(Timestamp::from_millis(0), |(at, _)| *at))
    }

    fn append_change(&mut self, at: Timestamp, change: &Change) -> Result<(), StoreError> {
        let seq = next(&mut self.tables.last_numbers.change);
        self.tables.changes.put(seq, (at, change.clone()));
        Ok(())
    }

    fn cut_changes(
        &mut self,
        most: usize,
        is_old: &mut dyn FnMut(ChangeSeq, Timestamp) -> bool,
    ) -> Result<usize, StoreError> {
        let changes = &mut self.tables.changes;
        let cut = changes.take_first(most, |seq, (at, _)| is_old(ChangeSeq(*seq), *at));
        Ok(cut.len())
    }
}
