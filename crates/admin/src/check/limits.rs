//! Limits of connections, in answer to what a broker would say.

use std::collections::BTreeMap;

use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::connect::Identity;
use countersign_core::limit::Limit;
use countersign_core::reason::Reason;
use countersign_core::store::rows::BrokerPresence;
use countersign_core::store::rows::PresenceRows as _;
use countersign_core::store::{AdminStore, GateStore, Intent, StoreError, each_row};

use super::{CheckedClient, PolicyCheck};

impl<S: AdminStore + GateStore> PolicyCheck<'_, S> {
    /// Decides as whom a client would be let in, or why not. Without a client id, limits
    /// don't count.
    pub(super) fn identify_within_limits(
        &mut self,
        who: CheckedClient<'_>,
        client_id: Option<&ClientId>,
    ) -> Result<Result<Identity, Reason>, StoreError> {
        let identity = match self.identify(who)? {
            Ok(identity) => identity,
            Err(reason) => return Ok(Err(reason)),
        };
        Ok(match client_id {
            Some(client_id) if self.is_over_connections(&identity, client_id)? => {
                Err(Reason::OverLimit)
            }
            Some(_) | None => Ok(identity),
        })
    }

    /// Says whether one more connection of a client that would be let in is too many, at
    /// the broker that has most. Whoever connects with a client id takes over what is
    /// connected with it.
    fn is_over_connections(
        &mut self,
        identity: &Identity,
        client_id: &ClientId,
    ) -> Result<bool, StoreError> {
        let tenant = identity.tenant();
        let Ok(effective) = self.effective_of(identity, tenant, Some(client_id))? else {
            return Ok(false);
        };
        let Some(limits) = effective.rights.limits() else {
            return Ok(false);
        };
        let mut transaction = self.store.begin(Intent::Read)?;
        if let Some((most, credential)) = limits.holder.connections.zip(identity.credential()) {
            let mut open = Open::beside(client_id);
            for session in transaction.presence_of_credential(credential.id)? {
                open.count(session);
            }
            if open.reach(most) {
                return Ok(true);
            }
        }
        let Some((most, tenant)) = limits.tenant.connections.zip(tenant) else {
            return Ok(false);
        };
        let mut open = Open::beside(client_id);
        each_row(
            |page| transaction.presence(Some(tenant), page),
            |session| {
                open.count(session);
                Ok::<_, StoreError>(())
            },
        )?;
        Ok(open.reach(most))
    }
}

/// How many connections are open at each broker, under other client ids.
struct Open {
    tie: ClientIdTie,
    at: BTreeMap<String, u64>,
}

impl Open {
    fn beside(client_id: &ClientId) -> Self {
        Self {
            tie: client_id.tie(),
            at: BTreeMap::new(),
        }
    }

    fn count(&mut self, session: BrokerPresence) {
        if session.is_alive && session.presence.tie != self.tie {
            let open = self.at.entry(session.broker).or_default();
            *open = open.saturating_add(1);
        }
    }

    fn reach(&self, most: Limit) -> bool {
        self.at.values().any(|open| *open >= most.get())
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::ledger::Ledger as _;
    use countersign_core::limit::UseLimits;
    use countersign_core::presence::PresenceEvent;
    use countersign_core::store::Batch;

    use super::*;
    use crate::check::ConnectVerdict;
    use crate::clients::tests::presence;
    use crate::fixture::{Fixture, login_name, tenant_id};
    use crate::limit::{Limited, SetLimits, Unsaid};

    #[test]
    fn a_connection_more_than_there_may_be_is_refused_and_one_that_takes_over_is_not() {
        let mut fixture = Fixture::with_credential();
        let lock = fixture.store.lock_broker("b").unwrap();
        let mut session = presence(1, "other", &fixture);
        session.credential = Some(fixture.show("dev1@acme").id);
        session.username = Some("dev1@acme".into());
        session.tenant = Some(tenant_id("acme"));
        let batch = Batch {
            observations: vec![PresenceEvent::Connected(session)],
            ..Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
        let of = [
            Limited::Credential(login_name("dev1@acme")),
            Limited::Tenant(tenant_id("acme")),
        ];
        let full = ConnectVerdict::Deny(Reason::OverLimit);
        for of in of {
            for (most, expected) in [(1, full), (2, ConnectVerdict::Allow)] {
                let set = SetLimits {
                    of: of.clone(),
                    limits: UseLimits {
                        connections: Limit::new(most),
                        ..UseLimits::default()
                    },
                    unsaid: Unsaid::Stay,
                };
                fixture.run(&set).unwrap();
                assert_eq!(fixture.check("dev1@acme", None), expected, "{of:?}");
                let taking_over = fixture.check_with("dev1@acme", "other", None);
                assert_eq!(taking_over, ConnectVerdict::Allow, "{of:?}");
            }
        }
        drop(lock);
    }
}
