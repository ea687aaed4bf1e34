//! The brokers that use the store.

use countersign_core::broker::{BrokerRecord, ListenerOptions};
use countersign_core::presence::SessionNumber;
use countersign_core::store::rows::{BrokerRows, KnownBroker};
use countersign_core::store::{Listed, Page, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, Params, params, params_from_iter};

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

macro_rules! select_broker {
    () => {
        "SELECT name, host, version, plugin_version, since, last_seen, options,
             (SELECT count(*) FROM presence WHERE presence.broker = broker.name)
         FROM broker "
    };
}

impl SqliteTransaction<'_> {
    /// Says of each whether it is alive.
    fn with_life(&self, mut brokers: Vec<KnownBroker>) -> Vec<KnownBroker> {
        for broker in &mut brokers {
            broker.is_alive = self.store().is_alive(&broker.record.name);
        }
        brokers
    }
}

fn select(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<KnownBroker>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut brokers = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        brokers.push(KnownBroker {
            record: BrokerRecord {
                name: columns.text()?.into(),
                host: columns.maybe_text()?.map(Into::into),
                version: columns.maybe_text()?.map(Into::into),
                plugin_version: columns.maybe_text()?.map(Into::into),
                since: columns.maybe_instant()?,
                last_seen: columns.instant()?,
                options: columns.maybe_parsed(ListenerOptions::parse)?,
            },
            // Whoever hands it on looks.
            is_alive: false,
            sessions: columns.small()?,
        });
    }
    Ok(brokers)
}

impl BrokerRows for SqliteTransaction<'_> {
    fn brokers(&mut self, page: &Page<String>) -> Result<Listed<KnownBroker>, StoreError> {
        let query = PageQuery::of(concat!(select_broker!(), "WHERE true"));
        let after = page.after.as_ref().map(|name| [text(name)]);
        let (sql, values) = query.page(["name"], after, page.sought());
        self.run("list the brokers", |connection| {
            select(connection, &sql, params_from_iter(values))
        })
        .map(|brokers| page.listed(self.with_life(brokers)))
    }

    fn count_brokers(&mut self) -> Result<u64, StoreError> {
        self.run("count the brokers", |connection| {
            let mut statement = connection.prepare_cached("SELECT count(*) FROM broker")?;
            let mut rows = statement.query([])?;
            Ok(match rows.next()? {
                Some(row) => RowReader::of(row).small()?,
                None => 0,
            })
        })
    }

    fn broker(&mut self, name: &str) -> Result<Option<KnownBroker>, StoreError> {
        self.run("look up a broker", |connection| {
            select(connection, BROKER, [name])
        })
        .map(|found| self.with_life(found).pop())
    }

    fn put_broker(&mut self, broker: &BrokerRecord) -> Result<(), StoreError> {
        self.run("write down who a broker is", |connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO broker
                         (name, host, version, plugin_version, since, last_seen, options)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    broker.name,
                    broker.host,
                    broker.version,
                    broker.plugin_version,
                    broker.since.map(Timestamp::as_millis),
                    broker.last_seen.as_millis(),
                    broker.options.as_ref().map(ListenerOptions::to_json),
                ])?;
            Ok(())
        })
    }

    fn note_broker(&mut self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.run("write down that a broker runs", |connection| {
            let noted = connection
                .prepare_cached("UPDATE broker SET last_seen = ?2 WHERE name = ?1")?
                .execute(params![name, at.as_millis()])?;
            Ok(noted > 0)
        })
    }

    fn remove_broker(&mut self, name: &str) -> Result<bool, StoreError> {
        let removed = self.run("remove a broker", |connection| {
            let removed = connection
                .prepare_cached("DELETE FROM broker WHERE name = ?1")?
                .execute([name])?;
            Ok(removed > 0)
        })?;
        // Nobody reads it: the broker is not alive.
        self.store().discard_metrics(name);
        Ok(removed)
    }
}

/// The brokers that wrote down a session of this number.
pub(crate) fn with_session(
    connection: &Connection,
    SessionNumber(session): SessionNumber,
) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM broker WHERE EXISTS
             (SELECT 1 FROM presence WHERE presence.broker = broker.name AND session = ?1)",
    )?;
    let rows = statement.query_map([session], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const BROKER: &str = concat!(select_broker!(), "WHERE name = ?1");
