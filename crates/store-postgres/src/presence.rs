//! Who is connected.

use std::collections::{BTreeSet, HashMap};

use countersign_core::backoff::ip_of;
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::follower::FollowerName;
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::presence::{Presence, SessionNumber};
use countersign_core::store::rows::{Behind, JoinedPresence, PresenceRows};
use countersign_core::store::{BrokerPresence, Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::transaction::PostgresTransaction;

macro_rules! select_presence {
    () => {
        "SELECT broker, session, client_id, tie, username, credential, tenant, address, protocol,
             connected_at, authenticated, listener, stored, follower,
             (SELECT last_seen FROM follower WHERE follower.name = presence.follower)
         FROM presence "
    };
}

impl PostgresTransaction<'_> {
    /// Says of each session whether its broker is alive.
    fn told_apart(&self, mut sessions: Vec<BrokerPresence>) -> Vec<BrokerPresence> {
        let mut known: HashMap<String, bool> = HashMap::new();
        for session in &mut sessions {
            session.is_alive = match known.get(&session.broker) {
                Some(is_alive) => *is_alive,
                None => {
                    let is_alive = self.store().is_alive(&session.broker);
                    known.insert(session.broker.clone(), is_alive);
                    is_alive
                }
            };
        }
        sessions
    }
}

/// Who is connected, by broker and session.
fn list(
    connection: &Connection,
    tenant: Option<&TenantId>,
    page: &Page<(String, SessionNumber)>,
) -> Result<Vec<BrokerPresence>, Fault> {
    let all = PageQuery::of(concat!(select_presence!(), "WHERE true"));
    let query = all.when("tenant = ?", tenant.map(|tenant| text(tenant.as_str())));
    let after = page.after.as_ref();
    let after = after.map(|(broker, session)| [text(broker), session.0.into()]);
    let (sql, values) = query.page(["broker", "session"], after, page.sought());
    select(connection, &sql, values)
}

/// Who is connected with a client id.
fn with_client_id(
    connection: &Connection,
    client_id: &ClientIdTie,
) -> Result<Vec<BrokerPresence>, Fault> {
    select(connection, WITH_CLIENT_ID, params![client_id.0])
}

/// This session of this broker.
fn one(
    connection: &Connection,
    broker: &str,
    session: SessionNumber,
) -> Result<Option<BrokerPresence>, Fault> {
    Ok(select(connection, SESSION, params![broker, session.0])?.pop())
}

/// At which brokers clients are connected from one of these addresses that proved who
/// they are.
pub(crate) fn brokers_of_logins_from(
    connection: &Connection,
    network: Network,
) -> Result<BTreeSet<String>, Fault> {
    let statement = connection.prepare(
        "SELECT broker, address FROM presence WHERE authenticated = 1 AND address IS NOT NULL
             AND follower IS NULL",
    )?;
    let mut rows = statement.query(())?;
    let mut brokers = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let broker = columns.text()?;
        let address = ip_of(columns.text()?);
        if address.is_some_and(|address| network.holds(address)) && !brokers.contains(broker) {
            brokers.insert(broker.to_owned());
        }
    }
    Ok(brokers)
}

fn select(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<BrokerPresence>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let mut session = BrokerPresence {
            broker: columns.text()?.into(),
            // Whoever hands it on looks.
            is_alive: false,
            behind: None,
            presence: Presence {
                session: SessionNumber(columns.number()?),
                client_id: columns.text()?.into(),
                // Sessions of a broker of an earlier version have none.
                tie: ClientIdTie(columns.maybe_hash()?.unwrap_or_default()),
                username: columns.maybe_text()?.map(Into::into),
                credential: columns.maybe_number()?.map(CredentialId),
                tenant: columns.maybe_parsed(TenantId::parse)?,
                address: columns.maybe_text()?.map(Into::into),
                protocol: columns.small()?,
                connected_at: columns.instant()?,
                authenticated: columns.flag()?,
                listener: columns.maybe_small()?,
                stored: columns.flag()?,
            },
        };
        let follower = columns.maybe_parsed(FollowerName::parse)?;
        let heard_at = columns.maybe_instant()?;
        session.behind = follower.map(|follower| Behind { follower, heard_at });
        sessions.push(session);
    }
    Ok(sessions)
}

/// How many sessions each broker has.
fn count(connection: &Connection, tenant: Option<&TenantId>) -> Result<Vec<(String, u64)>, Fault> {
    let tenant = tenant.map(TenantId::as_str);
    let statement = connection.prepare(match tenant {
        Some(_) => "SELECT broker, count(*) FROM presence WHERE tenant = $1 GROUP BY broker",
        None => "SELECT broker, count(*) FROM presence WHERE $1::text IS NULL GROUP BY broker",
    })?;
    let mut rows = statement.query([tenant])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let broker = columns.text()?.into();
        counts.push((broker, u64::try_from(columns.number()?).unwrap_or(0)));
    }
    Ok(counts)
}

/// Writes a session, perhaps one behind a follower.
fn put(
    connection: &Connection,
    follower: Option<&FollowerName>,
    broker: &str,
    presence: &Presence,
) -> Result<(), Fault> {
    connection
        .prepare(
            "INSERT INTO presence (broker, session, client_id, username,
                 credential, tenant, address, protocol, connected_at, authenticated,
                 listener, stored, tie, follower)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (broker, session) DO UPDATE SET
                 client_id = excluded.client_id, username = excluded.username,
                 credential = excluded.credential, tenant = excluded.tenant,
                 address = excluded.address, protocol = excluded.protocol,
                 connected_at = excluded.connected_at,
                 authenticated = excluded.authenticated, listener = excluded.listener,
                 stored = excluded.stored, tie = excluded.tie,
                 follower = excluded.follower",
        )?
        .execute(params![
            broker,
            presence.session.0,
            presence.client_id,
            presence.username,
            presence.credential.map(|id| id.0),
            presence.tenant.as_ref().map(TenantId::as_str),
            presence.address,
            presence.protocol,
            presence.connected_at.as_millis(),
            presence.authenticated,
            presence.listener,
            presence.stored,
            presence.tie.0,
            follower.map(FollowerName::as_str),
        ])?;
    Ok(())
}

impl PresenceRows for PostgresTransaction<'_> {
    fn presence(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(String, SessionNumber)>,
    ) -> Result<Listed<BrokerPresence>, StoreError> {
        self.run("list the sessions", |connection| {
            list(connection, tenant, page)
        })
        .map(|sessions| page.listed(self.told_apart(sessions)))
    }

    fn presence_with(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Vec<BrokerPresence>, StoreError> {
        self.run("look up sessions", |connection| {
            with_client_id(connection, client_id)
        })
        .map(|sessions| self.told_apart(sessions))
    }

    fn presence_of(
        &mut self,
        broker: &str,
        session: SessionNumber,
    ) -> Result<Option<BrokerPresence>, StoreError> {
        self.run("look up a session", |connection| {
            one(connection, broker, session)
        })
        .map(|found| self.told_apart(found.into_iter().collect()).pop())
    }

    fn presence_of_credential(
        &mut self,
        CredentialId(credential): CredentialId,
    ) -> Result<Vec<BrokerPresence>, StoreError> {
        self.run("look up sessions", |connection| {
            select(connection, OF_CREDENTIAL, params![credential])
        })
        .map(|sessions| self.told_apart(sessions))
    }

    fn count_presence(&mut self, tenant: Option<&TenantId>) -> Result<u64, StoreError> {
        self.run("count the sessions", |connection| count(connection, tenant))
            .map(|counts| {
                let alive = counts
                    .into_iter()
                    .filter(|(broker, _)| self.store().is_alive(broker));
                alive.map(|(_, count)| count).fold(0, u64::saturating_add)
            })
    }

    fn put_presence(&mut self, broker: &str, presence: &Presence) -> Result<(), StoreError> {
        self.run("write a session", |connection| {
            put(connection, None, broker, presence)
        })
    }

    fn put_presence_behind(
        &mut self,
        follower: &FollowerName,
        broker: &str,
        presence: &Presence,
    ) -> Result<(), StoreError> {
        self.run("write a session", |connection| {
            put(connection, Some(follower), broker, presence)
        })
    }

    fn take_presence_behind(
        &mut self,
        follower: &FollowerName,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.run("write sessions", |connection| {
            let statement = connection.prepare(
                "DELETE FROM presence WHERE (broker, session) IN
                     (SELECT broker, session FROM presence WHERE follower = $1 LIMIT $2)",
            )?;
            statement.execute(params![follower.as_str(), most])
        })
    }

    fn count_presence_behind(&mut self, follower: &FollowerName) -> Result<u64, StoreError> {
        self.run("count the sessions", |connection| {
            let statement =
                connection.prepare("SELECT count(*) FROM presence WHERE follower = $1")?;
            let count: i64 = statement.query_row([follower.as_str()], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
    }

    fn count_presence_of_followers(
        &mut self,
        tenant: Option<&TenantId>,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        self.run("count the sessions", |connection| {
            let statement = connection.prepare(
                "SELECT count(*) FROM follower JOIN presence ON presence.follower = follower.name
                 WHERE follower.last_seen >= $1 AND ($2::text IS NULL OR presence.tenant = $2)",
            )?;
            let tenant = tenant.map(TenantId::as_str);
            let count: i64 =
                statement.query_row(params![since.as_millis(), tenant], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
    }

    fn remove_presence(&mut self, broker: &str, session: SessionNumber) -> Result<(), StoreError> {
        self.run("write a session", |connection| {
            connection
                .prepare("DELETE FROM presence WHERE broker = $1 AND session = $2")?
                .execute(params![broker, session.0])?;
            Ok(())
        })
    }

    fn join_presence(
        &mut self,
        broker: &str,
        session: SessionNumber,
        tenant: &TenantId,
    ) -> Result<Option<JoinedPresence>, StoreError> {
        self.run("write a session", |connection| {
            let statement = connection.prepare(
                "UPDATE presence SET tenant = $3 WHERE broker = $1 AND session = $2
                 RETURNING tie, connected_at, stored",
            )?;
            let mut rows = statement.query(params![broker, session.0, tenant.as_str()])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let columns = &mut RowReader::of(row);
            Ok(Some(JoinedPresence {
                tie: ClientIdTie(columns.maybe_hash()?.unwrap_or_default()),
                connected_at: columns.instant()?,
                stored: columns.flag()?,
            }))
        })
    }

    fn take_presence(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, Option<CredentialId>)>, StoreError> {
        self.run("write sessions", |connection| {
            let statement = connection.prepare(
                "DELETE FROM presence WHERE broker = $1 AND session IN
                     (SELECT session FROM presence WHERE broker = $1 AND follower IS NULL
                      ORDER BY session LIMIT $2)
                 RETURNING tie, credential",
            )?;
            let mut rows = statement.query(params![broker, most])?;
            let mut taken = Vec::new();
            while let Some(row) = rows.next()? {
                let columns = &mut RowReader::of(row);
                let tie = ClientIdTie(columns.maybe_hash()?.unwrap_or_default());
                taken.push((tie, columns.maybe_number()?.map(CredentialId)));
            }
            Ok(taken)
        })
    }

    fn is_connected(&mut self, id: &ClientIdTie) -> Result<bool, StoreError> {
        self.run("look up sessions", |connection| {
            let statement = connection.prepare(IS_CONNECTED)?;
            statement.exists([id.0])
        })
    }
}

pub(crate) const IS_CONNECTED: &str = "SELECT 1 FROM presence WHERE tie = $1 AND follower IS NULL";

pub(crate) const WITH_CLIENT_ID: &str = concat!(select_presence!(), "WHERE tie = $1");

pub(crate) const OF_CREDENTIAL: &str = concat!(
    select_presence!(),
    "WHERE credential = $1 ORDER BY broker, session"
);

pub(crate) const SESSION: &str = concat!(select_presence!(), "WHERE broker = $1 AND session = $2");
