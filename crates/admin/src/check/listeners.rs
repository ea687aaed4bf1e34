//! The places that clients arrive at, as a broker's options say.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::broker::ListenerOptions;
use countersign_core::connect::{Listener, Reservation};
use countersign_core::name::TenantId;
use countersign_core::store::rows::BrokerRows as _;
use countersign_core::store::{AdminStore, Intent, StoreError, all_rows};

/// What the brokers of a store wrote down of the places that clients arrive at, each
/// once.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn described_listeners<S: AdminStore>(
    store: &mut S,
) -> Result<Vec<ListenerOptions>, StoreError> {
    let mut transaction = store.begin(Intent::Read)?;
    let mut described = Vec::new();
    for broker in all_rows(|page| transaction.brokers(page))? {
        let options = broker.record.options;
        described.extend(options.filter(|options| !described.contains(options)));
    }
    Ok(described)
}

/// What a broker's options say about the places that clients arrive at.
///
/// By default nothing is known: then no listener has a tenant, whoever may come
/// through TLS alone is taken to have done so, and the broker is taken for one
/// that does not tell whose its client ids are.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    default_tenant: Option<TenantId>,
    has_dynsec: bool,
    listeners: BTreeMap<u16, TenantId>,
    tls_listeners: Option<Vec<u16>>,
    bridges: Option<BTreeSet<String>>,
}

impl Listeners {
    /// The listeners of a broker with these options.
    #[must_use]
    pub fn of(options: &ListenerOptions) -> Self {
        Self {
            default_tenant: options.default_tenant.clone(),
            has_dynsec: options.dynsec_tenant.is_some(),
            listeners: options.listeners.clone(),
            tls_listeners: Some(options.tls_listeners.clone()),
            bridges: None,
        }
    }

    /// The listeners that all brokers of a store have, as far as they told; nothing is
    /// known where they differ.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn of_store<S: AdminStore>(store: &mut S) -> Result<Self, StoreError> {
        let described = described_listeners(store)?;
        Ok(match described.as_slice() {
            [options] => Self::of(options),
            _ => Self::default(),
        })
    }

    /// The same where the broker tells a plugin whose its client ids are, and
    /// its bridges have these.
    #[must_use]
    pub fn with_bridges(self, client_ids: impl IntoIterator<Item = String>) -> Self {
        Self {
            bridges: Some(client_ids.into_iter().collect()),
            ..self
        }
    }

    /// Whether the broker keeps a client id for a bridge of its own.
    pub(super) fn reservation(&self, client_id: &str) -> Reservation {
        match &self.bridges {
            None => Reservation::untold(client_id.as_bytes()),
            Some(bridges) if bridges.contains(client_id) => Reservation::Taken,
            Some(_) => Reservation::Free,
        }
    }

    /// Whether the broker takes the commands of dynamic-security.
    pub(super) fn has_dynsec(&self) -> bool {
        self.has_dynsec
    }

    pub(super) fn listener(&self, listener: Option<u16>) -> Listener {
        Listener {
            listener_tenant: listener.and_then(|port| self.listeners.get(&port).cloned()),
            default_tenant: self.default_tenant.clone(),
            is_tls: match (listener, &self.tls_listeners) {
                (Some(port), Some(protected)) => protected.contains(&port),
                (None, _) | (_, None) => true,
            },
        }
    }
}
