//! Who is connected.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::presence::{Presence, SessionNumber};
use countersign_core::store::rows::{JoinedPresence, PresenceRows};
use countersign_core::store::{BrokerPresence, Listed, Page, StoreError};

use super::MemoryTransaction;
use super::table::page_of;

impl MemoryTransaction<'_> {
    /// The sessions that are meant, by broker and number.
    pub(super) fn sessions_where(
        &self,
        is_meant: impl Fn(&str, &Presence) -> bool,
    ) -> Vec<BrokerPresence> {
        let alive = self.shared.brokers();
        let rows = self.tables.presence.iter();
        let meant = rows.filter(|((broker, _), presence)| is_meant(broker, presence));
        meant
            .map(|((broker, _), presence)| BrokerPresence {
                broker: broker.clone(),
                is_alive: alive.contains(broker),
                presence: presence.clone(),
            })
            .collect()
    }
}

impl PresenceRows for MemoryTransaction<'_> {
    fn presence(
        &mut self,
        tenant: Option<&TenantId>,
        page: &Page<(String, SessionNumber)>,
    ) -> Result<Listed<BrokerPresence>, StoreError> {
        let is_of = |presence: &Presence| tenant.is_none() || presence.tenant.as_ref() == tenant;
        let found = self.sessions_where(|_, presence| is_of(presence));
        Ok(page_of(found, page))
    }

    fn presence_with(
        &mut self,
        client_id: &ClientIdTie,
    ) -> Result<Vec<BrokerPresence>, StoreError> {
        Ok(self.sessions_where(|_, presence| presence.tie == *client_id))
    }

    fn presence_of(
        &mut self,
        broker: &str,
        session: SessionNumber,
    ) -> Result<Option<BrokerPresence>, StoreError> {
        let is_it = |of: &str, number| of == broker && number == session;
        Ok(self
            .sessions_where(|of, presence| is_it(of, presence.session))
            .pop())
    }

    fn presence_of_credential(
        &mut self,
        credential: CredentialId,
    ) -> Result<Vec<BrokerPresence>, StoreError> {
        Ok(self.sessions_where(|_, presence| presence.credential == Some(credential)))
    }

    fn count_presence(&mut self, tenant: Option<&TenantId>) -> Result<u64, StoreError> {
        let is_of = |presence: &Presence| tenant.is_none() || presence.tenant.as_ref() == tenant;
        let sessions = self.sessions_where(|_, presence| is_of(presence));
        Ok(sessions.iter().filter(|session| session.is_alive).count() as u64)
    }

    fn put_presence(&mut self, broker: &str, presence: &Presence) -> Result<(), StoreError> {
        let key = (broker.to_owned(), presence.session);
        self.tables.presence.put(key, presence.clone());
        Ok(())
    }

    fn remove_presence(&mut self, broker: &str, session: SessionNumber) -> Result<(), StoreError> {
        self.tables.presence.remove(&(broker.to_owned(), session));
        Ok(())
    }

    fn join_presence(
        &mut self,
        broker: &str,
        session: SessionNumber,
        tenant: &TenantId,
    ) -> Result<Option<JoinedPresence>, StoreError> {
        let row = self.tables.presence.row(&(broker.to_owned(), session));
        Ok(row.map(|presence| {
            presence.tenant = Some(tenant.clone());
            JoinedPresence {
                tie: presence.tie,
                connected_at: presence.connected_at,
                stored: presence.stored,
            }
        }))
    }

    fn take_presence(
        &mut self,
        broker: &str,
        most: usize,
    ) -> Result<Vec<(ClientIdTie, Option<CredentialId>)>, StoreError> {
        let presence = &mut self.tables.presence;
        let keys = presence.keys_where(most, |(of, _), _| of == broker);
        let mut taken = Vec::new();
        for key in keys {
            taken.extend(presence.get(&key).map(|it| (it.tie, it.credential)));
            presence.remove(&key);
        }
        Ok(taken)
    }

    fn is_connected(&mut self, id: &ClientIdTie) -> Result<bool, StoreError> {
        let mut sessions = self.tables.presence.values();
        Ok(sessions.any(|presence| presence.tie == *id))
    }
}
