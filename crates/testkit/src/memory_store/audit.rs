//! The audit.

use core::convert::Infallible;

use countersign_core::audit::{
    AuditChain, AuditCheck, AuditEntry, AuditHead, AuditHeads, AuditKey, AuditRow,
};
use countersign_core::name::LoginName;
use countersign_core::store::rows::AuditRows;
use countersign_core::store::{AuditQuery, Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::refusals::as_row;
use super::tables::Tables;

impl Tables {
    /// Adds entries to a chain.
    pub(super) fn append_audit(&mut self, chain: AuditChain, entries: &[AuditEntry]) {
        let next = self.last_numbers.audit + 1;
        let head = self.chain(chain).head;
        for (place, entry) in chain.rows_after(head, next, entries) {
            self.last_numbers.audit = place.id;
            let rows = self.chain(chain);
            rows.head = place;
            rows.rows.put(place.id, (entry, place.hash));
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
        let (entry, _) = row.or_else(|| self.audited_refusals.rows.get(&id))?;
        Some(row_of(Some(id), entry.clone()))
    }

    /// The rows that `query` asks for, refusals that are still summed up included,
    /// newest last.
    fn audit(&self, query: &AuditQuery) -> Vec<AuditRow> {
        let chains = [&self.acts, &self.audited_refusals];
        let rows = chains.into_iter().flat_map(|chain| chain.rows.iter());
        let mut rows: Vec<_> = rows
            .map(|(id, (entry, _))| row_of(Some(*id), entry.clone()))
            .collect();
        rows.extend(self.staged());
        rows.retain(|row| self.admits(query, &row.entry));
        rows.sort_by_cached_key(AuditRow::key);
        rows
    }

    /// The sums of refusals that are in no chain yet.
    pub(super) fn staged(&self) -> Vec<AuditRow> {
        let sums = self.refusals.iter();
        let rows = sums.map(|(key, sum)| row_of(None, as_row(key, sum).entry()));
        rows.collect()
    }
}

impl Tables {
    /// What is wrong with the row of a head that was kept: nothing else writes here,
    /// so the chains themselves are right.
    fn look_for(&self, head: AuditHead) -> Option<AuditCheck> {
        let chains = [&self.acts, &self.audited_refusals];
        if head == AuditHead::START || self.audited_refusals.anchor == head {
            return None;
        }
        let row = head.id;
        match chains.iter().find_map(|chain| chain.rows.get(&row)) {
            Some((_, hash)) if *hash == head.hash => None,
            Some(_) => Some(AuditCheck::Rewritten { row }),
            None => {
                let last = self.acts.head.id.max(self.audited_refusals.head.id);
                Some(AuditCheck::Missing { row, last })
            }
        }
    }

    fn admits(&self, query: &AuditQuery, entry: &AuditEntry) -> bool {
        let tenant_of = |name: &str| {
            let found = LoginName::parse(name)
                .ok()
                .and_then(|name| self.credential(&name));
            Ok::<_, Infallible>(found.and_then(|found| found.tenant))
        };
        match query.admits(entry, tenant_of) {
            Ok(is_admitted) => is_admitted,
        }
    }
}

impl AuditRows for MemoryTransaction<'_> {
    fn audit(&mut self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        let mut rows = self.tables.audit(query);
        let most = query.limit.and_then(|limit| usize::try_from(limit).ok());
        let too_many = rows.len().saturating_sub(most.unwrap_or(usize::MAX));
        Ok(rows.split_off(too_many))
    }

    fn audit_page(
        &mut self,
        query: &AuditQuery,
        page: &Page<AuditKey>,
    ) -> Result<Listed<AuditRow>, StoreError> {
        let mut rows = self.tables.audit(query);
        rows.retain(|row| page.after.as_ref().is_none_or(|after| row.key() > *after));
        Ok(page.listed(rows))
    }

    fn audit_after(&mut self, after: i64, most: usize) -> Result<Vec<AuditRow>, StoreError> {
        let numbers = after.saturating_add(1)..=self.tables.last_numbers.audit;
        let rows = numbers.filter_map(|id| self.tables.audit_row(id));
        Ok(rows.take(most).collect())
    }

    fn audit_row(&mut self, id: i64) -> Result<Option<AuditRow>, StoreError> {
        Ok(self.tables.audit_row(id))
    }

    fn audit_heads(&mut self) -> Result<AuditHeads, StoreError> {
        Ok(self.tables.audit_heads())
    }

    fn verify_audit(&mut self, expected: &[AuditHead]) -> Result<AuditCheck, StoreError> {
        let rows = self.tables.acts.rows.len() + self.tables.audited_refusals.rows.len();
        let mut expected = expected.iter();
        let found = expected.find_map(|head| self.tables.look_for(*head));
        Ok(found.unwrap_or(AuditCheck::Intact { rows: rows as u64 }))
    }

    fn last_act_before(&mut self, before: Timestamp) -> Result<AuditHead, StoreError> {
        let acts = &self.tables.acts;
        let rows = acts.rows.iter();
        let old = rows.take_while(|(_, (entry, _))| entry.time < before);
        let last = old.last();
        Ok(last.map_or(acts.anchor, |(id, (_, hash))| AuditHead {
            id: *id,
            hash: *hash,
        }))
    }

    fn append_audit(
        &mut self,
        chain: AuditChain,
        entries: &[AuditEntry],
    ) -> Result<(), StoreError> {
        self.tables.append_audit(chain, entries);
        Ok(())
    }

    fn count_audited_refusals(&mut self) -> Result<u64, StoreError> {
        Ok(self.tables.audited_refusals.rows.len() as u64)
    }

    fn cut_audit(
        &mut self,
        chain: AuditChain,
        most: usize,
        is_old: &mut dyn FnMut(i64, Timestamp) -> bool,
    ) -> Result<usize, StoreError> {
        let chain = self.tables.chain(chain);
        let cut = chain
            .rows
            .take_first(most, |id, (entry, _)| is_old(*id, entry.time));
        if let Some((id, (_, hash))) = cut.last() {
            chain.anchor = AuditHead {
                id: *id,
                hash: *hash,
            };
        }
        Ok(cut.len())
    }
}

fn row_of(id: Option<i64>, entry: AuditEntry) -> AuditRow {
    AuditRow { id, entry }
}
