//! The audit, and the refusals that are still summed up.

use countersign_core::audit::{AuditChain, AuditEntry, AuditHeads, AuditOutcome, AuditRow};
use countersign_core::ledger::{RefusalRow, RefusalRows};
use countersign_core::store::{AuditQuery, StoreError};
use countersign_core::time::Timestamp;
use std::time::Duration;

use super::MemoryTransaction;
use super::tables::{RefusalKey, RefusalSum, Tables};

impl Tables {
    /// Adds entries to a chain.
    pub(super) fn append_audit(&mut self, chain: AuditChain, entries: &[AuditEntry]) {
        let next = self.last_numbers.audit + 1;
        let head = self.chain(chain).head;
        for (place, entry) in chain.rows_after(head, next, entries) {
            self.last_numbers.audit = place.id;
            let rows = self.chain(chain);
            rows.head = place;
            rows.rows.put(place.id, entry);
        }
    }

    /// The heads of both chains.
    pub(super) fn audit_heads(&self) -> AuditHeads {
        AuditHeads {
            acts: self.acts.head,
            refusals: self.audited_refusals.head,
        }
    }

    /// The row with this number.
    pub(super) fn audit_row(&self, id: i64) -> Option<AuditRow> {
        let row = self.acts.rows.get(&id);
        let entry = row.or_else(|| self.audited_refusals.rows.get(&id))?;
        Some(row_of(Some(id), entry.clone()))
    }

    /// The newest rows that `query` asks for, refusals that are still summed up
    /// included, newest last.
    pub(super) fn audit(&self, query: &AuditQuery) -> Vec<AuditRow> {
        let chains = [&self.acts, &self.audited_refusals];
        let rows = chains.into_iter().flat_map(|chain| chain.rows.iter());
        let mut rows: Vec<_> = rows
            .map(|(id, entry)| row_of(Some(*id), entry.clone()))
            .collect();
        rows.sort_by_key(|row| row.id);
        let sums = self.refusals.iter();
        rows.extend(sums.map(|(key, sum)| row_of(None, as_row(key, sum).entry())));
        rows.retain(|row| is_asked_for(&row.entry, query));
        // A refusal is dated at the start of its minute and written after its end.
        rows.sort_by_key(|row| row.entry.time);
        let most = query.limit.and_then(|limit| usize::try_from(limit).ok());
        let too_many = rows.len().saturating_sub(most.unwrap_or(usize::MAX));
        rows.split_off(too_many)
    }
}

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
        // They follow each other, the one without a client id first.
        let from_there = self.tables.refusals.range(sought.clone()..);
        let alike = from_there.take_while(|(key, _)| without_id(key) == sought);
        Ok(alike.take(most).count())
    }

    fn count_named_refusals(&mut self, minute: Timestamp) -> Result<usize, StoreError> {
        let is_named = |key: &&RefusalKey| {
            key.minute == minute
                && !(key.subject == RefusalRow::ALL_OTHERS && key.address.is_empty())
        };
        Ok(self.tables.refusals.keys().filter(is_named).count())
    }

    fn count_staged_refusals(&mut self, _more: i64) -> Result<(), StoreError> {
        // They are where they can't be removed by another program.
        Ok(())
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
    }
}

fn row_of(id: Option<i64>, entry: AuditEntry) -> AuditRow {
    AuditRow { id, entry }
}

fn is_asked_for(entry: &AuditEntry, query: &AuditQuery) -> bool {
    // A sum is dated at the start of its minute and reaches to its end.
    let reaches_to = if entry.act == "login" && entry.outcome == AuditOutcome::Refused {
        entry.time.plus(MINUTE).minus(MILLISECOND)
    } else {
        entry.time
    };
    query.since.is_none_or(|since| reaches_to >= since)
        && query
            .subject
            .as_ref()
            .is_none_or(|subject| entry.subject == *subject)
}

const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);
