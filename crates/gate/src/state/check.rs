//! Uses of topics, judged by the rights of sessions.

use countersign_core::audit::RefusedAct;
use countersign_core::control::DYNSEC_TOPIC;
use countersign_core::presence::PresenceEvent;
use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::Verdict;
use countersign_core::store::GateStore;

use crate::connection::principal::Principal;
use crate::connection::session::Phase;
use crate::host::{ClientRef, Handle};
use crate::journal::denied_uses::{DeniedPrincipal, DeniedUse};
use crate::state::State;

impl<S: GateStore> State<S> {
    /// Judges one use of a topic by a session. None where it is no use of this
    /// session, or comes too late to be one. What it is denied is counted. A PUBLISH has
    /// so many bytes of payload.
    pub(crate) fn check(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Option<Verdict> {
        let verdict = self.judge(client, usage, payload)?;
        if let Verdict::Deny(cause) = verdict {
            self.count_denied(client.handle, usage, cause);
        }
        Some(verdict)
    }

    /// Has it written down that a session may not use a topic so: what it wants to do
    /// itself, and not what is withheld from it.
    #[cold]
    pub(crate) fn count_denied(&self, handle: Handle, usage: TopicUse<'_>, cause: Reason) {
        let (act, topic) = match usage {
            TopicUse::Publish { topic, .. } => (RefusedAct::Publish, topic),
            TopicUse::Subscribe { filter } => (RefusedAct::Subscribe, filter),
            TopicUse::Deliver { .. } | TopicUse::Unsubscribe => return,
        };
        let Some(session) = self.sessions.get(handle) else {
            return;
        };
        match (session.phase, act) {
            (Phase::Live, _) | (Phase::Gone { .. }, RefusedAct::Publish) => {}
            // Its host asks on its own account.
            (Phase::Gone { .. } | Phase::Kicked(_), _) => return,
        }
        let name = session.username.clone();
        let principal = name.map_or(DeniedPrincipal::Unauthenticated, DeniedPrincipal::Named);
        let now = self.now();
        let denied = DeniedUse::new(principal, act, cause, topic, now);
        let tenant = session.tenant.as_ref();
        self.journal.writer.deny(denied, tenant, now);
    }

    /// Whether the session of a client may give the commands of dynamic-security. Nothing
    /// is counted.
    pub(crate) fn may_control(&mut self, client: &ClientRef<'_>) -> bool {
        let publish = TopicUse::Publish {
            topic: DYNSEC_TOPIC.as_bytes(),
            qos: 0,
            retain: false,
        };
        let has_dynsec = self.config.takes_dynsec();
        let session = self.sessions.get(client.handle);
        session.is_some_and(|session| {
            let by_rules = || session.judge(publish, &mut self.view.snapshot.verdict_cache);
            let verdict = session.judge_command(publish, has_dynsec);
            session.is(client)
                && session.phase == Phase::Live
                && verdict.unwrap_or_else(by_rules).is_allowed()
        })
    }

    fn judge(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Option<Verdict> {
        let session = self.sessions.get(client.handle)?;
        if !session.is(client) || session.is_past(usage) {
            return None;
        }
        if let Some(verdict) = session.judge_command(usage, self.config.takes_dynsec()) {
            return Some(verdict);
        }
        let verdict = session.judge(usage, &mut self.view.snapshot.verdict_cache);
        if verdict.is_allowed() || session.tenant.is_some() {
            if let (Phase::Gone { .. }, TopicUse::Publish { .. }) = (session.phase, usage) {
                if let Some(session) = self.sessions.get_mut(client.handle) {
                    session.will_was_sent();
                }
                return Some(verdict);
            }
            return Some(match verdict {
                Verdict::Allow => self.judge_limits(client.handle, session, usage, payload),
                Verdict::Deny(_) => verdict,
            });
        }
        Some(match session.principal {
            Principal::Unauthenticated => {
                match self.join_on_touch(client.handle, usage).unwrap_or(verdict) {
                    Verdict::Allow => self.within_limits(client.handle, usage, payload),
                    denied @ Verdict::Deny(_) => denied,
                }
            }
            Principal::Bearer { .. }
            | Principal::Certificate { .. }
            | Principal::Credential { .. }
            | Principal::External { .. }
            | Principal::Issued { .. }
            | Principal::User { .. } => verdict,
        })
    }

    /// Lets an unauthenticated session without a tenant join the one whose
    /// topics it touches.
    fn join_on_touch(&mut self, handle: Handle, usage: TopicUse<'_>) -> Option<Verdict> {
        // A tenant may have opened a moment ago.
        self.view.refresh().ok()?;
        let session = self.sessions.get(handle)?;
        let (tenant, rights) = self.view.snapshot.joined(usage, &session.client_id)?;
        let id = tenant.id.clone();
        let is_gone = matches!(session.phase, Phase::Gone { .. });
        if !is_gone && self.is_over_connections(&rights, None, Some(&id), &session.tie) {
            return Some(Verdict::Deny(Reason::OverLimit));
        }
        self.sessions.move_to(handle, Some(id.clone()), &[]);
        self.give_rights(handle, rights, self.now());
        let session = self.sessions.get(handle)?;
        let joined = PresenceEvent::Joined(session.number, id);
        let snapshot = &mut self.view.snapshot;
        let verdict = session.judge(usage, &mut snapshot.verdict_cache);
        self.journal.writer.observe(joined);
        Some(verdict)
    }
}
