//! Rows that are removed once they are old.

use countersign_core::audit::AuditEntry;
use countersign_core::change::ChangeSeq;
use countersign_core::ledger::UpkeepRows;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::audit::as_row;

impl UpkeepRows for MemoryTransaction<'_> {
    fn take_refusals(
        &mut self,
        last: Timestamp,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let refusals = &mut self.tables.refusals;
        let taken = refusals.take_first(most, |key, _| key.minute <= last);
        let entries = taken.iter().map(|(key, sum)| as_row(key, sum).entry());
        Ok(entries.collect())
    }

    fn count_audited_refusals(&mut self) -> Result<u64, StoreError> {
        Ok(self.tables.audited_refusals.rows.len() as u64)
    }

    fn cut_refusals(
        &mut self,
        most: usize,
        mut is_old: impl FnMut(Timestamp) -> bool,
    ) -> Result<usize, StoreError> {
        let rows = &mut self.tables.audited_refusals.rows;
        Ok(rows.take_first(most, |_, entry| is_old(entry.time)).len())
    }

    fn last_change(&mut self) -> Result<ChangeSeq, StoreError> {
        Ok(self.tables.last_change())
    }

    fn cut_changes(
        &mut self,
        most: usize,
        mut is_old: impl FnMut(ChangeSeq, Timestamp) -> bool,
    ) -> Result<usize, StoreError> {
        let changes = &mut self.tables.changes;
        let cut = changes.take_first(most, |seq, (at, _)| is_old(ChangeSeq(*seq), *at));
        Ok(cut.len())
    }

    fn remove_kick_requests(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        let kicks = &mut self.tables.kicks;
        Ok(kicks.remove_some(most, |_, kick| kick.entry.time < at))
    }

    fn remove_tokens(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        let tokens = &mut self.tables.tokens;
        Ok(tokens.remove_some(most, |_, token| token.expires_at < at))
    }

    fn remove_lockouts(&mut self, at: Timestamp, most: usize) -> Result<usize, StoreError> {
        let lockouts = &mut self.tables.lockouts;
        Ok(lockouts.remove_some(most, |_, row| row.updated_at < at))
    }
}
