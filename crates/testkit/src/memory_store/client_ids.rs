//! The records of client ids, and what is left of those that were pruned.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::ownership::{Holder, Kept, StoredSession};
use countersign_core::store::StoreError;
use countersign_core::store::rows::{
    ArrivalRow, ClientIdCounts, ClientIdRecord, ClientIdRows, ClientIdsOf,
};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::credentials::bound_client_id;
use super::tables::{Tables, key_of};

impl Tables {
    /// What is recorded about a client id.
    fn client_id_record(&self, id: &ClientIdTie) -> Option<ClientIdRecord> {
        let mut record = self.client_ids.get(key_of(id))?.clone();
        if let Some(credential) = record.credential {
            let row = self.credentials.get(&credential);
            let state = row.map(|row| row.credential.state);
            record.session.holder = Holder::recorded(credential, state);
        }
        Some(record)
    }

    /// What is recorded about the stored session of a client id, pruned or not.
    pub(super) fn stored_session(&self, id: &ClientIdTie) -> Option<StoredSession> {
        match self.client_id_record(id) {
            Some(record) => Some(record.session),
            None => {
                let holder = self.pruned_client_ids.get(key_of(id));
                holder.copied().map(StoredSession::pruned)
            }
        }
    }

    /// Gives up, on behalf of whoever holds them, all client ids whose records are
    /// meant.
    pub(super) fn give_up_client_ids(&mut self, is_meant: impl Fn(&ClientIdRecord) -> bool) {
        let changed = self.client_ids.change_where(is_meant, give_up);
        self.session_changes += as_i64(changed);
    }
}

impl ClientIdRows for MemoryTransaction<'_> {
    fn client_id_record(&mut self, id: &ClientIdTie) -> Result<Option<ClientIdRecord>, StoreError> {
        Ok(self.tables.client_id_record(id))
    }

    fn put_client_id_record(
        &mut self,
        id: &ClientIdTie,
        record: &ClientIdRecord,
    ) -> Result<(), StoreError> {
        if self.tables.client_ids.contains_key(key_of(id)) {
            self.tables.session_changes += 1;
        }
        self.tables.client_ids.put(*key_of(id), record.clone());
        Ok(())
    }

    fn remove_client_id_record(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        if self.tables.client_ids.remove(key_of(id)) {
            self.tables.session_changes += 1;
        }
        Ok(())
    }

    fn touch_client_id(
        &mut self,
        id: &ClientIdTie,
        credential: Option<CredentialId>,
        broker: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_due = |record: &ClientIdRecord| {
            record.credential == credential && record.session.last_used_at < at
        };
        let ids = &mut self.tables.client_ids;
        if !ids.get(key_of(id)).is_some_and(is_due) {
            return Ok(false);
        }
        if let Some(record) = ids.row(key_of(id)) {
            record.session.last_used_at = at;
            record.broker = broker.into();
        }
        Ok(true)
    }

    fn put_arrival(&mut self, id: &ClientIdTie, arrival: &ArrivalRow) -> Result<(), StoreError> {
        self.tables.arrivals.put(*key_of(id), arrival.clone());
        Ok(())
    }

    fn remove_arrival(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        self.tables.arrivals.remove(key_of(id));
        Ok(())
    }

    fn arrivals_at(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, bool)>, StoreError> {
        let arrivals = self.tables.arrivals.iter();
        let of_broker = arrivals.filter(|(_, arrival)| arrival.broker == broker);
        let found = of_broker.map(|(id, arrival)| (ClientIdTie(*id), arrival.is_own));
        Ok(found.take(most).collect())
    }

    fn pruned_client_id(&mut self, id: &ClientIdTie) -> Result<Option<Holder>, StoreError> {
        Ok(self.tables.pruned_client_ids.get(key_of(id)).copied())
    }

    fn put_pruned_client_id(&mut self, id: &ClientIdTie, holder: Holder) -> Result<(), StoreError> {
        if self.tables.pruned_client_ids.contains_key(key_of(id)) {
            self.tables.session_changes += 1;
        }
        self.tables.pruned_client_ids.put(*key_of(id), holder);
        Ok(())
    }

    fn remove_pruned_client_id(&mut self, id: &ClientIdTie) -> Result<(), StoreError> {
        if self.tables.pruned_client_ids.remove(key_of(id)) {
            self.tables.session_changes += 1;
        }
        Ok(())
    }

    fn bound_to(&mut self, id: &ClientIdTie) -> Result<Option<CredentialId>, StoreError> {
        Ok(self.tables.bound_to(id))
    }

    fn is_bound_to_another(
        &mut self,
        id: &ClientIdTie,
        claimant: Option<CredentialId>,
    ) -> Result<bool, StoreError> {
        let another = self.tables.find(|credential| {
            bound_client_id(credential) == Some(*id) && Some(credential.id) != claimant
        });
        Ok(another.is_some())
    }

    fn count_client_ids_of(
        &mut self,
        whose: ClientIdsOf<'_>,
        since: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        let is_counted = |record: &&ClientIdRecord| {
            let session = &record.session;
            let is_whose = match whose {
                ClientIdsOf::StoredBy(id) => {
                    record.credential == Some(id) && session.kept == Kept::Own
                }
                ClientIdsOf::UsedBy(id) => {
                    record.credential == Some(id) && session.kept != Kept::Own
                }
                ClientIdsOf::Unauthenticated(tenant) => {
                    record.credential.is_none()
                        && session.holder == Holder::Unauthenticated
                        && session.tenant.as_ref() == tenant
                }
            };
            is_whose && session.first_used_at > since
        };
        let count = self.tables.client_ids.values().filter(is_counted).count();
        Ok(u32::try_from(count).unwrap_or(u32::MAX).min(most))
    }

    fn count_client_ids(&mut self) -> Result<ClientIdCounts, StoreError> {
        Ok(ClientIdCounts {
            records: self.tables.client_ids.len() as u64,
            pruned: self.tables.pruned_client_ids.len() as u64,
        })
    }

    fn client_ids_unused_since(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError> {
        let ids = self.tables.client_ids.iter();
        let unused = ids.filter(|(_, record)| record.session.last_used_at < at);
        let mut unused: Vec<_> = unused.collect();
        unused.sort_by_key(|(_, record)| record.session.last_used_at);
        let ties = unused.into_iter().map(|(id, _)| ClientIdTie(*id));
        Ok(ties.take(most).collect())
    }

    fn client_ids_used_after(
        &mut self,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<ClientIdTie>, StoreError> {
        let ids = &self.tables.client_ids;
        let used = ids.keys_where(most, |_, record| record.session.last_used_at > at);
        Ok(used.into_iter().map(ClientIdTie).collect())
    }

    fn set_last_use(&mut self, id: &ClientIdTie, at: Timestamp) -> Result<(), StoreError> {
        if let Some(ClientIdRecord { session, .. }) = self.tables.client_ids.row(key_of(id)) {
            session.last_used_at = at;
            session.first_used_at = session.first_used_at.min(at);
        }
        Ok(())
    }

    fn release_unauthenticated(&mut self, tenant: &TenantId) -> Result<(), StoreError> {
        self.tables.give_up_client_ids(|record| {
            record.credential.is_none()
                && record.session.holder == Holder::Unauthenticated
                && record.session.tenant.as_ref() == Some(tenant)
        });
        Ok(())
    }
}

fn give_up(record: &mut ClientIdRecord) {
    record.credential = None;
    record.session.holder = Holder::Former;
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
