//! The live sessions of a tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::store::{BrokerPresence, StoreError, each_row};

use crate::lookup::Rows;

/// The live sessions of a tenant, by principal; none stands for all clients without
/// a login.
pub(crate) struct LiveSessions(BTreeMap<Option<CredentialId>, Vec<BrokerPresence>>);

impl LiveSessions {
    pub(crate) fn read(rows: &mut Rows<'_>, tenant: &TenantId) -> Result<Self, StoreError> {
        let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        each_row(
            |page| rows.presence(Some(tenant), page),
            |session| {
                if session.is_alive {
                    let of_principal = sessions.entry(session.presence.credential).or_default();
                    of_principal.push(session);
                }
                Ok(())
            },
        )?;
        Ok(Self(sessions))
    }

    /// Those of a principal.
    pub(crate) fn of(&self, principal: Option<CredentialId>) -> &[BrokerPresence] {
        self.0.get(&principal).map_or(&[], Vec::as_slice)
    }

    /// The client ids that a principal is connected as.
    pub(crate) fn client_ids(&self, principal: Option<CredentialId>) -> Vec<Arc<str>> {
        let sessions = self.of(principal).iter();
        let ids = sessions.map(|it| Arc::clone(&it.presence.client_id));
        ids.collect()
    }
}
