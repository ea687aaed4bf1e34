//! The store of Countersign, wherever it lies: in a file, or in a PostgreSQL database.
//!
//! [`AnyStore`] is either, and hands every port of the core on to what is really there. What
//! only one of them has is a method that says so where it is asked of the other.

mod any_store;
mod any_transaction;
mod delegate;
mod filling;
mod rows;

pub use any_store::{AnyBrokerLock, AnyStore};
pub use any_transaction::AnyTransaction;
pub use countersign_postgres::ServerFacts;
