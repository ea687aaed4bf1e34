//! Keeping live sessions true to the store: every change is worked off within
//! a few polls, a little at a time. A poll takes no longer however many sessions a
//! change concerns.

use std::collections::{HashMap, VecDeque};

use countersign_core::change::Change;
use countersign_core::credential::CredentialId;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::connection::kick_reason::KickReason;
use crate::connection::session::Session;
use crate::enforcer::backlog::Backlog;
use crate::enforcer::judgement::{judge_again, look_at};
use crate::enforcer::kicks::follow_request;
use crate::enforcer::named_tenants::NamedTenants;
use crate::enforcer::sweep::Sweep;
use crate::follower::Follower;
use crate::host::{Directive, Handle, LogLevel};
use crate::state::State;

mod backlog;
mod judgement;
mod kicks;
mod named_tenants;
mod sweep;

/// What is to be worked off.
pub(crate) struct Enforcer {
    /// Changes not yet worked off, so that no poll takes long.
    backlog: Backlog,
    /// The look for the sessions of tenants, groups and client ids that changed.
    sweep: Sweep,
    /// The credentials that are being worked off, and which of their sessions are to
    /// be judged again still.
    begun: VecDeque<(CredentialId, Vec<Handle>)>,
    /// Sessions that depend on a credential that changed. Their own are to be worked
    /// off.
    dependent: Vec<Handle>,
    /// Sessions whose time has come, until it is known whether they go on.
    overdue: HashMap<Handle, SessionNumber>,
    /// Tenants that the options name.
    named_tenants: NamedTenants,
}

impl Enforcer {
    pub(crate) fn new() -> Self {
        Self {
            backlog: Backlog::default(),
            sweep: Sweep::default(),
            begun: VecDeque::new(),
            dependent: Vec::new(),
            overdue: HashMap::new(),
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

    /// Has all sessions held against bans that are others now.
    pub(crate) fn take_bans<S>(&mut self, state: &mut State<S>, follower: &Follower) {
        if let Some(bans) = follower.take_bans() {
            state.bans = bans;
            self.sweep.next().is_about_bans = true;
        }
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
            || !self.begun.is_empty()
            || !self.dependent.is_empty()
            || !self.sweep.is_over()
    }

    /// Has the sessions judged again whose time has come.
    pub(crate) fn expire<S>(&mut self, state: &mut State<S>, now: Timestamp) {
        for handle in state.sessions.due(now, MOST_SESSIONS) {
            let Some(session) = state.sessions.get(handle) else {
                continue;
            };
            self.overdue.insert(handle, session.number);
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
        let mut budget = Budget::of_a_poll();
        // By turns, so that neither holds up the other.
        while let Some(has_changed) = self.work_off_one(state, now, &mut budget, directives) {
            if !self.look_at_sessions(state, now, &mut budget, directives) && !has_changed {
                break;
            }
        }
        if !self.has_changes() {
            self.overdue.clear();
        }
        let options = &state.config.options;
        self.named_tenants
            .check(options, &state.view.snapshot, directives);
    }

    /// Works off one change, or goes on with one; says whether there was any. None
    /// where the store can't be read.
    fn work_off_one<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        now: Timestamp,
        budget: &mut Budget,
        directives: &mut Vec<Directive>,
    ) -> Option<bool> {
        if budget.lookups == 0 || budget.changes == 0 {
            return Some(false);
        }
        budget.changes = budget.changes.saturating_sub(1);
        let begun = |begun: &mut VecDeque<_>| {
            let (id, handles) = begun.pop_front()?;
            Some((Change::Credential(id), Some(handles)))
        };
        let new = |backlog: &mut Backlog| Some((backlog.pop()?, None));
        // By turns, so that a credential with many sessions holds up no other.
        let next = if budget.changes.is_multiple_of(2) {
            begun(&mut self.begun).or_else(|| new(&mut self.backlog))
        } else {
            new(&mut self.backlog).or_else(|| begun(&mut self.begun))
        };
        let Some((change, handles)) = next else {
            return Some(false);
        };
        let error = |line| Directive::Log {
            level: LogLevel::Error,
            line,
        };
        match self.follow(state, &change, handles, now, budget, directives) {
            Ok(()) => {
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
                return None;
            }
        }
        Some(true)
    }

    /// Looks at a few sessions for what changes concern; says whether there was
    /// anything to look for.
    fn look_at_sessions<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        now: Timestamp,
        budget: &mut Budget,
        directives: &mut Vec<Directive>,
    ) -> bool {
        let most = budget.sessions.min(SESSIONS_AT_ONCE);
        if most == 0 {
            return false;
        }
        let Self {
            backlog,
            sweep,
            dependent,
            ..
        } = self;
        let rest = dependent.len().saturating_sub(most);
        let credentials = dependent
            .drain(rest..)
            .filter_map(|handle| state.sessions.get(handle)?.credential());
        backlog.extend(credentials.map(Change::Credential));
        budget.sessions = budget.sessions.saturating_sub(most);
        let Some((handles, sought)) = sweep.step(&state.sessions, most) else {
            return !dependent.is_empty();
        };
        for handle in handles {
            look_at(state, handle, sought, now, backlog, directives);
        }
        true
    }

    /// Ends the sessions whose time has come and of which the store can't say
    /// that they may go on.
    fn end_overdue<S: GateStore>(&mut self, state: &mut State<S>, directives: &mut Vec<Directive>) {
        for (handle, number) in core::mem::take(&mut self.overdue) {
            let reason = KickReason::Refused(Reason::Expired);
            directives.extend(state.kick_if(handle, number, reason));
        }
    }

    /// Works off one change, or of one that was begun these sessions.
    ///
    /// A record that can't be read ends its own sessions, and is no error: what
    /// comes after it is worked off all the same.
    fn follow<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        change: &Change,
        handles: Option<Vec<Handle>>,
        now: Timestamp,
        budget: &mut Budget,
        directives: &mut Vec<Directive>,
    ) -> Result<(), StoreError> {
        // A store that is not there says nothing about a record.
        state.look()?;
        match change {
            // Bans are read beside the host's thread.
            Change::Ban(_) => return Ok(()),
            // What was proved by the keys before stays proved.
            Change::IssuerKeys(_) => {}
            Change::Credential(id) => {
                let handles = handles.unwrap_or_else(|| self.begin(state, *id));
                return self.follow_credential(state, *id, handles, now, budget, directives);
            }
            Change::Tenant(id) => {
                state.view.refresh()?;
                self.sweep.next().tenants.insert(id.clone());
            }
            Change::Group(tenant, group) => self.sweep.next().add_group(tenant.clone(), group),
            Change::KickRequested(id) => {
                follow_request(state, *id, self.sweep.next(), directives)?;
            }
            Change::Everything => {
                state.view.refresh()?;
                let argon2 = state.view.snapshot.settings.argon2;
                state.verifier.set_argon2(argon2);
                self.sweep.next().is_everything = true;
            }
        }
        budget.spend(2);
        Ok(())
    }

    /// Begins to work off a change of a credential; returns its sessions.
    fn begin<S>(&mut self, state: &mut State<S>, id: CredentialId) -> Vec<Handle> {
        state.verifier.forget(id);
        self.dependent.extend(state.sessions.bound_to(id));
        state.sessions.of_credential(id)
    }

    /// Judges these sessions of a credential again, as many as a poll may.
    fn follow_credential<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        id: CredentialId,
        mut handles: Vec<Handle>,
        now: Timestamp,
        budget: &mut Budget,
        directives: &mut Vec<Directive>,
    ) -> Result<(), StoreError> {
        if handles.is_empty() {
            return Ok(());
        }
        let record = match state.view.store.credential_by_id(id) {
            Err(error) if !error.is_of_one_record() => return Err(error),
            record => record,
        };
        let mut judged = 0_usize;
        while let Some(handle) = handles.pop() {
            let session = state.sessions.get(handle);
            // The handle may be another's by now.
            if session.and_then(Session::credential) != Some(id) {
                continue;
            }
            let outcome = match &record {
                Ok(record) => judge_again(state, handle, record.as_deref(), now, directives),
                Err(error) => Err(error.of_the_same()),
            };
            match outcome {
                Err(error) if error.is_of_one_record() => {
                    directives.extend(state.kick(handle, KickReason::Unreadable));
                }
                outcome => outcome?,
            }
            self.overdue.remove(&handle);
            judged = judged.saturating_add(1);
            if judged >= JUDGED_AT_ONCE && !handles.is_empty() {
                self.begun.push_back((id, handles));
                break;
            }
        }
        budget.spend(1);
        Ok(())
    }
}

/// What a poll may still do.
struct Budget {
    changes: usize,
    lookups: usize,
    sessions: usize,
}

impl Budget {
    const fn of_a_poll() -> Self {
        Self {
            changes: MOST_CHANGES,
            lookups: MOST_LOOKUPS,
            sessions: MOST_SESSIONS,
        }
    }

    /// Takes note of look-ups in the store.
    fn spend(&mut self, lookups: usize) {
        self.lookups = self.lookups.saturating_sub(lookups);
    }
}

/// So often one poll asks the store; more than that would hold up the host.
const MOST_LOOKUPS: usize = 64;
/// So many changes one poll works off, also of what no session uses.
const MOST_CHANGES: usize = 1_024;
/// At so many sessions one poll looks for what changes concern, and so many come to
/// their end in it.
const MOST_SESSIONS: usize = 4_096;
/// At so many by turns with changes.
const SESSIONS_AT_ONCE: usize = 64;
/// So many sessions of a credential are judged again by one look-up.
const JUDGED_AT_ONCE: usize = 4;
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
