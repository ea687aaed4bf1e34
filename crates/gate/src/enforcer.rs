//! Keeping live sessions true to the store: every change is worked off within
//! a poll or two, a little at a time.

use std::sync::Arc;

use countersign_core::change::Change;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::TenantId;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::rights::Rights;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::connection::kick_reason::KickReason;
use crate::connection::session::Session;
use crate::connection::session_grant::{judge_dependencies, rights_of_session};
use crate::enforcer::backlog::Backlog;
use crate::enforcer::kicks::{follow_request, kick_orphans};
use crate::enforcer::named_tenants::NamedTenants;
use crate::host::{Directive, Handle, LogLevel};
use crate::state::State;

mod backlog;
mod kicks;
mod named_tenants;

/// What is to be worked off.
pub(crate) struct Enforcer {
    /// Changes not yet worked off, so that no poll takes long.
    backlog: Backlog,
    /// Sessions whose time has come, until it is known whether they go on.
    overdue: Vec<(Handle, SessionNumber)>,
    /// Tenants that the options name.
    named_tenants: NamedTenants,
}

impl Enforcer {
    pub(crate) fn new() -> Self {
        Self {
            backlog: Backlog::default(),
            overdue: Vec::new(),
            named_tenants: NamedTenants::new(),
        }
    }

    /// Has a change worked off.
    pub(crate) fn push(&mut self, change: Change) {
        self.backlog.push(change);
    }

    /// How many changes may be pushed now: as many as are worked off at once, while
    /// not too many wait.
    pub(crate) fn room(&self) -> usize {
        MOST_WAITING
            .saturating_sub(self.backlog.len())
            .min(MOST_CHANGES)
    }

    /// Has everything judged again, and all said again that is wrong with the
    /// options.
    pub(crate) fn reload(&mut self) {
        self.named_tenants.say_again();
        self.push(Change::Everything);
    }

    /// Says whether there is something for a poll to do at once.
    pub(crate) fn wants_poll(&self) -> bool {
        self.has_changes() || self.named_tenants.is_due()
    }

    /// Says whether there are changes to be worked off.
    pub(crate) fn has_changes(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Has the sessions judged again whose time has come.
    pub(crate) fn expire<S>(&mut self, state: &mut State<S>, now: Timestamp) {
        for handle in state.sessions.due(now) {
            let Some(session) = state.sessions.get(handle) else {
                continue;
            };
            self.overdue.push((handle, session.number));
            let credential = session.credential();
            self.backlog.extend(credential.map(Change::Credential));
        }
    }

    /// Works off changes, as many as a poll may.
    pub(crate) fn work_off<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        now: Timestamp,
        directives: &mut Vec<Directive>,
    ) {
        let mut lookups = 0_usize;
        for _ in 0..MOST_CHANGES {
            if lookups >= MOST_LOOKUPS {
                break;
            }
            let Some(change) = self.backlog.pop() else {
                break;
            };
            let error = |line| Directive::Log {
                level: LogLevel::Error,
                line,
            };
            match self.follow(state, &change, now, directives) {
                Ok(looked_up) => {
                    lookups = lookups.saturating_add(looked_up);
                    if let Change::Tenant(_) | Change::Everything = change {
                        self.named_tenants.look_again();
                    }
                }
                Err(why) if why.is_of_one_record() => {
                    let line = format!("left out a change that can't be read: {why}");
                    directives.push(error(line));
                }
                Err(why) => {
                    self.backlog.put_back(change);
                    self.end_overdue(state, directives);
                    if state.journal.host_log.complain(now) {
                        let line = format!("can't follow a change, trying again: {why}");
                        directives.push(error(line));
                    }
                    break;
                }
            }
        }
        if self.backlog.is_empty() {
            self.overdue.clear();
        }
        let options = &state.config.options;
        self.named_tenants
            .check(options, &state.view.snapshot, directives);
    }

    /// Ends the sessions whose time has come and of which the store can't say
    /// that they may go on.
    fn end_overdue<S: GateStore>(&mut self, state: &mut State<S>, directives: &mut Vec<Directive>) {
        for (handle, number) in core::mem::take(&mut self.overdue) {
            let reason = KickReason::Refused(Reason::Expired);
            directives.extend(state.kick_if(handle, number, reason));
        }
    }

    /// Works off one change; says how often it asked the store.
    ///
    /// A record that can't be read ends its own sessions, and is no error: what
    /// comes after it is worked off all the same.
    fn follow<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        change: &Change,
        now: Timestamp,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        // A store that is not there says nothing about a record.
        state.look()?;
        match change {
            Change::Credential(id) => self.follow_credential(state, *id, now, directives),
            Change::Tenant(id) => self.follow_tenant(state, id, directives),
            Change::Group(tenant, group) => {
                // As changes of their own, so that no poll takes long.
                let members = state.sessions.in_group(tenant, group);
                self.backlog
                    .extend(members.into_iter().map(Change::Credential));
                Ok(1)
            }
            Change::KickRequested(id) => follow_request(state, *id, directives),
            Change::Everything => self.follow_everything(state, directives),
        }
    }

    fn follow_credential<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        id: CredentialId,
        now: Timestamp,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        state.verifier.forget(id);
        // As changes of their own, so that no poll takes long.
        let bound = state.sessions.bound_to(id);
        self.backlog.extend(
            bound
                .into_iter()
                .filter(|it| *it != id)
                .map(Change::Credential),
        );
        let handles = state.sessions.of_credential(id);
        if handles.is_empty() {
            return Ok(0);
        }
        let record = state.view.store.credential_by_id(id);
        for handle in handles.iter().copied() {
            let judged = match &record {
                Ok(record) => judge_again(state, handle, record.as_deref(), now, directives),
                Err(error) if error.is_of_one_record() => {
                    directives.extend(state.kick(handle, KickReason::Unreadable));
                    continue;
                }
                Err(_) => break,
            };
            match judged {
                Err(error) if error.is_of_one_record() => {
                    directives.extend(state.kick(handle, KickReason::Unreadable));
                }
                judged => judged?,
            }
        }
        if let Err(error) = record
            && !error.is_of_one_record()
        {
            return Err(error);
        }
        self.overdue.retain(|(handle, _)| !handles.contains(handle));
        Ok(1)
    }

    /// Works off a change of a tenant: every session of it is judged again, and
    /// every other one whose client id begins as its ids do; as changes of their
    /// own where the store must be asked.
    fn follow_tenant<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        id: &TenantId,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        state.view.refresh()?;
        let mode = state.view.snapshot.authentication(id);
        let exists = state.view.snapshot.has_tenant(id);
        let is_damaged = state.view.snapshot.is_damaged(id);
        let mut credentials = Vec::new();
        let is_of_it = |session: &Session| session.tenant.as_ref() == Some(id);
        let prefix = state.view.snapshot.prefix_of(id).cloned();
        let begins_so = |session: &Session| {
            let mut prefix = prefix.iter();
            prefix.any(|prefix| session.client_id.starts_with(prefix.as_str()))
        };
        let is_concerned = |session: &Session| is_of_it(session) || begins_so(session);
        for handle in state.sessions.matching(is_concerned) {
            let Some(session) = state.sessions.get_mut(handle) else {
                continue;
            };
            let tenant = session.tenant.as_ref();
            let snapshot = &state.view.snapshot;
            let judged = match session.credential() {
                _ if is_of_it(session) && is_damaged => Err(KickReason::Unreadable),
                _ if is_of_it(session) && !exists => Err(KickReason::Deleted),
                Some(credential) => {
                    credentials.push(credential);
                    Ok(())
                }
                None if !snapshot.keeps_prefixes(&session.client_id, tenant) => {
                    Err(KickReason::Refused(Reason::ClientIdMismatch))
                }
                None => session.judge_login_mode(mode),
            };
            match judged {
                Err(reason) => directives.extend(state.kick(handle, reason)),
                Ok(()) if session.credential().is_none() => {
                    let client_id = Some(&*session.client_id);
                    let rights = state.view.snapshot.rights_in(id, client_id);
                    session.rights = rights.unwrap_or_else(|| Arc::new(Rights::none()));
                }
                Ok(()) => {}
            }
        }
        credentials.sort_unstable();
        credentials.dedup();
        self.backlog
            .extend(credentials.into_iter().map(Change::Credential));
        kick_orphans(state, directives);
        Ok(2)
    }

    /// Judges every session again, as separate changes.
    fn follow_everything<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        state.view.refresh()?;
        state
            .verifier
            .set_argon2(state.view.snapshot.settings.argon2);
        let mut tenants: Vec<TenantId> = state
            .sessions
            .matching(|session| session.tenant.is_some())
            .into_iter()
            .filter_map(|handle| state.sessions.get(handle)?.tenant.clone())
            .collect();
        tenants.sort_unstable();
        tenants.dedup();
        self.backlog.extend(tenants.into_iter().map(Change::Tenant));
        let outside = state.sessions.matching(|session| session.tenant.is_none());
        let operators = outside
            .into_iter()
            .filter_map(|handle| state.sessions.get(handle)?.credential())
            .map(Change::Credential);
        self.backlog.extend(operators);
        kick_orphans(state, directives);
        Ok(2)
    }
}

/// Ends a session that may not go on, and gives another what it may do
/// now.
fn judge_again<S: GateStore>(
    state: &mut State<S>,
    handle: Handle,
    record: Option<&Credential>,
    now: Timestamp,
    directives: &mut Vec<Directive>,
) -> Result<(), StoreError> {
    let Some(session) = state.sessions.get(handle) else {
        return Ok(());
    };
    let judged = match (session.judge_again(record, now), record) {
        (Ok(()), Some(record)) => {
            let tenant = session.tenant.as_ref();
            if state
                .view
                .snapshot
                .keeps_prefixes(&session.client_id, tenant)
            {
                judge_dependencies(&mut state.view, session, record, now)?.map(|()| record)
            } else {
                Err(KickReason::Refused(Reason::ClientIdMismatch))
            }
        }
        (Ok(()), None) => Err(KickReason::Deleted),
        (Err(reason), _) => Err(reason),
    };
    let record = match judged {
        Ok(record) => record,
        Err(reason) => {
            directives.extend(state.kick(handle, reason));
            return Ok(());
        }
    };
    let (rights, ends_at) =
        rights_of_session(&mut state.view, &mut state.sessions, handle, record, now)?;
    let Some(session) = state.sessions.get_mut(handle) else {
        return Ok(());
    };
    session.rights = rights;
    session.resume();
    let number = session.number;
    if let Some(at) = ends_at {
        state.sessions.set_deadline(at, handle, number);
    }
    Ok(())
}

/// So often one poll asks the store; more than that would hold up the host.
const MOST_LOOKUPS: usize = 64;
/// So many changes one poll works off, also of what no session uses.
const MOST_CHANGES: usize = 1_024;
/// While so many wait, the follower keeps what is new; see `MOST_NEWS` there.
const MOST_WAITING: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_taken_as_they_are_worked_off_and_none_while_too_many_wait() {
        let mut enforcer = Enforcer::new();
        assert_eq!(enforcer.room(), MOST_CHANGES);
        let ids = (0..).map(CredentialId).map(Change::Credential);
        enforcer.backlog.extend(ids.clone().take(MOST_WAITING - 1));
        assert_eq!(enforcer.room(), 1);
        enforcer.backlog.extend(ids.take(MOST_WAITING + 1));
        assert_eq!(enforcer.room(), 0);
    }
}
