//! One transaction on a store, of a broker or of an administrator.

use std::time::{Duration, Instant};

use countersign_core::ledger::{Durability, Ledger, LedgerTransaction, Pace};
use countersign_core::metrics::BrokerMetrics;
use countersign_core::seal::SealKey;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};
use rusqlite::Connection;

use crate::busy_timeout::{ADMIN_WAIT, BATCH_WAIT, BusyTimeout, GATE_WAIT, LONGEST_HELD};
use crate::error::Fault;
use crate::replication;
use crate::store::{CHECKPOINT_PAGES, CHECKPOINT_PAGES_OF_MANY, SqliteStore};
use crate::transaction_guard as guard;

/// One transaction on a [`SqliteStore`]. Dropped without a commit, it never
/// happened.
#[derive(Debug)]
pub struct SqliteTransaction<'a> {
    store: &'a mut SqliteStore,
    intent: Intent,
    /// When it took the write lock, until it has given it back; none where the host
    /// waits for it, so that it lets no other writer go first.
    locked_at: Option<Instant>,
    /// What an error says could not be done; none where each step says it.
    action: Option<&'static str>,
    /// How long each step waits for SQLite's lock.
    wait: Duration,
}

impl AdminStore for SqliteStore {
    type Transaction<'a> = SqliteTransaction<'a>;

    fn begin(&mut self, intent: Intent) -> Result<SqliteTransaction<'_>, StoreError> {
        let action = "begin";
        self.check(action)?;
        let _patience = BusyTimeout::of(ADMIN_WAIT);
        let begun = match intent {
            Intent::Read => guard::begin(&self.connection, intent),
            Intent::Write => {
                self.check_is_no_copy()?;
                replication::check_is_none(self)?;
                self.turns.wait(LONGEST_HELD);
                let pages = self.checkpoint_pages.max(CHECKPOINT_PAGES);
                self.checkpoint_on_commit(pages)
                    .and_then(|()| guard::begin(&self.connection, intent))
            }
        };
        begun.map_err(|error| Fault::from(error).while_trying(action, &self.path))?;
        Ok(SqliteTransaction {
            store: self,
            intent,
            locked_at: match intent {
                Intent::Read => None,
                Intent::Write => Some(Instant::now()),
            },
            action: None,
            wait: ADMIN_WAIT,
        })
    }

    fn sync_commits(&mut self) -> Result<(), StoreError> {
        // What comes next is one act alone.
        self.checkpoint_on_commit(CHECKPOINT_PAGES)
            .map_err(|error| Fault::from(error).while_trying(COMMIT, &self.path))?;
        self.sync(COMMIT)
    }
}

impl Ledger for SqliteStore {
    type Writing<'a> = SqliteTransaction<'a>;

    fn begin_writing(
        &mut self,
        action: &'static str,
        pace: Pace,
    ) -> Result<SqliteTransaction<'_>, StoreError> {
        let (wait, is_on_hosts_thread) = match pace {
            Pace::Host => (GATE_WAIT, true),
            Pace::Journal => (BATCH_WAIT, false),
        };
        if !is_on_hosts_thread {
            self.turns.wait(Duration::ZERO);
        }
        self.check_is_no_copy()?;
        self.check(action)?;
        let _patience = BusyTimeout::of(wait);
        let ready = if is_on_hosts_thread {
            self.checkpoint_on_commit(0)
        } else {
            Ok(())
        };
        ready
            .and_then(|()| guard::begin(&self.connection, Intent::Write))
            .map_err(|error| Fault::from(error).while_trying(action, &self.path))?;
        Ok(SqliteTransaction {
            store: self,
            intent: Intent::Write,
            locked_at: (!is_on_hosts_thread).then(Instant::now),
            action: Some(action),
            wait,
        })
    }
}

impl SqliteTransaction<'_> {
    /// Takes one step; where it fails, `action` could not be done, unless the
    /// transaction says what could not.
    pub(crate) fn run<T>(
        &self,
        action: &'static str,
        step: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _patience = BusyTimeout::of(self.wait);
        let action = self.action.unwrap_or(action);
        self.store.believe(action, step(&self.store.connection))
    }

    /// Takes note that the write lock is given back.
    fn give_back(&mut self) {
        if let Some(locked_at) = self.locked_at.take() {
            self.store.turns.give_back(locked_at);
        }
    }

    /// The store.
    pub(crate) fn store(&self) -> &SqliteStore {
        self.store
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        guard::roll_back(&self.store.connection);
        self.give_back();
    }
}

impl LedgerTransaction for SqliteTransaction<'_> {
    fn commit_surviving(mut self, durability: Durability) -> Result<(), StoreError> {
        let is_administrators = self.intent == Intent::Write && self.action.is_none();
        if is_administrators && durability == Durability::Kill {
            let pages = self.store.checkpoint_on_commit(CHECKPOINT_PAGES_OF_MANY);
            pages.map_err(|error| Fault::from(error).while_trying(COMMIT, &self.store.path))?;
        }
        self.run(COMMIT, |connection| {
            self.store.watch.check_index()?;
            Ok(guard::commit(connection)?)
        })?;
        self.give_back();
        match (self.intent, durability) {
            (Intent::Read, _) | (Intent::Write, Durability::Kill) => Ok(()),
            (Intent::Write, Durability::PowerFailure) => {
                self.store.sync(self.action.unwrap_or(COMMIT))
            }
        }
    }
}

impl AdminTransaction for SqliteTransaction<'_> {
    fn seal_key(&self) -> Option<SealKey> {
        self.store.key_file.read(&self.store.path).key
    }

    fn broker_metrics(&self, broker: &str) -> Option<BrokerMetrics> {
        self.store.read_metrics(broker)
    }
}

/// What an act does at its end, as errors say.
pub(crate) const COMMIT: &str = "commit";
