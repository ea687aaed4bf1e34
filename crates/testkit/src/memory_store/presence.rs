//! Who is connected.

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::follower::FollowerName;
use countersign_core::name::TenantId;
use countersign_core::presence::{Presence, SessionNumber};
use countersign_core::store::rows::{Behind, JoinedPresence, PresenceRows};
use countersign_core::store::{BrokerPresence, Listed, Page, StoreError};
use countersign_core::time::Timestamp;

use super::MemoryTransaction;
use super::errors::found;
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
                behind: self.behind(&(broker.clone(), presence.session)),
                presence: presence.clone(),
            })
            .collect()
    }

    fn behind(&self, key: &(String, SessionNumber)) -> Option<Behind> {
        let follower = self.tables.presence_behind.get(key)?.clone();
        let known = self.tables.followers.get(&follower);
        let heard_at = known.and_then(|it| it.progress).map(|it| it.at);
        Some(Behind { follower, heard_at })
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
        self.tables.presence_behind.remove(&key);
        self.tables.presence.put(key, presence.clone());
        Ok(())
    }

    fn put_presence_behind(
        &mut self,
        follower: &FollowerName,
        broker: &str,
        presence: &Presence,
    ) -> Result<(), StoreError> {
        found(self.tables.followers.contains_key(follower), "the follower")?;
        self.put_presence(broker, presence)?;
        let key = (broker.to_owned(), presence.session);
        self.tables.presence_behind.put(key, follower.clone());
        Ok(())
    }

    fn take_presence_behind(
        &mut self,
        follower: &FollowerName,
        most: usize,
    ) -> Result<usize, StoreError> {
        let behind = &self.tables.presence_behind;
        let keys = behind.keys_where(most, |_, of| of == follower);
        for (broker, session) in &keys {
            self.remove_presence(broker, *session)?;
        }
        Ok(keys.len())
    }

    fn count_presence_behind(&mut self, follower: &FollowerName) -> Result<u64, StoreError> {
        let behind = self.tables.presence_behind.values();
        Ok(behind.filter(|of| *of == follower).count() as u64)
    }

    fn count_presence_of_followers(
        &mut self,
        tenant: Option<&TenantId>,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        let is_of = |presence: &Presence| tenant.is_none() || presence.tenant.as_ref() == tenant;
        let sessions = self.sessions_where(|_, presence| is_of(presence));
        let heard = sessions.iter().filter(|session| {
            let behind = session.behind.as_ref();
            behind.is_some_and(|it| it.heard_at.is_some_and(|at| at >= since))
        });
        Ok(heard.count() as u64)
    }

    fn remove_presence(&mut self, broker: &str, session: SessionNumber) -> Result<(), StoreError> {
        let key = (broker.to_owned(), session);
        self.tables.presence.remove(&key);
        self.tables.presence_behind.remove(&key);
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
        let tables = &mut self.tables;
        let (presence, behind) = (&mut tables.presence, &tables.presence_behind);
        let is_own = |key: &(String, SessionNumber)| key.0 == broker && !behind.contains_key(key);
        let keys = presence.keys_where(most, |key, _| is_own(key));
        let mut taken = Vec::new();
        for key in keys {
            taken.extend(presence.get(&key).map(|it| (it.tie, it.credential)));
            presence.remove(&key);
        }
        Ok(taken)
    }

    fn is_connected(&mut self, id: &ClientIdTie) -> Result<bool, StoreError> {
        let behind = &self.tables.presence_behind;
        let mut own = self.tables.presence.iter();
        Ok(own.any(|(key, presence)| presence.tie == *id && !behind.contains_key(key)))
    }
}
