//! What the clients of a tenant may do without a login.

use std::sync::Arc;

use countersign_core::access::Access;
use countersign_core::rights::Rights;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::tenant::Tenant;

/// What the clients of a tenant may do without a login.
#[derive(Debug)]
pub(crate) struct AnonymousRights {
    access: Access<'static>,
    /// Those of a client whose id is not known.
    unnamed: Arc<Rights>,
}

impl AnonymousRights {
    /// Reads the roles that they follow from.
    ///
    /// # Errors
    ///
    /// Returns the store's error when a role can't be read.
    pub(crate) fn read<S: GateStore>(
        tenant: &Arc<Tenant>,
        store: &mut S,
    ) -> Result<Self, StoreError> {
        let mut roles = Vec::new();
        for name in &tenant.anonymous_roles {
            roles.extend(store.role_named(&tenant.id, name)?);
        }
        let access = Access::of_anonymous(Arc::clone(tenant), &roles);
        Ok(Self {
            unnamed: Arc::new(access.rights(None)),
            access,
        })
    }

    /// None: what they follow from can't be read.
    pub(crate) fn none() -> Self {
        Self {
            access: Access::default(),
            unnamed: Arc::new(Rights::none()),
        }
    }

    /// What a client with this id may do.
    pub(crate) fn connected_as(&self, client_id: Option<&str>) -> Arc<Rights> {
        if self.unnamed.are_of_any_client_id() || client_id.is_none() {
            Arc::clone(&self.unnamed)
        } else {
            Arc::new(self.access.rights(client_id))
        }
    }
}
