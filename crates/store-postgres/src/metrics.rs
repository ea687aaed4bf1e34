//! What brokers count, as each put it last.

use countersign_core::metrics::BrokerMetrics;

use crate::error::Fault;
use crate::locks;
use crate::sql::Connection;

/// Writes down what a broker counts.
pub(crate) fn put(
    connection: &Connection,
    broker: &str,
    metrics: &BrokerMetrics,
) -> Result<(), Fault> {
    connection
        .prepare(
            "INSERT INTO broker_metrics (broker, metrics) VALUES ($1, $2)
             ON CONFLICT (broker) DO UPDATE SET metrics = excluded.metrics",
        )?
        .execute([broker, &metrics.to_json(broker)])?;
    Ok(())
}

/// Removes what a broker wrote.
pub(crate) fn remove(connection: &Connection, broker: &str) -> Result<(), Fault> {
    connection
        .prepare("DELETE FROM broker_metrics WHERE broker = $1")?
        .execute([broker])?;
    Ok(())
}

/// What a live broker counts; what one left behind that was killed is of the past.
pub(crate) fn read(connection: &Connection, broker: &str) -> Result<Option<BrokerMetrics>, Fault> {
    if !locks::is_alive(connection, broker)? {
        return Ok(None);
    }
    let statement = connection.prepare("SELECT metrics FROM broker_metrics WHERE broker = $1")?;
    let mut rows = statement.query([broker])?;
    Ok(match rows.next()? {
        Some(row) => {
            let text: String = row.get(0)?;
            BrokerMetrics::parse(text.as_bytes(), broker).ok()
        }
        None => None,
    })
}
