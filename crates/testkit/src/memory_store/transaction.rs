//! Transactions of brokers and of administrators.

use std::time::Duration;

use countersign_core::ledger::{Durability, Ledger, LedgerTransaction, Pace};
use countersign_core::metrics::BrokerMetrics;
use countersign_core::seal::SealKey;
use countersign_core::store::rows::SettingRows;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, Settings, StoreError};

use super::{MemoryStore, MemoryTransaction};

impl AdminStore for MemoryStore {
    type Transaction<'a> = MemoryTransaction<'a>;

    fn begin(&mut self, intent: Intent) -> Result<MemoryTransaction<'_>, StoreError> {
        match intent {
            Intent::Read => Ok(self.looking()),
            Intent::Write => self.writing("begin", ADMIN_WAIT),
        }
    }

    fn sync_commits(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Ledger for MemoryStore {
    type Writing<'a> = MemoryTransaction<'a>;

    fn begin_writing(
        &mut self,
        action: &'static str,
        pace: Pace,
    ) -> Result<MemoryTransaction<'_>, StoreError> {
        let patience = match pace {
            Pace::Host => HOST_WAIT,
            Pace::Journal => JOURNAL_WAIT,
        };
        self.writing(action, patience)
    }
}

impl LedgerTransaction for MemoryTransaction<'_> {
    fn commit_surviving(self, _durability: Durability) -> Result<(), StoreError> {
        self.put_in_place()
    }
}

impl AdminTransaction for MemoryTransaction<'_> {
    fn seal_key(&self) -> Option<SealKey> {
        None
    }

    fn broker_metrics(&self, broker: &str) -> Option<BrokerMetrics> {
        let is_alive = self.shared.brokers().contains(broker);
        let kept = self.shared.metrics();
        kept.get(broker).filter(|_| is_alive).cloned()
    }
}

impl SettingRows for MemoryTransaction<'_> {
    fn settings(&mut self) -> Result<Settings, StoreError> {
        Ok(self.tables.settings)
    }

    fn set_settings(&mut self, settings: &Settings) -> Result<(), StoreError> {
        self.tables.settings = *settings;
        Ok(())
    }
}

const ADMIN_WAIT: Duration = Duration::from_secs(5);

const HOST_WAIT: Duration = Duration::from_millis(20);

/// How long a broker waits off the host's thread.
pub(super) const JOURNAL_WAIT: Duration = Duration::from_secs(1);
