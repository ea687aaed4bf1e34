//! One transaction of a broker.

use std::time::Instant;

use countersign_core::audit::{AuditChain, AuditEntry};
use countersign_core::change::{Change, KickRequestId};
use countersign_core::ledger::{AnsweredKick, Durability, Ledger, LedgerTransaction, Pace};
use countersign_core::store::{Intent, Settings, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::Connection;

use crate::busy_timeout::{BATCH_WAIT, BusyTimeout, GATE_WAIT, yield_write_lock};
use crate::error::Fault;
use crate::open::SqliteStore;
use crate::{audit, changes, kicks, read_rows, transaction};

/// One transaction of a broker on a [`SqliteStore`]. Dropped without
/// [`LedgerTransaction::commit`], it never happened.
#[derive(Debug)]
pub struct SqliteWriting<'a> {
    store: &'a mut SqliteStore,
    action: &'static str,
    pace: Pace,
}

impl Ledger for SqliteStore {
    type Writing<'a> = SqliteWriting<'a>;

    fn begin_writing(
        &mut self,
        action: &'static str,
        pace: Pace,
    ) -> Result<SqliteWriting<'_>, StoreError> {
        if pace == Pace::Journal {
            // The host can't wait for that.
            yield_write_lock(self.wrote_at);
        }
        self.check_is_no_copy()?;
        self.check(action)?;
        let _patience = BusyTimeout::of(wait_of(pace));
        let begun = match pace {
            Pace::Host => self.checkpoint_on_commit(false),
            Pace::Journal => Ok(()),
        };
        begun
            .and_then(|()| transaction::begin(&self.connection, Intent::Write))
            .map_err(|error| Fault::from(error).while_trying(action, &self.path))?;
        Ok(SqliteWriting {
            store: self,
            action,
            pace,
        })
    }
}

impl SqliteWriting<'_> {
    /// Takes one step.
    pub(crate) fn run<T>(
        &self,
        step: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let _patience = BusyTimeout::of(wait_of(self.pace));
        let done = step(&self.store.connection);
        done.map_err(|fault| fault.while_trying(self.action, &self.store.path))
    }
}

impl Drop for SqliteWriting<'_> {
    fn drop(&mut self) {
        transaction::roll_back(&self.store.connection);
        if self.pace == Pace::Journal {
            self.store.wrote_at = Some(Instant::now());
        }
    }
}

impl LedgerTransaction for SqliteWriting<'_> {
    fn settings(&mut self) -> Result<Settings, StoreError> {
        self.run(read_rows::settings)
    }

    fn append_audit(
        &mut self,
        chain: AuditChain,
        entries: &[AuditEntry],
    ) -> Result<(), StoreError> {
        self.run(|connection| audit::append(connection, chain, entries))
    }

    fn append_change(&mut self, at: Timestamp, change: &Change) -> Result<(), StoreError> {
        self.run(|connection| changes::append(connection, at, change))
    }

    fn answer_kick(&mut self, id: KickRequestId) -> Result<Option<AnsweredKick>, StoreError> {
        self.run(|connection| kicks::answer(connection, id))
    }

    fn commit(self, durability: Durability) -> Result<(), StoreError> {
        self.run(|connection| Ok(transaction::commit(connection)?))?;
        match durability {
            Durability::Kill => Ok(()),
            Durability::PowerFailure => self.store.sync(self.action),
        }
    }
}

fn wait_of(pace: Pace) -> core::time::Duration {
    match pace {
        Pace::Host => GATE_WAIT,
        Pace::Journal => BATCH_WAIT,
    }
}
