//! Limits, as they are shown.

use countersign_core::limit::{Limit, Share, UseLimits};
use serde::Serialize;

use crate::limit::{Limited, ShownLimits};

/// All that is shown of the limits of a tenant, a role or a credential.
#[derive(Clone, Debug, Serialize)]
pub struct LimitsView {
    name: Option<String>,
    role: Option<String>,
    tenant: Option<String>,
    #[serde(flatten)]
    limits: LimitNumbersView,
}

/// The numbers of limits.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LimitNumbersView {
    connections: Option<u64>,
    messages_per_second: Option<u64>,
    bytes_per_second: Option<u64>,
    payload: Option<u64>,
    share: Option<u8>,
}

impl LimitsView {
    /// The view of limits.
    #[must_use]
    pub fn of(shown: &ShownLimits) -> Self {
        let (name, role, tenant) = match &shown.of {
            Limited::Credential(name) => (Some(name.to_string()), None, None),
            Limited::Role(tenant, role) => (None, Some(role.to_string()), Some(tenant)),
            Limited::Tenant(tenant) => (None, None, Some(tenant)),
        };
        Self {
            name,
            role,
            tenant: tenant.map(ToString::to_string),
            limits: LimitNumbersView::of(&shown.limits),
        }
    }
}

impl LimitNumbersView {
    fn of(limits: &UseLimits) -> Self {
        Self {
            connections: limits.connections.map(Limit::get),
            messages_per_second: limits.messages_per_second.map(Limit::get),
            bytes_per_second: limits.bytes_per_second.map(Limit::get),
            payload: limits.payload.map(Limit::get),
            share: limits.share.map(Share::get),
        }
    }
}
