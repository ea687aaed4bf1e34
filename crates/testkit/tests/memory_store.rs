//! What every store must do, done by one in memory.

#![cfg(test)]

use countersign_core::store::Settings;
use countersign_testkit::MemoryStore;

countersign_testkit::store_suite!((MemoryStore::new(&Settings::default()), ()));
