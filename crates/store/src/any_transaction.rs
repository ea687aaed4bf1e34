//! One transaction, on whichever store.

use countersign_core::ledger::{Durability, LedgerTransaction};
use countersign_core::metrics::BrokerMetrics;
use countersign_core::seal::SealKey;
use countersign_core::store::{AdminTransaction, StoreError};
use countersign_postgres::PostgresTransaction;
use countersign_sqlite::SqliteTransaction;

/// One transaction on an [`AnyStore`](crate::AnyStore). Dropped without a commit, it never
/// happened.
#[derive(Debug)]
pub enum AnyTransaction<'a> {
    /// On a store in a file.
    File(SqliteTransaction<'a>),
    /// On a store in a PostgreSQL database.
    Postgres(PostgresTransaction<'a>),
}

impl LedgerTransaction for AnyTransaction<'_> {
    fn commit_surviving(self, durability: Durability) -> Result<(), StoreError> {
        match self {
            Self::File(transaction) => transaction.commit_surviving(durability),
            Self::Postgres(transaction) => transaction.commit_surviving(durability),
        }
    }
}

impl AdminTransaction for AnyTransaction<'_> {
    fn seal_key(&self) -> Option<SealKey> {
        match self {
            Self::File(transaction) => transaction.seal_key(),
            Self::Postgres(transaction) => transaction.seal_key(),
        }
    }

    fn broker_metrics(&self, broker: &str) -> Option<BrokerMetrics> {
        match self {
            Self::File(transaction) => transaction.broker_metrics(broker),
            Self::Postgres(transaction) => transaction.broker_metrics(broker),
        }
    }
}
