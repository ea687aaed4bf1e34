//! One transaction on a store, of a broker or of an administrator.

use std::cell::Cell;
use std::time::Duration;

use countersign_core::ledger::{Durability, Ledger, LedgerTransaction, Pace};
use countersign_core::metrics::BrokerMetrics;
use countersign_core::seal::SealKey;
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError, StoreErrorKind};

use crate::error::{Fault, unknown};
use crate::link::{ADMIN_LIMIT, GATE_LIMIT};
use crate::locks;
use crate::metrics;
use crate::sql::Connection;
use crate::store::{LOOK, PostgresStore};

/// One transaction on a [`PostgresStore`]. Dropped without a commit, it never happened.
///
/// One that writes holds a lock that every other one waits for, from its first statement to
/// its end. So it may look something up and rely on that, and the numbers of the logs have
/// no gaps: nobody sees one before those before it are committed.
#[derive(Debug)]
pub struct PostgresTransaction<'a> {
    store: &'a mut PostgresStore,
    /// What an error says could not be done; none where each step says it.
    action: Option<&'static str>,
    /// Whether a step failed, so that PostgreSQL takes no other.
    has_failed: Cell<bool>,
    is_over: bool,
}

impl AdminStore for PostgresStore {
    type Transaction<'a> = PostgresTransaction<'a>;

    fn begin(&mut self, intent: Intent) -> Result<PostgresTransaction<'_>, StoreError> {
        begin(self, "begin", intent, ADMIN_WAIT, ADMIN_LIMIT)?;
        Ok(PostgresTransaction::of(self, None))
    }

    /// Each commit has reached the disk when it returns.
    fn sync_commits(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Ledger for PostgresStore {
    type Writing<'a> = PostgresTransaction<'a>;

    fn begin_writing(
        &mut self,
        action: &'static str,
        pace: Pace,
    ) -> Result<PostgresTransaction<'_>, StoreError> {
        let (wait, limit) = match pace {
            Pace::Host => (GATE_WAIT, GATE_LIMIT),
            Pace::Journal => (JOURNAL_WAIT, ADMIN_LIMIT),
        };
        begin(self, action, Intent::Write, wait, limit)?;
        Ok(PostgresTransaction::of(self, Some(action)))
    }
}

/// Begins a transaction, on another connection where this one was lost: nothing was done.
fn begin(
    store: &mut PostgresStore,
    action: &'static str,
    intent: Intent,
    wait: Duration,
    limit: Duration,
) -> Result<(), StoreError> {
    let was_used = !store.connection.link.is_lost();
    let statements = match intent {
        Intent::Read => LOOK.to_owned(),
        // Each statement sees what is committed when it begins: to look before the lock
        // is had would be to look too early.
        Intent::Write => format!(
            "BEGIN; SET LOCAL lock_timeout = {}; SELECT pg_advisory_xact_lock({})",
            wait.as_millis(),
            locks::writer()
        ),
    };
    store.be_connected(action)?;
    store.connection.link.limit(limit);
    let mut begun = store.connection.run(&statements);
    if was_used && matches!(begun, Err(Fault::Lost)) {
        store.be_connected(action)?;
        store.connection.link.limit(limit);
        begun = store.connection.run(&statements);
    }
    begun.map_err(|fault| {
        roll_back(&store.connection);
        fault.while_trying(action, store.place())
    })
}

fn roll_back(connection: &Connection) {
    if !connection.link.is_lost() && connection.run("ROLLBACK").is_err() {
        // What it still holds ends with the connection.
        connection.link.give_up();
    }
}

impl<'a> PostgresTransaction<'a> {
    fn of(store: &'a mut PostgresStore, action: Option<&'static str>) -> Self {
        Self {
            store,
            action,
            has_failed: Cell::new(false),
            is_over: false,
        }
    }

    /// Takes one step; where it fails, `action` could not be done, unless the
    /// transaction says what could not.
    pub(crate) fn run<T>(
        &self,
        action: &'static str,
        step: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let done = step(&self.store.connection);
        done.map_err(|fault| {
            if fault.is_postgres() {
                self.has_failed.set(true);
            }
            fault.while_trying(self.action.unwrap_or(action), self.store.place())
        })
    }

    /// The store.
    pub(crate) fn store(&self) -> &PostgresStore {
        self.store
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            roll_back(&self.store.connection);
        }
    }
}

impl LedgerTransaction for PostgresTransaction<'_> {
    fn commit_surviving(mut self, _durability: Durability) -> Result<(), StoreError> {
        let action = self.action.unwrap_or(COMMIT);
        if self.has_failed.get() {
            // PostgreSQL would take it for a roll-back, and say so to nobody.
            return Err(StoreError::new(action, StoreErrorKind::Unavailable)
                .with_detail("a step of it failed; nothing was done"));
        }
        let done = self.store.connection.run(COMMIT_IT);
        self.is_over = true;
        done.map_err(|fault| {
            if matches!(fault, Fault::Lost) {
                return unknown(action, self.store.place());
            }
            roll_back(&self.store.connection);
            fault.while_trying(action, self.store.place())
        })
    }
}

impl AdminTransaction for PostgresTransaction<'_> {
    fn seal_key(&self) -> Option<SealKey> {
        self.store.key_file.read().key
    }

    fn broker_metrics(&self, broker: &str) -> Option<BrokerMetrics> {
        let read = self.run("look up what a broker counts", |connection| {
            metrics::read(connection, broker)
        });
        read.ok().flatten()
    }
}

/// What an act does at its end, as errors say.
pub(crate) const COMMIT: &str = "commit";

/// Whoever remembers something looks at the number of commits that changed anything.
const COMMIT_IT: &str = "UPDATE log_end SET last = last + 1
    WHERE log = 'commit' AND pg_current_xact_id_if_assigned() IS NOT NULL; COMMIT";

/// What a login waits for the lock: less than its client would notice, and more than on one
/// machine, for each that waits has a network between it and the next one.
const GATE_WAIT: Duration = Duration::from_millis(100);

/// What a gate waits for the lock off the broker's thread.
const JOURNAL_WAIT: Duration = Duration::from_secs(1);

/// What an administrator's act waits for the lock.
const ADMIN_WAIT: Duration = Duration::from_secs(5);
