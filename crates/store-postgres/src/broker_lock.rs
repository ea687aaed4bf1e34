//! A broker's name, held by one live process at a time.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use countersign_core::store::{StoreError, StoreErrorKind};

use crate::address::Address;
use crate::error::Fault;
use crate::link::Link;
use crate::locks;
use crate::sql::Connection;
use crate::store::PostgresStore;

/// Holds a broker's name on a store until it is dropped.
///
/// A connection of its own has the lock, so that it is let go of however the process ends.
#[derive(Debug)]
pub struct BrokerLock {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

/// The name is free when this returns, if PostgreSQL answers.
impl Drop for BrokerLock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            // A thread that panicked has let go of it as well.
            let _ended = keeper.join();
        }
    }
}

impl PostgresStore {
    /// See [`GateStore::lock_broker`](countersign_core::store::GateStore::lock_broker).
    pub(crate) fn claim(&self, broker: &str) -> Result<BrokerLock, StoreError> {
        let action = "take the broker's name";
        let number = locks::of_broker(broker);
        let address = Address::clone(&self.address);
        let explain = |fault: Fault| fault.while_trying(action, &self.address.place);
        let mut held = take(&address, number).map_err(explain)?;
        if held.is_none() {
            return Err(
                StoreError::new(action, StoreErrorKind::Conflict).with_detail(format!(
                    "a live broker called `{broker}` uses {}; give this one another name \
                     with `plugin_opt_broker`",
                    self.address.place
                )),
            );
        }
        let (stop, stopped) = channel();
        let keeper = thread::Builder::new()
            .name("broker's name".into())
            .spawn(move || {
                while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    let is_held = held
                        .as_ref()
                        .is_some_and(|connection| connection.run("SELECT 1").is_ok());
                    if !is_held {
                        // It went with the connection, and nobody else may have it by now.
                        held = take(&address, number).ok().flatten();
                    }
                }
                if let Some(connection) = held {
                    // Else it goes when PostgreSQL notices that nobody is there.
                    let _ = connection.run("SELECT pg_advisory_unlock_all()");
                }
            })
            .map_err(|error| {
                StoreError::new(action, StoreErrorKind::Unavailable).with_source(error)
            })?;
        Ok(BrokerLock {
            stop: Some(stop),
            keeper: Some(keeper),
        })
    }

    /// See
    /// [`GateStore::is_broker_alive`](countersign_core::store::GateStore::is_broker_alive).
    pub(crate) fn is_alive(&self, broker: &str) -> bool {
        locks::is_alive(&self.connection, broker).unwrap_or(true)
    }
}

/// Takes a lock on a connection of its own; none where another has it.
fn take(address: &Address, number: i64) -> Result<Option<Connection>, Fault> {
    let connection = Connection::of(Link::open(address)?);
    let is_taken: bool = connection
        .prepare("SELECT pg_try_advisory_lock($1)")?
        .query_row([number], |row| row.get(0))?;
    Ok(is_taken.then_some(connection))
}

/// How soon a lock is taken again that went with its connection.
const LOOK_EVERY: Duration = Duration::from_secs(2);
