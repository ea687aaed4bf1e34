//! A store in memory, as simple as a store can be.
//!
//! It shows what a store has to do and what not: it holds rows and no rules. It
//! passes the store suite ([`mod@crate::store_suite`]) as the store that is shipped
//! does, so whatever else the two had in common would be a rule at the wrong place.
//!
//! A transaction works on tables of its own. One that writes has the writer's turn
//! meanwhile, and puts its tables in the place of those that all others see when it
//! commits; dropped before, it never happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use countersign_core::metrics::BrokerMetrics;
use countersign_core::store::{Settings, StoreError, StoreErrorKind};

use self::tables::Tables;
use self::turn::{Turn, Turns, whatever_happened};

pub use self::gate::MemoryBrokerLock;

mod api_tokens;
mod audit;
mod authorities;
mod bans;
mod brokers;
mod certificates;
mod changes;
mod client_ids;
mod control_notes;
mod credential_rows;
mod credentials;
mod errors;
mod followers;
mod gate;
mod hooks;
mod imports;
mod issuers;
mod kicks;
mod lockouts;
mod presence;
mod references;
mod refusals;
mod registrations;
mod roles;
mod schemes;
mod secrets;
mod table;
mod tables;
mod tenants;
mod tokens;
mod transaction;
mod turn;
mod users;
mod web_sessions;

/// A store in memory. What [`GateStore::reopen`] makes of it is the same store.
///
/// [`GateStore::reopen`]: countersign_core::store::GateStore::reopen
#[derive(Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let tables = Tables {
            settings: *settings,
            ..Tables::default()
        };
        let committed = Committed { tables, commits: 0 };
        Self {
            shared: Arc::new(Shared {
                committed: Mutex::new(committed),
                turns: Turns::default(),
                brokers: Mutex::default(),
                metrics: Mutex::default(),
            }),
        }
    }

    /// The tables as they were committed last.
    fn tables(&self) -> Tables {
        self.shared.committed().tables.clone()
    }

    /// Begins to look.
    fn looking(&self) -> MemoryTransaction<'_> {
        MemoryTransaction {
            shared: &self.shared,
            tables: self.tables(),
            turn: None,
        }
    }

    /// Begins to write, once it is this connection's turn.
    fn writing(
        &self,
        action: &'static str,
        patience: Duration,
    ) -> Result<MemoryTransaction<'_>, StoreError> {
        let busy = || {
            let detail = "another transaction has not ended; try again";
            StoreError::new(action, StoreErrorKind::Busy).with_detail(detail)
        };
        let turn = self.shared.turns.take(patience).ok_or_else(busy)?;
        Ok(MemoryTransaction {
            turn: Some(turn),
            ..self.looking()
        })
    }
}

/// One transaction on a [`MemoryStore`], of a broker or of an administrator.
#[derive(Debug)]
pub struct MemoryTransaction<'a> {
    shared: &'a Shared,
    tables: Tables,
    /// None of one that may only look.
    turn: Option<Turn<'a>>,
}

impl MemoryTransaction<'_> {
    /// Puts its tables in the place of those that were committed last.
    fn put_in_place(self) -> Result<(), StoreError> {
        let mut committed = self.shared.committed();
        if committed.tables == self.tables {
            return Ok(());
        }
        if self.turn.is_none() {
            return Err(StoreError::new("commit", StoreErrorKind::ReadOnly));
        }
        committed.tables = self.tables;
        committed.commits += 1;
        Ok(())
    }
}

/// What all connections to a store share.
#[derive(Debug)]
struct Shared {
    committed: Mutex<Committed>,
    turns: Turns,
    /// The names of live brokers.
    brokers: Mutex<BTreeSet<String>>,
    /// What brokers count.
    metrics: Mutex<BTreeMap<String, BrokerMetrics>>,
}

impl Shared {
    fn committed(&self) -> MutexGuard<'_, Committed> {
        whatever_happened(&self.committed)
    }

    fn brokers(&self) -> MutexGuard<'_, BTreeSet<String>> {
        whatever_happened(&self.brokers)
    }

    fn metrics(&self) -> MutexGuard<'_, BTreeMap<String, BrokerMetrics>> {
        whatever_happened(&self.metrics)
    }
}

/// What was committed last.
#[derive(Debug)]
struct Committed {
    tables: Tables,
    /// How many commits changed anything.
    commits: u64,
}
