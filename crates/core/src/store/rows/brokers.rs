//! The brokers that use a store.

use crate::broker::BrokerRecord;
use crate::store::{Keyed, Listed, Page, StoreError};
use crate::time::Timestamp;

/// What a store knows of a broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownBroker {
    /// What it wrote down about itself.
    pub record: BrokerRecord,
    /// Whether it is alive: whether its lock is held.
    pub is_alive: bool,
    /// How many sessions it has, or left behind as connected when it ended.
    pub sessions: u64,
}

impl Keyed for KnownBroker {
    type Key = String;

    fn key(&self) -> String {
        self.record.name.clone()
    }
}

/// The brokers that use a store.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait BrokerRows {
    /// The brokers, by name.
    ///
    /// # Errors
    ///
    /// See [`BrokerRows`].
    fn brokers(&mut self, page: &Page<String>) -> Result<Listed<KnownBroker>, StoreError>;

    /// How many brokers there are, alive or not.
    ///
    /// # Errors
    ///
    /// See [`BrokerRows`].
    fn count_brokers(&mut self) -> Result<u64, StoreError>;

    /// The broker with this name.
    ///
    /// # Errors
    ///
    /// See [`BrokerRows`].
    fn broker(&mut self, name: &str) -> Result<Option<KnownBroker>, StoreError>;

    /// Adds what a broker says about itself, in place of what it said before.
    ///
    /// # Errors
    ///
    /// See [`BrokerRows`].
    fn put_broker(&mut self, broker: &BrokerRecord) -> Result<(), StoreError>;

    /// Takes note that a broker runs; says whether there is one with this name.
    ///
    /// # Errors
    ///
    /// See [`BrokerRows`].
    fn note_broker(&mut self, name: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Removes a broker; says whether there was one with this name.
    ///
    /// # Errors
    ///
    /// See [`BrokerRows`].
    fn remove_broker(&mut self, name: &str) -> Result<bool, StoreError>;
}
