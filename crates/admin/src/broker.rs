//! The brokers that use a store.

use std::collections::BTreeSet;

use countersign_core::audit::AuditEntry;
use countersign_core::broker::BrokerRecord;
use countersign_core::metrics::BrokerMetrics;
use countersign_core::name::TenantId;
use countersign_core::presence::SessionNumber;
use countersign_core::store::rows::KnownBroker;
use countersign_core::store::{AdminStore, Intent, Listed, Page, all_rows};
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx, run};
use crate::context::Context;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};

/// Lists the brokers, alive or not, by name.
#[derive(Clone, Debug, Default)]
pub struct ListBrokers(pub Page<String>);

impl Command for ListBrokers {
    type Output = Listed<KnownBroker>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<KnownBroker>, AdminError> {
        Ok(tx.brokers(&self.0)?)
    }
}

/// Shows a broker.
#[derive(Clone, Debug)]
pub struct ShowBroker(pub String);

impl Command for ShowBroker {
    type Output = KnownBroker;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<KnownBroker, AdminError> {
        find(tx, &self.0)
    }
}

/// Lists the places at which clients of a tenant arrive at the brokers that are alive,
/// by broker and port: those that a broker's options name, and those by which sessions
/// came in that there are.
///
/// No broker tells a plugin which ports it listens on, so one that no option names is
/// not known before a client of the tenant came in by it, and on Mosquitto 2.0, which
/// does not tell that either, not even then. A broker of which no port is known is there
/// once, without one.
#[derive(Clone, Debug)]
pub struct ListListeners(pub TenantId);

/// A place at which clients of a tenant arrive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownListener {
    /// The broker's name.
    pub broker: String,
    /// The machine that it runs on, where it tells.
    pub host: Option<String>,
    /// The port, where it is known.
    pub port: Option<u16>,
    /// Whether the broker's options say that its clients come through TLS.
    pub is_tls: bool,
}

impl Command for ListListeners {
    type Output = Vec<KnownListener>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::See(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<KnownListener>, AdminError> {
        let tenant = &self.0;
        lookup::tenant(tx, tenant)?;
        let mut listeners = Vec::new();
        for broker in all_rows(|page| tx.brokers(page))? {
            if !broker.is_alive {
                continue;
            }
            let BrokerRecord {
                name,
                host,
                options,
                ..
            } = broker.record;
            let options = options.unwrap_or_default();
            let named = options.listeners.keys().chain(&options.tls_listeners);
            let is_of_others =
                |port: &u16| options.listeners.get(port).is_some_and(|it| it != tenant);
            let mut ports: BTreeSet<u16> = named.copied().filter(|it| !is_of_others(it)).collect();
            let first = Page {
                after: Some((name.clone(), SessionNumber(i64::MIN))),
                limit: MOST_SESSIONS,
            };
            let sessions = tx.presence(Some(tenant), &first)?.rows.into_iter();
            let sessions = sessions.filter(|session| session.broker == name);
            ports.extend(sessions.filter_map(|session| session.presence.listener));
            let at = |port: Option<u16>| KnownListener {
                broker: name.clone(),
                host: host.clone(),
                port,
                is_tls: port.is_some_and(|port| options.tls_listeners.contains(&port)),
            };
            if ports.is_empty() {
                listeners.push(at(None));
            }
            listeners.extend(ports.into_iter().map(|port| at(Some(port))));
        }
        Ok(listeners)
    }
}

/// Reads what the brokers that are alive have counted since they started, by name; of
/// one that has told nothing that can be read, none.
#[derive(Clone, Copy, Debug)]
pub struct ReadMetrics;

impl Command for ReadMetrics {
    type Output = Vec<(KnownBroker, Option<BrokerMetrics>)>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        let brokers = all_rows(|page| tx.brokers(page))?;
        let alive = brokers.into_iter().filter(|broker| broker.is_alive);
        Ok(alive
            .map(|broker| {
                let metrics = tx.broker_metrics(&broker.record.name);
                (broker, metrics)
            })
            .collect())
    }
}

/// Forgets a broker that is gone for good, with what it left behind as connected.
/// Many sessions go a few at a time before, for what writes longer holds up logins.
///
/// # Errors
///
/// Returns [`AdminError`] when there is no such broker or it is alive, and when the
/// store can't be written. What was cleared until then stays cleared.
pub fn forget<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    forget: &ForgetBroker,
) -> Result<(), AdminError> {
    let clear = ClearBroker(forget.0.clone());
    while run(store, context, &clear)? == Cleared::Some {}
    run(store, context, forget)
}

/// Forgets a broker in one transaction. [`forget`] does it in several where it left
/// much.
#[derive(Clone, Debug)]
pub struct ForgetBroker(pub String);

impl Command for ForgetBroker {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let name = &self.0;
        let gone = find_gone(tx, name)?;
        let now = tx.now;
        while !tx.clear_some_presence(name, now)? {}
        tx.remove_broker(name)?;
        let before = ForgottenBroker {
            host: gone.record.host,
            sessions: gone.sessions,
        };
        tx.record("broker.forget", name, Some(&before), None);
        Ok(())
    }
}

/// Clears a part of what a broker that is gone left behind as connected.
#[derive(Clone, Debug)]
pub struct ClearBroker(pub String);

/// What became of what a broker left behind as connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cleared {
    /// A part of it went.
    Some,
    /// What is left is little.
    Rest,
}

impl Command for ClearBroker {
    type Output = Cleared;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Cleared, AdminError> {
        let name = &self.0;
        let before = find_gone(tx, name)?.sessions;
        if before <= FEW {
            return Ok(Cleared::Rest);
        }
        let now = tx.now;
        tx.clear_some_presence(name, now)?;
        let after = find(tx, name)?.sessions;
        let none = None::<&ForgottenBroker>;
        let entry = AuditEntry {
            count: i64::try_from(before.saturating_sub(after)).unwrap_or(i64::MAX),
            ..tx.entry("broker.clear", name, none, none)
        };
        tx.record_entry(entry);
        Ok(Cleared::Some)
    }
}

/// What the audit keeps of a broker that was forgotten.
#[derive(Serialize)]
struct ForgottenBroker {
    host: Option<String>,
    sessions: u64,
}

fn find(rows: &mut Rows<'_>, name: &str) -> Result<KnownBroker, AdminError> {
    rows.broker(name)?.ok_or_else(|| {
        AdminError::new(
            ErrorKind::NotFound,
            Subject::new(Noun::Broker, name),
            format!("no broker `{name}` has used this store"),
        )
    })
}

/// Looks under the store's lock: a broker that starts meanwhile says who it is once
/// it has its own, and so after what is done here.
fn find_gone(rows: &mut Rows<'_>, name: &str) -> Result<KnownBroker, AdminError> {
    let broker = find(rows, name)?;
    if broker.is_alive {
        return Err(AdminError::new(
            ErrorKind::Conflict,
            Subject::new(Noun::Broker, name),
            format!("broker `{name}` is alive; stop it first"),
        ));
    }
    Ok(broker)
}

/// So many sessions of a broker tell by which ports they came in.
const MOST_SESSIONS: u64 = 256;
/// So many sessions go with the broker itself.
const FEW: u64 = 256;

#[cfg(test)]
mod tests {
    use countersign_core::broker::ListenerOptions;
    use countersign_core::ledger::Ledger as _;
    use countersign_core::presence::{Presence, PresenceEvent};
    use countersign_core::store::{Batch, GateStore as _};

    use super::*;
    use crate::clients::ListClients;
    use crate::clients::tests::connected;
    use crate::fixture::{Fixture, tenant_id};

    #[test]
    fn a_tenant_is_told_of_the_ports_that_may_be_its_own() {
        let mut fixture = with_broker(0);
        fixture.tenant("other", &[]).unwrap();
        let mut record = fixture.run(&ShowBroker("edge".into())).unwrap().record;
        record.options = Some(ListenerOptions {
            default_tenant: None,
            dynsec_tenant: None,
            listeners: [(1884, "acme"), (1885, "other"), (8884, "other")]
                .map(|(port, tenant)| (port, tenant_id(tenant)))
                .into(),
            tls_listeners: vec![8883, 8884],
        });
        fixture.store.introduce_broker(&record).unwrap();
        let by_port = |session, listener| {
            let event = connected(session, &format!("c{session}"), &fixture);
            let PresenceEvent::Connected(presence) = event else {
                panic!("{event:?}");
            };
            PresenceEvent::Connected(Presence {
                listener,
                ..presence
            })
        };
        let batch = Batch {
            observations: vec![
                by_port(1, Some(1883)),
                by_port(2, Some(1883)),
                by_port(3, None),
            ],
            ..Batch::default()
        };
        fixture.store.write_batch("edge", &batch).unwrap();
        let listed = |fixture: &mut Fixture, tenant| {
            let listed = fixture.run(&ListListeners(tenant_id(tenant))).unwrap();
            let ports = listed.into_iter().map(|it| {
                assert_eq!(
                    (it.broker.as_str(), it.host.as_deref()),
                    ("edge", Some("gw-7"))
                );
                (it.port.unwrap_or(0), it.is_tls)
            });
            ports.collect::<Vec<_>>()
        };
        assert_eq!(listed(&mut fixture, "acme"), [], "it is not alive");
        let alive = fixture.store.lock_broker("edge").unwrap();
        assert_eq!(
            listed(&mut fixture, "acme"),
            [(1883, false), (1884, false), (8883, true)]
        );
        assert_eq!(
            listed(&mut fixture, "other"),
            [(1885, false), (8883, true), (8884, true)]
        );
        record.options = None;
        fixture.store.introduce_broker(&record).unwrap();
        assert_eq!(listed(&mut fixture, "acme"), [(1883, false)]);
        assert_eq!(listed(&mut fixture, "other"), [(0, false)]);
        drop(alive);
    }

    fn with_broker(sessions: i64) -> Fixture {
        let mut fixture = Fixture::with_credential();
        let record = BrokerRecord {
            name: "edge".into(),
            host: Some("gw-7".into()),
            version: None,
            plugin_version: None,
            since: Some(fixture.now),
            last_seen: fixture.now,
            options: None,
        };
        fixture.store.introduce_broker(&record).unwrap();
        let observations: Vec<PresenceEvent> = (0..sessions)
            .map(|number| connected(number, &format!("c{number}"), &fixture))
            .collect();
        let batch = Batch {
            observations,
            ..Batch::default()
        };
        fixture.store.write_batch("edge", &batch).unwrap();
        fixture
    }

    fn forgotten(fixture: &mut Fixture, name: &str) -> Result<(), AdminError> {
        let command = ForgetBroker(name.into());
        fixture.act(|store, context| forget(store, context, &command))
    }

    #[test]
    fn a_broker_is_forgotten_with_its_sessions_once_it_is_gone() {
        for (sessions, acts) in [
            (2, &["broker.forget edge"][..]),
            (
                600,
                &[
                    "broker.clear edge",
                    "broker.clear edge",
                    "broker.forget edge",
                ],
            ),
        ] {
            let mut fixture = with_broker(sessions);
            let alive = fixture.store.lock_broker("edge").unwrap();
            let shown = fixture.run(&ShowBroker("edge".into())).unwrap();
            assert!(shown.is_alive);
            let error = forgotten(&mut fixture, "edge").unwrap_err();
            assert!(error.is(ErrorKind::Conflict, Noun::Broker));
            assert_eq!(error.to_string(), "broker `edge` is alive; stop it first");
            drop(alive);
            let before = fixture.acts().len();
            forgotten(&mut fixture, "edge").unwrap();
            assert_eq!(fixture.acts()[before..], *acts);
            let all = ListClients {
                all: true,
                ..ListClients::default()
            };
            assert!(fixture.run(&all).unwrap().rows.is_empty());
            assert!(
                fixture
                    .run(&ListBrokers::default())
                    .unwrap()
                    .rows
                    .is_empty()
            );
            let error = forgotten(&mut fixture, "edge").unwrap_err();
            assert!(error.is(ErrorKind::NotFound, Noun::Broker));
        }
    }
}
