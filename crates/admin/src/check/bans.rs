//! Bans, in answer to what a broker would say.

use countersign_core::ban::BanSubject;
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::connect::Identity;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::reason::Reason;
use countersign_core::store::{AdminStore, GateStore, StoreError};

use super::{CheckedClient, PolicyCheck};

impl<S: AdminStore + GateStore> PolicyCheck<'_, S> {
    /// Decides as whom a client would be let in, or why not.
    pub(super) fn identify(
        &mut self,
        who: CheckedClient<'_>,
    ) -> Result<Result<Identity, Reason>, StoreError> {
        // None of no client where none is said.
        let tie = who
            .client_id
            .as_ref()
            .map_or_else(|| ClientIdTie::of(""), ClientId::tie);
        let address = who.address;
        let is_banned = |this: &mut Self, tenant: Option<&str>| {
            let subject = BanSubject {
                address,
                client_id: &tie,
                tenant,
            };
            this.store.is_banned(&subject, this.now)
        };
        let name = who.username.and_then(|name| LoginName::parse(name).ok());
        let named = name.as_ref().and_then(LoginName::named_tenant);
        if is_banned(self, named)? {
            return Ok(Err(Reason::Banned));
        }
        let identity = match self.identify_unbanned(who)? {
            Ok(identity) => identity,
            Err(reason) => return Ok(Err(reason)),
        };
        if is_banned(self, identity.tenant().map(TenantId::as_str))? {
            return Ok(Err(Reason::Banned));
        }
        Ok(Ok(identity))
    }
}
