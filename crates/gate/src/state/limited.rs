//! Whether sessions are within their limits.

use std::sync::Arc;

use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::limit::Limit;
use countersign_core::name::TenantId;
use countersign_core::reason::Reason;
use countersign_core::rights::{Rights, TopicUse};
use countersign_core::rule::Verdict;
use countersign_core::store::GateStore;
use countersign_core::time::Timestamp;

use crate::connection::meter::Metered;
use crate::connection::session::{Phase, Session};
use crate::host::Handle;
use crate::state::State;

impl<S: GateStore> State<S> {
    /// Has a session go on with these rights.
    pub(crate) fn give_rights(&mut self, handle: Handle, rights: Arc<Rights>, now: Timestamp) {
        if let Some(session) = self.sessions.get_mut(handle) {
            session.rights = rights;
            let before = session.meter.take();
            session.meter = self.meters.meter_of(&metered(session), before, now);
        }
    }

    /// Gives a session that begins what counts what it publishes.
    pub(crate) fn meter(&mut self, session: &mut Session) {
        let now = session.began;
        session.meter = self.meters.meter_of(&metered(session), None, now);
    }

    /// Says whether one more connection with these rights is too many, for its principal
    /// or for its tenant. One that takes over a client id is no more than there was.
    ///
    /// A host that does not tell of ends leaves it unknown how many there are.
    pub(crate) fn is_over_connections(
        &self,
        rights: &Rights,
        credential: Option<CredentialId>,
        tenant: Option<&TenantId>,
        client_id: &ClientIdTie,
    ) -> bool {
        let Some(limits) = rights.limits().filter(|_| self.config.hears_of_ends) else {
            return false;
        };
        let most = |limit: Option<Limit>| {
            limit.map(|limit| usize::try_from(limit.get()).unwrap_or(usize::MAX))
        };
        let of_holder = most(limits.holder.connections).zip(credential);
        let of_tenant = most(limits.tenant.connections).zip(tenant);
        let sessions = &self.sessions;
        of_holder.is_some_and(|(most, id)| sessions.open_of_credential(id, client_id, most) >= most)
            || of_tenant.is_some_and(|(most, id)| sessions.open_of_tenant(id, client_id) >= most)
    }

    /// The verdict on a use that rights allow, of the session that has this handle by now;
    /// where there is none, none is let through.
    pub(crate) fn within_limits(
        &self,
        handle: Handle,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Verdict {
        match self.sessions.get(handle) {
            Some(session) => self.judge_limits(handle, session, usage, payload),
            None => Verdict::Deny(Reason::Unauthenticated),
        }
    }

    /// The verdict on a use that rights allow, by what was published before. What is
    /// denied counts nothing. Allocates nothing.
    pub(crate) fn judge_limits(
        &self,
        handle: Handle,
        session: &Session,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Verdict {
        let (TopicUse::Publish { .. }, Some(meter)) = (usage, &session.meter) else {
            return Verdict::Allow;
        };
        let is_gone = matches!(session.phase, Phase::Gone { .. });
        let payload = u64::try_from(payload).unwrap_or(u64::MAX);
        // Of a session that is gone it is the Will. Some hosts send that of one that is
        // taken over before they say that it is gone.
        let is_allowed =
            is_gone || meter.admits(payload, self.now()) || self.sessions.is_taken_over(handle);
        if is_allowed {
            Verdict::Allow
        } else {
            Verdict::Deny(Reason::OverLimit)
        }
    }
}

fn metered(session: &Session) -> Metered<'_> {
    Metered {
        limits: session.rights.limits(),
        credential: session.credential(),
        tenant: session.tenant.as_ref(),
    }
}
