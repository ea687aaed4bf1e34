//! Refused logins and denied uses of topics that are still summed up.

use countersign_core::audit::{AuditEntry, AuditRow, RefusedAct};
use countersign_core::store::StoreError;
use countersign_core::store::rows::{RefusalRow, RefusalRows};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::tables::{RefusalKey, RefusalSum};

impl RefusalRows for MemoryTransaction<'_> {
    fn add_to_refusal(&mut self, row: &RefusalRow<'_>) -> Result<bool, StoreError> {
        let sum = self.tables.refusals.row(&key_of(row));
        Ok(sum
            .map(|sum| {
                sum.count = sum.count.saturating_add(row.count);
                sum.about = row.about.map(Into::into);
            })
            .is_some())
    }

    fn add_refusal(&mut self, row: &RefusalRow<'_>) -> Result<(), StoreError> {
        let sum = RefusalSum {
            count: row.count,
            about: row.about.map(Into::into),
        };
        self.tables.refusals.put(key_of(row), sum);
        Ok(())
    }

    fn count_refused_client_ids(
        &mut self,
        row: &RefusalRow<'_>,
        most: usize,
    ) -> Result<usize, StoreError> {
        let without_id = |key: &RefusalKey| RefusalKey {
            client_id: String::new(),
            ..key.clone()
        };
        let sought = without_id(&key_of(row));
        let mut alike = self.tables.refusals.keys();
        Ok(alike
            .by_ref()
            .filter(|key| without_id(key) == sought)
            .take(most)
            .count())
    }

    fn count_named_refusals(
        &mut self,
        minute: Timestamp,
        are_uses: bool,
    ) -> Result<usize, StoreError> {
        let is_named = |key: &&RefusalKey| {
            key.minute == minute
                && (key.act != RefusedAct::Login) == are_uses
                && !(key.subject == RefusalRow::ALL_OTHERS && key.address.is_empty())
        };
        Ok(self.tables.refusals.keys().filter(is_named).count())
    }

    fn count_staged_refusals(&mut self, _more: i64) -> Result<(), StoreError> {
        // They are where they can't be removed by another program.
        Ok(())
    }

    fn staged_refusals(&mut self, most: usize) -> Result<Vec<AuditRow>, StoreError> {
        let mut sums = self.tables.staged();
        sums.sort_by_cached_key(AuditRow::key);
        Ok(sums.split_off(sums.len().saturating_sub(most)))
    }

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
}

/// A sum of refusals, as the core knows it.
pub(super) fn as_row<'a>(key: &'a RefusalKey, sum: &'a RefusalSum) -> RefusalRow<'a> {
    RefusalRow {
        minute: key.minute,
        broker: &key.broker,
        subject: &key.subject,
        address: &key.address,
        cause: key.cause,
        client_id: &key.client_id,
        topic: &key.topic,
        act: key.act,
        about: sum.about.as_deref(),
        count: sum.count,
    }
}

fn key_of(row: &RefusalRow<'_>) -> RefusalKey {
    RefusalKey {
        minute: row.minute,
        broker: row.broker.into(),
        subject: row.subject.into(),
        address: row.address.into(),
        cause: row.cause,
        client_id: row.client_id.into(),
        topic: row.topic.into(),
        act: row.act,
    }
}
