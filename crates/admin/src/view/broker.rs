//! What is shown of brokers.

use countersign_core::broker::ListenerOptions;
use countersign_core::store::rows::KnownBroker;
use countersign_core::time::rfc3339;
use serde::Serialize;
use std::collections::BTreeMap;

/// All that is shown of a broker.
#[derive(Clone, Debug, Serialize)]
pub struct BrokerView {
    name: String,
    alive: bool,
    version: Option<String>,
    plugin_version: Option<String>,
    host: Option<String>,
    since: Option<String>,
    sessions: u64,
    last_seen: String,
    options: Option<ListenerOptionsView>,
}

#[derive(Clone, Debug, Serialize)]
struct ListenerOptionsView {
    default_tenant: Option<String>,
    /// Where the broker takes such commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    dynsec_tenant: Option<String>,
    listeners: BTreeMap<String, String>,
    tls_listeners: Vec<u16>,
}

impl BrokerView {
    /// The view of `broker`. What one left behind that is not alive is not connected.
    #[must_use]
    pub fn of(broker: &KnownBroker) -> Self {
        let record = &broker.record;
        Self {
            name: record.name.clone(),
            alive: broker.is_alive,
            version: record.version.clone(),
            plugin_version: record.plugin_version.clone(),
            host: record.host.clone(),
            since: record.since.map(rfc3339),
            sessions: if broker.is_alive { broker.sessions } else { 0 },
            last_seen: rfc3339(record.last_seen),
            options: record.options.as_ref().map(ListenerOptionsView::of),
        }
    }
}

impl ListenerOptionsView {
    fn of(options: &ListenerOptions) -> Self {
        let listeners = options.listeners.iter();
        Self {
            default_tenant: options.default_tenant.as_ref().map(ToString::to_string),
            dynsec_tenant: options.dynsec_tenant.as_ref().map(ToString::to_string),
            listeners: listeners
                .map(|(port, tenant)| (port.to_string(), tenant.to_string()))
                .collect(),
            tls_listeners: options.tls_listeners.clone(),
        }
    }
}
