//! What a session may do with topics, ready to be asked.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::name::TenantId;
use countersign_core::reason::Reason;
use countersign_core::rule::{Namespaces, Territories, Verdict};
use countersign_core::tenant::{Authentication, SubscribeMode, Tenant};
use countersign_core::topic::{Subscription, TopicName};

use crate::host::TopicUse;

/// The rights of one session; shared by all that have the same.
#[derive(Clone, Debug)]
pub(crate) struct Rights {
    namespaces: Namespaces,
    subscribe: SubscribeMode,
}

impl Rights {
    /// The right to nothing.
    pub(crate) fn none() -> Self {
        Self {
            namespaces: Namespaces::default(),
            subscribe: SubscribeMode::Strict,
        }
    }

    /// The right to use exactly what a tenant owns.
    pub(crate) fn of_tenant(tenant: &Tenant) -> Self {
        Self {
            namespaces: tenant.namespaces.clone(),
            subscribe: tenant.subscribe,
        }
    }

    /// Judges one use of a topic. Allocates nothing.
    pub(crate) fn judge(&self, usage: TopicUse<'_>) -> Verdict {
        let granted = match usage {
            TopicUse::Deliver { topic } | TopicUse::Publish { topic, .. } => {
                parse_topic(topic).map(|topic| self.namespaces.owns_topic(topic))
            }
            TopicUse::Subscribe { filter } => {
                parse_subscription(filter).map(|subscription| self.may_subscribe(subscription))
            }
            TopicUse::Unsubscribe => Some(true),
        };
        match granted {
            Some(true) => Verdict::Allow,
            Some(false) => Verdict::Deny(Reason::NoRule),
            None => Verdict::Deny(Reason::Malformed),
        }
    }

    fn may_subscribe(&self, subscription: Subscription<'_>) -> bool {
        match self.subscribe {
            // A member of a share that may not read would swallow its turn.
            SubscribeMode::Filtered if !subscription.is_shared() => {
                self.namespaces.could_reach(subscription.filter())
            }
            SubscribeMode::Filtered | SubscribeMode::Strict => {
                self.namespaces.owns_all_of(subscription.filter())
            }
        }
    }
}

/// The tenants that admit clients without a login, and what they own.
#[derive(Debug)]
pub(crate) struct OpenTenants {
    by_id: HashMap<TenantId, Arc<Tenant>>,
    territories: Territories,
}

impl OpenTenants {
    pub(crate) fn new(tenants: Vec<Arc<Tenant>>) -> Self {
        let owned = tenants
            .iter()
            .map(|tenant| (tenant.id.as_str(), &tenant.namespaces));
        let territories = Territories::new(owned);
        let by_id = tenants
            .into_iter()
            .map(|tenant| (tenant.id.clone(), tenant))
            .collect();
        Self { by_id, territories }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// What this tenant asks of clients; a tenant that is not open, or is no
    /// more, asks for a login.
    pub(crate) fn authentication(&self, id: &TenantId) -> Authentication {
        self.by_id
            .get(id)
            .map_or(Authentication::Required, |tenant| tenant.authentication)
    }

    /// The open tenant whose topics this use touches, all of them.
    pub(crate) fn touched(&self, usage: TopicUse<'_>) -> Option<&Arc<Tenant>> {
        let is_touched =
            |tenant: &&Arc<Tenant>| Rights::of_tenant(tenant).judge(usage).is_allowed();
        match usage {
            TopicUse::Publish { topic, .. } => {
                let owner = self.territories.owner_of(parse_topic(topic)?)?;
                self.by_id
                    .values()
                    .find(|tenant| tenant.id.as_str() == owner)
            }
            TopicUse::Subscribe { .. } => self.by_id.values().find(is_touched),
            TopicUse::Deliver { .. } | TopicUse::Unsubscribe => None,
        }
    }
}

fn parse_topic(bytes: &[u8]) -> Option<TopicName<'_>> {
    TopicName::parse(core::str::from_utf8(bytes).ok()?).ok()
}

fn parse_subscription(bytes: &[u8]) -> Option<Subscription<'_>> {
    Subscription::parse(core::str::from_utf8(bytes).ok()?).ok()
}
