//! What a store has of one noun, as far as each can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoreError;
use crate::client_id::ClientId;
use crate::name::TenantId;
use crate::rule::Namespaces;
use crate::scheme::{SchemeName, Schemes};
use crate::tenant::Tenant;

/// The tenants of a store. One that can't be read hides no other.
#[derive(Debug, Default)]
pub struct StoredTenants {
    /// Those that can be read.
    pub readable: Vec<Arc<Tenant>>,
    /// Those that can't.
    pub damaged: Vec<DamagedTenant>,
}

/// A tenant whose record can't be read. It admits no client, and what it owns
/// stays its own.
#[derive(Debug)]
pub struct DamagedTenant {
    /// Its id, if it can be read.
    pub id: Option<TenantId>,
    /// Its namespaces, as far as they can be read.
    pub namespaces: Namespaces,
    /// Whether all of its namespaces can be read.
    pub has_all_namespaces: bool,
    /// Its prefix of client ids, if it can be read.
    pub client_id_prefix: Option<ClientId>,
    /// What can't be read of it.
    pub error: StoreError,
}

impl DamagedTenant {
    /// What it is called: its id, or a name that no tenant has.
    #[must_use]
    pub fn name(&self) -> &str {
        self.id.as_ref().map_or("?", TenantId::as_str)
    }
}

/// The schemes of a store. One that can't be read hides no other.
#[derive(Debug, Default)]
pub struct StoredSchemes {
    /// Those that can be read.
    pub readable: Schemes,
    /// Those that can't, and why. Their credentials can't be judged.
    pub damaged: BTreeMap<SchemeName, StoreError>,
}
