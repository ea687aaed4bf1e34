//! The brokers that use the store.

use countersign_core::broker::BrokerRecord;
use countersign_core::store::rows::{BrokerRows, KnownBroker};
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::table::page_of;

impl MemoryTransaction<'_> {
    fn known(&self, record: &BrokerRecord) -> KnownBroker {
        let is_alive = self.shared.brokers().contains(&record.name);
        let sessions = self.sessions_where(|broker, _| broker == record.name);
        KnownBroker {
            record: record.clone(),
            is_alive,
            sessions: sessions.len() as u64,
        }
    }
}

impl BrokerRows for MemoryTransaction<'_> {
    fn brokers(&mut self, page: &Page<String>) -> Result<Listed<KnownBroker>, StoreError> {
        let records = self.tables.brokers.values();
        let known = records.map(|record| self.known(record)).collect();
        Ok(page_of(known, page))
    }

    fn count_brokers(&mut self) -> Result<u64, StoreError> {
        Ok(self.tables.brokers.len() as u64)
    }

    fn broker(&mut self, name: &str) -> Result<Option<KnownBroker>, StoreError> {
        let record = self.tables.brokers.get(&name.to_owned());
        Ok(record.map(|record| self.known(record)))
    }

    fn put_broker(&mut self, broker: &BrokerRecord) -> Result<(), StoreError> {
        self.tables.brokers.put(broker.name.clone(), broker.clone());
        Ok(())
    }

    fn note_broker(&mut self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        let record = self.tables.brokers.row(&name.to_owned());
        Ok(record.map(|record| record.last_seen = at).is_some())
    }

    fn remove_broker(&mut self, name: &str) -> Result<bool, StoreError> {
        Ok(self.tables.brokers.remove(&name.to_owned()))
    }
}
