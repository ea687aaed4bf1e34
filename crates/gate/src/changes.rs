//! Keeping live sessions true to the store: every change is worked off within
//! a poll or two, a little at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_core::change::{Change, KickRequestId};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::TenantId;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, KickTarget, StoreError};
use countersign_core::time::Timestamp;

use crate::follower::FollowerEvent;
use crate::gate::Gate;
use crate::host::{Directive, Handle, LogLevel};
use crate::journal::writer::JournalEntry;
use crate::session::{KickReason, Phase, Session};

impl<S: GateStore> Gate<S> {
    /// Works off what changed in the store and what time has ended.
    ///
    /// To be called whenever the host was woken, and at least every 100 ms.
    /// It costs next to nothing when there is nothing to do. The host carries
    /// the directives out once it has let go of the gate.
    #[must_use]
    pub fn poll(&mut self) -> Vec<Directive> {
        self.password_logins.round_completed();
        self.users.is_reloading = false;
        // Hosts poll once a packet, and even the time takes time to read.
        let is_idle = self.sessions.are_idle()
            && self.password_logins.is_idle()
            && self.users.challenges.is_idle()
            && !self.log_limit.has_more();
        if !self.wants_poll() && is_idle {
            return Vec::new();
        }
        self.sessions.forget_gone();
        let mut directives = Vec::new();
        let events = if self.wake_signal.acknowledge() {
            self.password_logins.take_answers();
            self.users.command_queue.take_results();
            self.follower.take()
        } else {
            VecDeque::new()
        };
        for events in events {
            match events {
                FollowerEvent::Changed(change) => self.backlog.push(change),
                FollowerEvent::Lost(error) => {
                    // Lets go of files that are no more.
                    let _there = self.store.log_position();
                    directives.push(Directive::Log {
                        level: LogLevel::Error,
                        line: format!(
                            "can't follow the store, so changes don't reach live sessions, and \
                             logins are refused: {error}"
                        ),
                    });
                }
                FollowerEvent::KeyFile => directives.push(self.take_key()),
                FollowerEvent::Log(line) => directives.push(Directive::Log {
                    level: LogLevel::Notice,
                    line,
                }),
                FollowerEvent::Recovered => directives.push(Directive::Log {
                    level: LogLevel::Notice,
                    line: "following the store again".into(),
                }),
            }
        }
        let now = self.now();
        self.users.challenges.tidy(now);
        for handle in self.sessions.due(now) {
            let Some(session) = self.sessions.get(handle) else {
                continue;
            };
            self.overdue.push((handle, session.number));
            let credential = session.credential();
            self.backlog.extend(credential.map(Change::Credential));
        }
        let mut lookups = 0_usize;
        while lookups < MOST_LOOKUPS
            && let Some(change) = self.backlog.pop()
        {
            match self.follow(&change, now, &mut directives) {
                Ok(looked_up) => {
                    lookups = lookups.saturating_add(looked_up);
                    if let Change::Tenant(_) | Change::Everything = change {
                        self.named_tenants.look_again();
                    }
                }
                Err(error) if error.is_of_one_record() => {
                    directives.push(Directive::Log {
                        level: LogLevel::Error,
                        line: format!("left out a change that can't be read: {error}"),
                    });
                }
                Err(error) => {
                    self.backlog.put_back(change);
                    self.end_overdue(&mut directives);
                    if self.complain(now) {
                        directives.push(Directive::Log {
                            level: LogLevel::Error,
                            line: format!("can't follow a change, trying again: {error}"),
                        });
                    }
                    break;
                }
            }
        }
        if self.backlog.is_empty() {
            self.overdue.clear();
        }
        let options = &self.config.options;
        self.named_tenants
            .check(options, &self.snapshot, &mut directives);
        if let Some(line) = self.log_limit.summary(now) {
            let level = LogLevel::Notice;
            directives.push(Directive::Log { level, line });
        }
        for line in self.snapshot.take_complaints() {
            let level = LogLevel::Error;
            directives.push(Directive::Log { level, line });
        }
        for (handle, number) in core::mem::take(&mut self.users.misbehaving) {
            let session = self.sessions.get(handle);
            if session.is_some_and(|session| session.number == number) {
                self.kick(
                    handle,
                    KickReason::Refused(Reason::Malformed),
                    &mut directives,
                );
            }
        }
        self.answer_commands(&mut directives);
        // Last, for a host may end connections by client id: what ends an old
        // one must come before a new one is let in.
        self.complete(now, &mut directives);
        if !self.backlog.is_empty() || self.password_logins.has_answers() {
            (self.config.wake)();
        }
        directives
    }

    /// Says whether [`Gate::poll`] has something to do at once.
    #[must_use]
    pub fn wants_poll(&self) -> bool {
        self.wake_signal.is_raised()
            || !self.backlog.is_empty()
            || self.password_logins.has_answers()
            || self.users.command_queue.has_something()
            || !self.users.misbehaving.is_empty()
            || self.snapshot.has_complaints()
            || self.named_tenants.is_due()
    }

    /// Takes over what stands in the key file now; says so.
    fn take_key(&mut self) -> Directive {
        self.users.seal_key = self.follower.read_key(&self.store);
        let (level, line) = match self.users.seal_key {
            Some(_) => (
                LogLevel::Notice,
                "the key file changed; it is used from now on",
            ),
            None => (
                LogLevel::Error,
                "the key file beside the store is gone or damaged; logins that need a second \
                 factor are refused until it is back",
            ),
        };
        let line = line.into();
        Directive::Log { level, line }
    }

    /// Ends the sessions whose time has come and of which the store can't say
    /// that they may go on.
    fn end_overdue(&mut self, directives: &mut Vec<Directive>) {
        for (handle, number) in core::mem::take(&mut self.overdue) {
            let session = self.sessions.get(handle);
            if session.is_some_and(|session| session.number == number) {
                self.kick(handle, KickReason::Refused(Reason::Expired), directives);
            }
        }
    }

    /// Works off one change; says how often it asked the store.
    ///
    /// A record that can't be read ends its own sessions, and is no error: what
    /// comes after it is worked off all the same.
    fn follow(
        &mut self,
        change: &Change,
        now: Timestamp,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        self.unseen.forget_all();
        // A store that is not there says nothing about a record.
        self.look_for_another_store()?;
        match change {
            Change::Credential(id) => self.follow_credential(*id, now, directives),
            Change::Tenant(id) => self.follow_tenant(id, directives),
            Change::KickRequested(id) => self.follow_request(*id, directives),
            Change::Everything => self.follow_everything(directives),
        }
    }

    fn follow_credential(
        &mut self,
        id: CredentialId,
        now: Timestamp,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        self.secret_verifier.forget(id);
        // As changes of their own, so that no poll takes long.
        let bound = self.sessions.bound_to(id);
        self.backlog.extend(
            bound
                .into_iter()
                .filter(|it| *it != id)
                .map(Change::Credential),
        );
        let handles = self.sessions.of_credential(id);
        if handles.is_empty() {
            return Ok(0);
        }
        let record = self.store.credential_by_id(id);
        for handle in handles.iter().copied() {
            let judged = match &record {
                Ok(record) => self.judge_again(handle, record.as_deref(), now, directives),
                Err(error) if error.is_of_one_record() => {
                    self.kick(handle, KickReason::Unreadable, directives);
                    continue;
                }
                Err(_) => break,
            };
            match judged {
                Err(error) if error.is_of_one_record() => {
                    self.kick(handle, KickReason::Unreadable, directives);
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

    /// Ends a session that may not go on, and gives another what it may do
    /// now.
    fn judge_again(
        &mut self,
        handle: Handle,
        record: Option<&Credential>,
        now: Timestamp,
        directives: &mut Vec<Directive>,
    ) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get(handle) else {
            return Ok(());
        };
        let judged = match (session.judge_again(record, now), record) {
            (Ok(()), Some(record)) => {
                let tenant = session.tenant.as_ref();
                if self.snapshot.keeps_prefixes(&session.client_id, tenant) {
                    self.judge_dependencies(handle, record, now)?
                        .map(|()| record)
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
                self.kick(handle, reason, directives);
                return Ok(());
            }
        };
        let (rights, ends_at) = self.rights_of_session(handle, record, now)?;
        let Some(session) = self.sessions.get_mut(handle) else {
            return Ok(());
        };
        session.rights = rights;
        session.resume();
        let number = session.number;
        if let Some(at) = ends_at {
            self.sessions.set_deadline(at, handle, number);
        }
        Ok(())
    }

    /// Works off a change of a tenant: every session of it is judged again, as
    /// changes of their own where the store must be asked.
    fn follow_tenant(
        &mut self,
        id: &TenantId,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        self.snapshot.refresh(&mut self.store)?;
        let mode = self.snapshot.authentication(id);
        let exists = self.snapshot.has_tenant(id);
        let is_damaged = self.snapshot.is_damaged(id);
        let mut credentials = Vec::new();
        for handle in self
            .sessions
            .matching(|session| session.tenant.as_ref() == Some(id))
        {
            let Some(session) = self.sessions.get_mut(handle) else {
                continue;
            };
            let judged = match session.credential() {
                _ if is_damaged => Err(KickReason::Unreadable),
                _ if !exists => Err(KickReason::Deleted),
                Some(credential) => {
                    credentials.push(credential);
                    Ok(())
                }
                None => session.judge_login_mode(mode),
            };
            match (judged, self.snapshot.rights_in(id)) {
                (Err(reason), _) => self.kick(handle, reason, directives),
                (Ok(()), Some(rights)) if session.credential().is_none() => {
                    session.rights = Arc::clone(rights);
                }
                (Ok(()), _) => {}
            }
        }
        credentials.sort_unstable();
        credentials.dedup();
        self.backlog
            .extend(credentials.into_iter().map(Change::Credential));
        self.kick_orphans(directives);
        Ok(2)
    }

    fn follow_request(
        &mut self,
        id: KickRequestId,
        directives: &mut Vec<Directive>,
    ) -> Result<usize, StoreError> {
        let Some(target) = self.store.kick_request(id)? else {
            return Ok(1);
        };
        let handles = match &target {
            KickTarget::ClientId(client_id) => self
                .sessions
                .matching(|session| session.phase == Phase::Live && session.tie == *client_id),
            KickTarget::Session {
                broker,
                session: number,
            } => {
                if broker != self.config.broker() {
                    return Ok(1);
                }
                self.sessions
                    .matching(|session| session.phase == Phase::Live && session.number == *number)
            }
        };
        if handles.is_empty() {
            return Ok(1);
        }
        for handle in handles {
            self.kick(handle, KickReason::Requested, directives);
        }
        self.writer.append(JournalEntry::Kicked(id));
        Ok(1)
    }

    /// Judges every session again, as separate changes.
    fn follow_everything(&mut self, directives: &mut Vec<Directive>) -> Result<usize, StoreError> {
        self.snapshot.refresh(&mut self.store)?;
        self.secret_verifier
            .set_argon2(self.snapshot.settings.argon2);
        let mut tenants: Vec<TenantId> = self
            .sessions
            .matching(|session| session.tenant.is_some())
            .into_iter()
            .filter_map(|handle| self.sessions.get(handle)?.tenant.clone())
            .collect();
        tenants.sort_unstable();
        tenants.dedup();
        self.backlog.extend(tenants.into_iter().map(Change::Tenant));
        let outside = self.sessions.matching(|session| session.tenant.is_none());
        let operators = outside
            .into_iter()
            .filter_map(|handle| self.sessions.get(handle)?.credential())
            .map(Change::Credential);
        self.backlog.extend(operators);
        self.kick_orphans(directives);
        Ok(2)
    }

    /// Ends the sessions that wait for an open tenant when there is none.
    fn kick_orphans(&mut self, directives: &mut Vec<Directive>) {
        if !self.snapshot.has_no_open_tenant() {
            return;
        }
        let is_stray =
            |session: &Session| session.tenant.is_none() && session.credential().is_none();
        for handle in self.sessions.matching(is_stray) {
            self.kick(handle, KickReason::LoginRequired, directives);
        }
    }

    /// Ends a session or, if it is gone, what it left behind.
    fn kick(&mut self, handle: Handle, reason: KickReason, directives: &mut Vec<Directive>) {
        let Some(session) = self.sessions.get_mut(handle) else {
            return;
        };
        let phase = session.phase;
        session.stop(reason);
        let client_id = Arc::clone(&session.client_id);
        let label = session.label();
        let shown = self
            .sessions
            .get(handle)
            .map_or_else(|| "".into(), |session| self.shown_client_id(session));
        let line = format!("ended the session of {label} ({shown}): {reason}");
        let is_due = match phase {
            Phase::Live => true,
            Phase::Kicked(_)
            | Phase::Gone {
                stopped: Some(_), ..
            } => false,
            // The host still holds its subscriptions; ending it once more
            // makes the host ask which of them to keep.
            Phase::Gone { stopped: None, .. } => {
                reason.is_final() && self.sessions.live(&client_id).next().is_none()
            }
        };
        if is_due {
            directives.push(Directive::Kick {
                handle,
                client_id,
                line,
            });
        }
    }
}

/// So often one poll asks the store; more than that would hold up the host.
const MOST_LOOKUPS: usize = 64;
