//! All sessions of a gate, told apart by the host's handles and never by client
//! ids.

use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use countersign_core::client_id::ClientIdTie;
use countersign_core::connect::Request;
use countersign_core::credential::CredentialId;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::number_map::{NumberHasher, NumberMap};
use countersign_core::presence::SessionNumber;
use countersign_core::secret::TagKey;
use countersign_core::time::Timestamp;

use crate::connection::handle_index::HandleIndex;
use crate::connection::session::{Phase, Session};
use crate::connection::session_extension::Child;
use crate::connection::tenant_counts::TenantCounts;
use crate::counters::Gauge;
use crate::digest_map::DigestState;
use crate::host::{ClientRef, Handle};

/// All sessions of a gate.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_handle: NumberMap<usize, Session>,
    by_credential: HandleIndex<CredentialId, BuildHasherDefault<NumberHasher>>,
    /// Sessions that depend on a credential that is not their own.
    by_dependency: HandleIndex<CredentialId, BuildHasherDefault<NumberHasher>>,
    /// In the order in which they began.
    by_number: BTreeMap<SessionNumber, Handle>,
    /// The sessions of each client id whose connection is open.
    live: HandleIndex<ClientIdTie, DigestState>,
    /// How many of them there are.
    open: Arc<Gauge>,
    /// How many of them each tenant has.
    of_tenants: TenantCounts,
    /// When sessions end by themselves; perhaps also of some that are gone.
    deadlines: BTreeSet<(Timestamp, Handle, SessionNumber)>,
    /// With so many deadlines it is time to drop those of sessions that are
    /// gone.
    most_deadlines: usize,
    /// Gone since the last poll; their Wills may still be on the way.
    leaving: Vec<(Handle, SessionNumber)>,
    /// Gone before that; forgotten at the next poll.
    left: Vec<(Handle, SessionNumber)>,
    /// Gone, but stored by the host; oldest first.
    stored_offline: VecDeque<(Handle, SessionNumber)>,
    last_number: i64,
}

impl Sessions {
    /// No sessions; how many are open is told there.
    pub(crate) fn told_to(open: &Arc<Gauge>) -> Self {
        Self {
            open: Arc::clone(open),
            ..Self::default()
        }
    }

    /// The number of the next session.
    pub(crate) fn next_number(&mut self) -> SessionNumber {
        self.last_number = self.last_number.saturating_add(1);
        SessionNumber(self.last_number)
    }

    /// Adds a session, in place of any that had the handle before.
    pub(crate) fn insert(&mut self, handle: Handle, session: Session) {
        self.remove(handle);
        if let Some(id) = session.credential() {
            self.by_credential.add(id, handle);
        }
        for id in session.dependencies() {
            self.by_dependency.add(id, handle);
        }
        self.by_number.insert(session.number, handle);
        if !matches!(session.phase, Phase::Gone { .. }) {
            self.live.add(session.tie, handle);
            self.open.enter();
            self.of_tenants.enter(session.tenant.as_ref());
        }
        self.by_handle.insert(handle.0, session);
    }

    /// Says whether there is a live session under this handle.
    pub(crate) fn is_live(&self, handle: Handle) -> bool {
        let session = self.get(handle);
        session.is_some_and(|session| session.phase == Phase::Live)
    }

    /// The sessions of a client id whose connections are open.
    pub(crate) fn live(&self, client_id: &ClientIdTie) -> impl Iterator<Item = &Session> {
        self.live
            .get(client_id)
            .filter_map(|handle| self.get(handle))
    }

    /// How many connections of a credential are open under other client ids; where there
    /// are more than `most`, so many.
    pub(crate) fn open_of_credential(
        &self,
        id: CredentialId,
        client_id: &ClientIdTie,
        most: usize,
    ) -> usize {
        let sessions = self.by_credential.get(&id);
        let sessions = sessions.filter_map(|handle| self.get(handle));
        let open = sessions.filter(|session| {
            session.tie != *client_id && !matches!(session.phase, Phase::Gone { .. })
        });
        open.take(most).count()
    }

    /// How many connections of a tenant are open under other client ids.
    pub(crate) fn open_of_tenant(&self, id: &TenantId, client_id: &ClientIdTie) -> usize {
        let open = self.of_tenants.of(id);
        let same = self.live(client_id);
        let same = same.filter(|session| session.tenant.as_ref() == Some(id));
        open.saturating_sub(same.count())
    }

    /// Says whether there is a session of this client whose connection is open.
    pub(crate) fn has_open(&self, client: &ClientRef<'_>) -> bool {
        let session = self.get(client.handle);
        session.is_some_and(|it| it.is(client) && !matches!(it.phase, Phase::Gone { .. }))
    }

    /// Says whether a connection that is open has this client id.
    pub(crate) fn has_live(&self, client_id: &ClientIdTie) -> bool {
        self.live(client_id).next().is_some()
    }

    /// Says whether a client that came later was let in under the client id of a
    /// session.
    pub(crate) fn is_taken_over(&self, handle: Handle) -> bool {
        self.get(handle).is_some_and(|session| {
            let mut live = self.live(&session.tie);
            live.any(|other| other.number > session.number)
        })
    }

    /// The user name of a live session that presents what it presented
    /// before. With `trusts_enhanced`, one that began by enhanced authentication
    /// need not present it.
    #[expect(
        clippy::option_option,
        reason = "recognised or not; with a user name or not"
    )]
    pub(crate) fn recognise(
        &self,
        handle: Handle,
        request: &Request,
        key: &TagKey,
        trusts_enhanced: bool,
    ) -> Option<Option<Arc<str>>> {
        let session = self.get(handle)?;
        let name = request.name.as_ref();
        let is_same_name = name.map(LoginName::as_str) == session.username.as_deref()
            || (name.is_some() && name == session.presented.as_ref());
        // What enhanced authentication brought is not there to be shown again.
        let needs_no_tag = trusts_enhanced && session.is_enhanced();
        let is_same = session.phase == Phase::Live
            && *session.client_id == *request.client_id.as_str()
            && is_same_name
            && (needs_no_tag || session.tag.recognises(key, request));
        is_same.then(|| session.username.clone())
    }

    /// All sessions whose connections are open.
    pub(crate) fn connected(&self) -> impl Iterator<Item = &Session> {
        let all = self.by_handle.values();
        all.filter(|session| !matches!(session.phase, Phase::Gone { .. }))
    }

    /// Ends a session at this instant, if it lives so long.
    pub(crate) fn set_deadline(&mut self, at: Timestamp, handle: Handle, number: SessionNumber) {
        if self.deadlines.len() >= self.most_deadlines.max(FEW_DEADLINES) {
            let by_handle = &self.by_handle;
            self.deadlines.retain(|(_, handle, number)| {
                by_handle
                    .get(&handle.0)
                    .is_some_and(|session| session.number == *number)
            });
            self.most_deadlines = self.deadlines.len().saturating_mul(2);
        }
        let session = self.by_handle.get_mut(&handle.0);
        let session = session.filter(|session| session.number == number);
        // A session may be given a later end again and again, by a token each time.
        if let Some(extension) = session.and_then(|session| session.extension.as_mut())
            && let Some(before) = extension.ends_at.replace(at)
        {
            self.deadlines.remove(&(before, handle, number));
        }
        self.deadlines.insert((at, handle, number));
    }

    /// The sessions whose deadline has come, at most so many.
    pub(crate) fn due(&mut self, now: Timestamp, most: usize) -> Vec<Handle> {
        let mut due = Vec::new();
        while let Some((_, handle, number)) = self
            .deadlines
            .first()
            .copied()
            .filter(|(at, ..)| *at <= now && due.len() < most)
        {
            self.deadlines.pop_first();
            if self
                .get(handle)
                .is_some_and(|session| session.number == number)
            {
                due.push(handle);
            }
        }
        due
    }

    /// Removes a session with all that was kept for it.
    pub(crate) fn remove(&mut self, handle: Handle) -> Option<Session> {
        let session = self.by_handle.remove(&handle.0)?;
        self.remove_dependencies(handle, session.dependencies());
        self.by_number.remove(&session.number);
        // Of one that is gone it was removed when it went.
        if !matches!(session.phase, Phase::Gone { .. }) {
            self.live.remove(&session.tie, handle);
            self.open.leave(1);
            self.of_tenants.leave(session.tenant.as_ref());
        }
        if let Some(id) = session.credential() {
            self.by_credential.remove(&id, handle);
        }
        Some(session)
    }

    /// Replaces the things that are bound to a session.
    pub(crate) fn set_children(&mut self, handle: Handle, children: Vec<Child>) {
        let Some(session) = self.by_handle.get_mut(&handle.0) else {
            return;
        };
        let before: Vec<_> = session.dependencies().collect();
        session.extension_mut().children = children;
        let after: Vec<_> = session.dependencies().collect();
        self.remove_dependencies(handle, before);
        for id in after {
            self.by_dependency.add(id, handle);
        }
    }

    /// Replaces the groups that a session is in.
    pub(crate) fn set_groups(&mut self, handle: Handle, groups: &[GroupPath]) {
        if let Some(session) = self.get(handle) {
            let tenant = session.tenant.clone();
            self.move_to(handle, tenant, groups);
        }
    }

    /// Has a session work in a tenant, in these groups of it.
    pub(crate) fn move_to(
        &mut self,
        handle: Handle,
        tenant: Option<TenantId>,
        groups: &[GroupPath],
    ) {
        let Some(session) = self.by_handle.get_mut(&handle.0) else {
            return;
        };
        if session.tenant == tenant && session.groups() == groups {
            return;
        }
        let before = core::mem::replace(&mut session.tenant, tenant.clone());
        if session.groups() != groups {
            session.extension_mut().groups = groups.into();
        }
        if !matches!(session.phase, Phase::Gone { .. }) {
            self.of_tenants.leave(before.as_ref());
            self.of_tenants.enter(tenant.as_ref());
        }
    }

    fn remove_dependencies(
        &mut self,
        handle: Handle,
        depends_on: impl IntoIterator<Item = CredentialId>,
    ) {
        for id in depends_on {
            self.by_dependency.remove(&id, handle);
        }
    }

    /// The sessions of others that depend on this credential.
    pub(crate) fn bound_to(&self, id: CredentialId) -> Vec<Handle> {
        let is_others = |handle: &Handle| {
            let session = self.get(*handle);
            session.is_some_and(|session| session.credential() != Some(id))
        };
        self.by_dependency.get(&id).filter(is_others).collect()
    }

    /// Marks a session as gone. It still answers for its Will and, if it is
    /// stored, for its queue.
    pub(crate) fn mark_gone(&mut self, handle: Handle) {
        let Some(session) = self.by_handle.get_mut(&handle.0) else {
            return;
        };
        let was_open = !matches!(session.phase, Phase::Gone { .. });
        let stopped = match session.phase {
            // A client that comes back with another token is to be judged by
            // that.
            Phase::Kicked(reason) if reason.is_final() || session.is_token() => Some(reason),
            Phase::Live | Phase::Kicked(_) => None,
            Phase::Gone { stopped, .. } => stopped,
        };
        session.phase = Phase::Gone {
            stopped,
            will_due: true,
            is_over: false,
        };
        let entry = (handle, session.number);
        let tenant = session.tenant.clone().filter(|_| was_open);
        if session.stored {
            self.stored_offline.push_back(entry);
        }
        self.live.remove(&session.tie, handle);
        if was_open {
            self.open.leave(1);
            self.of_tenants.leave(tenant.as_ref());
        }
        self.leaving.push(entry);
        if self.stored_offline.len() > MOST_STORED_OFFLINE
            && let Some((handle, number)) = self.stored_offline.pop_front()
        {
            self.forget(handle, number);
        }
    }

    /// Says whether no session is on its way out, and none ends by itself.
    pub(crate) fn are_idle(&self) -> bool {
        self.left.is_empty() && self.leaving.is_empty() && self.deadlines.is_empty()
    }

    /// Forgets the sessions that were gone at the last poll already, or at
    /// least their Wills if they are stored.
    pub(crate) fn forget_gone(&mut self) {
        for (handle, number) in core::mem::take(&mut self.left) {
            match self.get_mut(handle) {
                Some(session) if session.number == number && session.stored => {
                    session.end_was_handled();
                }
                Some(_) | None => self.forget(handle, number),
            }
        }
        core::mem::swap(&mut self.left, &mut self.leaving);
    }

    fn forget(&mut self, handle: Handle, number: SessionNumber) {
        let is_it = |session: &Session| {
            session.number == number && matches!(session.phase, Phase::Gone { .. })
        };
        if self.get(handle).is_some_and(is_it) {
            self.remove(handle);
        }
    }

    /// The session with this handle.
    pub(crate) fn get(&self, handle: Handle) -> Option<&Session> {
        self.by_handle.get(&handle.0)
    }

    /// The session with this handle, to change it.
    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut Session> {
        self.by_handle.get_mut(&handle.0)
    }

    /// The sessions of a credential.
    pub(crate) fn of_credential(&self, id: CredentialId) -> Vec<Handle> {
        self.by_credential.get(&id).collect()
    }

    /// The session with this number.
    pub(crate) fn numbered(&self, number: SessionNumber) -> Option<Handle> {
        self.by_number.get(&number).copied()
    }

    /// All sessions that began after that one, in the order in which they did.
    pub(crate) fn after(
        &self,
        last: Option<SessionNumber>,
    ) -> impl Iterator<Item = (SessionNumber, Handle)> + '_ {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let sessions = self.by_number.range((from, Bound::Unbounded));
        sessions.map(|(number, handle)| (*number, *handle))
    }
}

const MOST_STORED_OFFLINE: usize = 100_000;
const FEW_DEADLINES: usize = 64;

#[cfg(test)]
pub(crate) use tests::session as sample;

#[cfg(test)]
mod tests;
