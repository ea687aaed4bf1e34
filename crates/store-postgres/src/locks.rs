//! The numbers of the locks that PostgreSQL holds for whoever is connected: that of writers,
//! that of the schema, and those of brokers' names.

use sha2::{Digest as _, Sha256};

use crate::error::Fault;
use crate::sql::Connection;

/// The lock that whoever writes holds until the end of the transaction.
pub(crate) fn writer() -> i64 {
    number("writer")
}

/// The lock that all hold together who use the schema, and whoever changes it alone.
pub(crate) fn schema() -> i64 {
    number("schema")
}

/// Says whether a live broker has this name.
pub(crate) fn is_alive(connection: &Connection, broker: &str) -> Result<bool, Fault> {
    // A lock's number stands there in two halves.
    let statement = connection.prepare(
        "SELECT 1 FROM pg_catalog.pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 1
             AND database = (SELECT oid FROM pg_catalog.pg_database
                             WHERE datname = current_database())
             AND (classid::bigint << 32 | objid::bigint) = $1",
    )?;
    statement.exists([of_broker(broker)])
}

/// The lock of a broker's name.
pub(crate) fn of_broker(name: &str) -> i64 {
    number(&format!("broker {name}"))
}

/// Stands for a lock. Other programs may have locks in the same database.
fn number(lock: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(format!("countersign {lock}")).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
