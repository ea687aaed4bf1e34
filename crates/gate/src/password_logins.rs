//! Logins whose secret must be checked slowly: held by the host while a worker
//! hashes, hashed on the host's thread as far as the budget goes, or refused
//! and hashed for the next try.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::available_parallelism;

use countersign_core::backoff::{Attempt, Backoff, Burst, Origin};
use countersign_core::connect::{Request, Reservation, SessionChange};
use countersign_core::name::LoginName;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::secret::{HashMemory, PasswordHash};
use countersign_core::store::{GateStore, SessionUndo, StoreError};
use countersign_core::time::Timestamp;

use crate::decision::Decided;
use crate::fair_queue::Priority;
use crate::gate::{ConnectSource, Gate};
use crate::hash_pool::{HashAnswer, HashJob, HashOutcome, HashPool, RehashJob};
use crate::host::{
    ClientRef, Completion, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, GateConfig,
    Handle, RefusalCode, Ticket,
};
use crate::journal::queue::JournalQueue;
use crate::journal::writer::JournalEntry;
use crate::pending_logins::{PendingLogin, PendingLogins, Purpose};
use crate::retry_results::RetryResults;
use crate::secret_verifier::{HashRequest, HashResult};
use crate::session::Phase;
use crate::wakeup::WakeSignal;

/// What a gate keeps for slow checks.
pub(crate) struct PasswordLogins {
    pool: HashPool,
    backoff: Backoff,
    pending: PendingLogins,
    /// Answers that are not worked off yet, so that no poll takes long.
    answers: VecDeque<HashAnswer>,
    /// Those whom the host was told to let in, until it says that it did.
    completed: HashMap<Ticket, Completed>,
    /// For what is hashed on the host's own thread.
    memory: HashMemory,
    /// What was found out for the next try.
    retry_results: RetryResults,
}

/// A login that is decided, and whose client may be gone.
struct Completed {
    handle: Handle,
    session: SessionNumber,
    username: Option<Arc<str>>,
    /// What was recorded of its client id, if its client is gone.
    undo: Option<SessionUndo>,
}

/// A [`ConnectSource`] that outlives its CONNECT.
#[derive(Debug, Default)]
pub(crate) struct OwnedConnectSource {
    address: Option<String>,
    listener: Option<u16>,
    protocol: u8,
    reservation: Reservation,
}

impl PasswordLogins {
    /// Says whether it is not known yet that the host let this session in.
    pub(crate) fn is_arriving(&self, session: SessionNumber) -> bool {
        let mut completed = self.completed.values();
        completed.any(|completed| completed.session == session)
    }

    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when no thread can be started.
    pub(crate) fn start(
        config: &GateConfig,
        wake_signal: &Arc<WakeSignal>,
        journal: &Arc<JournalQueue<JournalEntry>>,
    ) -> std::io::Result<Self> {
        let spare = || {
            let cores = available_parallelism().map_or(1, usize::from);
            cores.saturating_sub(1).max(1)
        };
        let options = &config.options;
        let workers = options.hash_threads.map_or_else(spare, usize::from);
        Ok(Self {
            pool: HashPool::start(workers, wake_signal, journal, &*config.background)?,
            backoff: Backoff::new(options.hash_budget, options.hash_round),
            pending: PendingLogins::default(),
            answers: VecDeque::new(),
            completed: HashMap::new(),
            memory: HashMemory::default(),
            retry_results: RetryResults::default(),
        })
    }

    /// Takes note of a new connection with this handle.
    pub(crate) fn forget(&mut self, handle: Handle, now: Timestamp) {
        self.pending.forget_handle(handle, now);
        self.pending.remove_unauthenticated(handle);
    }

    /// Takes note that the connection with this handle is gone.
    pub(crate) fn release(&mut self, handle: Handle, now: Timestamp) {
        self.pending.forget_handle(handle, now);
    }

    /// See [`PendingLogins::supersede`].
    pub(crate) fn supersede(&mut self, client_id: &str, now: Timestamp) {
        self.pending.supersede(client_id, now);
    }

    /// See [`PendingLogins::is_unauthenticated`].
    pub(crate) fn is_unauthenticated(&self, client: &ClientRef<'_>) -> bool {
        self.pending.is_unauthenticated(client)
    }

    /// Takes note that a name logged in with a password.
    pub(crate) fn logged_in(&mut self, name: &str, address: Option<&str>) {
        self.backoff.succeeded(&Attempt {
            origin: Origin::of(address),
            name,
        });
    }

    /// Takes note of an attempt whose secret was wrong.
    fn failed(&mut self, attempt: &Attempt<'_>, now: Timestamp) {
        self.backoff.failed(attempt, now);
        self.pending.demote(attempt.origin);
        self.pool.demote(attempt.origin);
    }

    /// Takes note that the host's loop went round.
    pub(crate) fn round_completed(&mut self) {
        self.backoff.round_completed();
    }

    /// Fetches what the workers found, once the wake signal was acknowledged.
    pub(crate) fn take_answers(&mut self) {
        self.answers.extend(self.pool.take());
    }

    /// Says whether answers wait to be worked off.
    pub(crate) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Says whether no login waits, and nothing is kept for a while only.
    pub(crate) fn is_idle(&self) -> bool {
        !self.has_answers() && self.pending.is_idle() && self.retry_results.is_empty()
    }

    /// See [`HashPool::rehash`].
    pub(crate) fn rehash(&self, outdated: RehashJob, origin: Origin) {
        self.pool.rehash(outdated, origin);
    }

    /// Ends the workers.
    pub(crate) fn stop(&mut self) {
        self.pool.stop();
    }

    /// Has a login checked by a worker; none if there is no place for it.
    fn submit(
        &mut self,
        info: &ConnectInfo<'_>,
        request: Arc<Request>,
        check: PendingCheck,
        purpose: Purpose,
        now: Timestamp,
    ) -> Option<Ticket> {
        let PendingCheck {
            origin, priority, ..
        } = check;
        let client_id = request.client_id.as_str();
        if !self.pending.remembers() {
            return None;
        }
        if !self
            .pending
            .has_room_for(origin, priority, client_id, &purpose)
            && (self.pending.waits(origin) || !self.pool.evict(priority))
        {
            return None;
        }
        let ticket = self.pending.enter(PendingLogin {
            handle: info.handle,
            request,
            about: check.hash_request.about,
            presented: Arc::clone(&check.hash_request.presented),
            source: OwnedConnectSource::of(&info.source()),
            origin,
            priority,
            since: now,
            purpose,
        });
        let job = HashJob {
            ticket,
            presented: check.hash_request.presented,
            passwords: check.hash_request.passwords,
            dummy: check.dummy,
        };
        self.pool.submit(job, origin, priority);
        Some(ticket)
    }
}

/// What must be checked, and how urgent that is.
struct PendingCheck {
    hash_request: HashRequest,
    dummy: Option<PasswordHash>,
    origin: Origin,
    priority: Priority,
}

impl<S: GateStore> Gate<S> {
    /// Goes on with a CONNECT whose secret must be checked slowly.
    pub(crate) fn connect_with_hash(
        &mut self,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_request: HashRequest,
        now: Timestamp,
    ) -> ConnectOutcome {
        let origin = Origin::of(info.address);
        let request = Arc::new(request);
        let attempt = attempt_of(&request, origin);
        if let Err(burst) = self.password_logins.backoff.check_allowed(&attempt, now) {
            let code = match burst {
                // Never for a name: that would tell about it.
                Burst::Name => RefusalCode::NotAuthorized,
                Burst::Origin => RefusalCode::Banned,
            };
            let reason = Reason::TooManyFailures;
            return self.refuse_with(code, &request, info.address, reason, now);
        }
        let priority = if self.password_logins.backoff.is_from_known_origin(&attempt) {
            Priority::KnownOrigin
        } else if self.password_logins.backoff.failed_lately(origin, now) {
            Priority::Other
        } else {
            self.password_logins.pending.priority_of_clean(origin)
        };
        let username = hash_request.name.clone();
        let has_time = !info.may_wait && self.password_logins.backoff.has_time(&attempt, now);
        let check = PendingCheck {
            hash_request,
            dummy: self.secret_verifier.dummy(),
            origin,
            priority,
        };
        if has_time {
            return self.connect_inline(info, &request, check, &attempt);
        }
        let purpose = if info.may_wait {
            Purpose::Held {
                username: username.clone(),
            }
        } else {
            Purpose::ForRetry
        };
        let ticket = self
            .password_logins
            .submit(info, Arc::clone(&request), check, purpose, now);
        match ticket.filter(|_| info.may_wait) {
            Some(ticket) => ConnectOutcome::Pending { ticket, username },
            None => self.refuse(&request, info.address, Reason::OverBudget, now),
        }
    }

    /// Checks on the host's own thread, and decides.
    fn connect_inline(
        &mut self,
        info: &ConnectInfo<'_>,
        request: &Request,
        check: PendingCheck,
        attempt: &Attempt<'_>,
    ) -> ConnectOutcome {
        let about = check.hash_request.about;
        let presented = Arc::clone(&check.hash_request.presented);
        let job = HashJob {
            ticket: Ticket(0),
            presented: Arc::clone(&presented),
            passwords: check.hash_request.passwords,
            dummy: check.dummy,
        };
        // How long it takes is not what time it is: the host's clock may be
        // set while it runs.
        let start = self.config.background.uptime();
        let found = job.run(&mut self.password_logins.memory);
        let now = self.now();
        self.password_logins.backoff.spent(
            attempt,
            self.config.background.uptime().saturating_sub(start),
            now,
        );
        if found == HashOutcome::Nothing {
            self.password_logins.failed(attempt, now);
        }
        let hash_result = HashResult {
            about,
            presented,
            found,
        };
        self.conclude_with(info, request, hash_result, now)
    }

    /// What was found out about the last try of a login, if it answers this.
    pub(crate) fn retry_result(
        &mut self,
        request: &Request,
        hash_request: &HashRequest,
    ) -> Option<HashResult> {
        let key = self.secret_verifier.key();
        self.password_logins
            .retry_results
            .take(key, request, hash_request)
    }

    /// Decides about a CONNECT with what was found out about its secret.
    pub(crate) fn conclude_with(
        &mut self,
        info: &ConnectInfo<'_>,
        request: &Request,
        hash_result: HashResult,
        now: Timestamp,
    ) -> ConnectOutcome {
        let decided = self.decide(&info.source(), request, Some(&hash_result), now);
        self.count_if_refused(
            &decided,
            hash_result.found,
            request,
            Origin::of(info.address),
            now,
        );
        self.conclude(info, request, Some(hash_result), decided, now)
    }

    /// Counts a login that is refused although its secret is right as one whose
    /// secret is wrong, which was counted when that was found out.
    fn count_if_refused(
        &mut self,
        decided: &Result<Decided, StoreError>,
        found: HashOutcome,
        request: &Request,
        origin: Origin,
        now: Timestamp,
    ) {
        let Ok(Decided::Refused(reason)) = decided else {
            return;
        };
        let is_passing = matches!(
            reason,
            Reason::OverBudget | Reason::StoreBusy | Reason::StoreUnavailable
        );
        if matches!(found, HashOutcome::Match(_)) && !is_passing {
            self.password_logins
                .failed(&attempt_of(request, origin), now);
        }
    }

    /// Works off what the workers found, and what they will never find.
    pub(crate) fn complete(&mut self, now: Timestamp, directives: &mut Vec<Directive>) {
        self.password_logins.retry_results.tidy(now);
        let unanswered = self.password_logins.pending.tidy(now);
        if !unanswered.is_empty() {
            self.password_logins.pool.drop_jobs(&unanswered);
        }
        for ticket in unanswered {
            let found = HashOutcome::Failed;
            self.password_logins
                .answers
                .push_back(HashAnswer { ticket, found });
        }
        for _ in 0..MOST_COMPLETIONS {
            let Some(answer) = self.password_logins.answers.pop_front() else {
                return;
            };
            directives.extend(self.complete_one(answer, now));
        }
    }

    fn complete_one(&mut self, answer: HashAnswer, now: Timestamp) -> Option<Directive> {
        let HashAnswer { ticket, found } = answer;
        let waiting = self.password_logins.pending.leave(ticket, now)?;
        let request = &waiting.request;
        if found == HashOutcome::Nothing {
            let attempt = attempt_of(request, waiting.origin);
            self.password_logins.failed(&attempt, now);
        }
        let hash_result = HashResult {
            about: waiting.about,
            presented: Arc::clone(&waiting.presented),
            found,
        };
        // A handle with a session is another connection's by now.
        let is_held = self.sessions.get(waiting.handle).is_none();
        let username = match waiting.purpose {
            Purpose::Held { username } if is_held => username,
            Purpose::Held { .. } | Purpose::ForRetry => {
                if found != HashOutcome::Failed {
                    let key = self.secret_verifier.key();
                    self.password_logins
                        .retry_results
                        .keep(key, request, &hash_result, now);
                }
                return None;
            }
        };
        let source = waiting.source.as_source();
        let tie = request.client_id.tie();
        let before = self.store.stored_session(&tie);
        let decided = match &before {
            // The host does not say of those before whether they were there.
            Ok(_) if self.password_logins.completed.len() >= MOST_COMPLETED => {
                Ok(Decided::Refused(Reason::OverBudget))
            }
            Ok(_) => self.decide(&source, request, Some(&hash_result), now),
            Err(error) => Err(error.of_the_same()),
        };
        self.count_if_refused(&decided, found, request, waiting.origin, now);
        let completion = match decided {
            Ok(Decided::Admitted(admission, session_grant)) => {
                let undo = (admission.record.session != SessionChange::Kept).then(|| SessionUndo {
                    client_id: tie,
                    before: before.unwrap_or_default(),
                    claimant: admission.identity.credential().map(|it| it.id),
                    at: now,
                });
                let (mut session, ends_at) =
                    self.session_of(request, &admission, session_grant, &source);
                self.set_deadline(waiting.handle, &session, ends_at);
                // What the host has until it has let the client in.
                let after = core::mem::replace(&mut session.username, username);
                let completed = Completed {
                    handle: waiting.handle,
                    session: session.number,
                    username: after.clone(),
                    undo,
                };
                self.sessions.insert(waiting.handle, session);
                self.password_logins.completed.insert(ticket, completed);
                Completion::Admit { username: after }
            }
            Ok(Decided::Refused(reason)) => self.refusal(request, &source, reason, now),
            // What is held is no enhanced authentication, which asks questions.
            Ok(Decided::NeedsHash(_) | Decided::Challenged) => {
                self.refusal(request, &source, Reason::OverBudget, now)
            }
            Err(error) => {
                let (_, line) = self.note_store_refusal(request, source.address, &error, now);
                Completion::Refuse { line }
            }
        };
        Some(Directive::Complete {
            ticket,
            handle: waiting.handle,
            client_id: request.client_id.as_str().into(),
            completion,
        })
    }

    /// Has the record of a client id say again what it said before a login whose
    /// client was not let in.
    fn undo(&mut self, undo: Option<SessionUndo>) {
        if let Some(undo) = undo
            && self.store.undo_session(&undo).is_err()
        {
            self.writer.append(JournalEntry::Undone(Box::new(undo)));
        }
    }

    fn refusal(
        &mut self,
        request: &Request,
        source: &ConnectSource<'_>,
        reason: Reason,
        now: Timestamp,
    ) -> Completion {
        let line = self.note_refusal(request, source.address, reason, now);
        Completion::Refuse { line }
    }

    /// Takes note of how a [`Directive::Complete`] was carried out: whether the
    /// client was still there. Until then its session counts for what the host
    /// asks, but nobody is told of it; if the client was gone there was none.
    pub fn completed(&mut self, ticket: Ticket, status: CompletionStatus) {
        let Some(completed) = self.password_logins.completed.remove(&ticket) else {
            return;
        };
        let handle = completed.handle;
        if status == CompletionStatus::Gone {
            self.undo(completed.undo);
        }
        let Some(session) = self
            .sessions
            .get_mut(handle)
            .filter(|session| session.number == completed.session)
        else {
            return;
        };
        if status == CompletionStatus::Gone || matches!(session.phase, Phase::Gone { .. }) {
            self.sessions.remove(handle);
            return;
        }
        session.username = completed.username;
        self.password_logins.pending.remove_unauthenticated(handle);
        let Some(session) = self.sessions.remove(handle) else {
            return;
        };
        self.note_login(&session);
        self.begin(handle, session);
    }
}

fn attempt_of(request: &Request, origin: Origin) -> Attempt<'_> {
    let name = request.name.as_ref().map_or("", LoginName::as_str);
    Attempt { origin, name }
}

impl OwnedConnectSource {
    pub(crate) fn of(source: &ConnectSource<'_>) -> Self {
        Self {
            address: source.address.map(str::to_owned),
            listener: source.listener,
            protocol: source.protocol,
            reservation: source.reservation,
        }
    }

    pub(crate) fn as_source(&self) -> ConnectSource<'_> {
        ConnectSource {
            address: self.address.as_deref(),
            listener: self.listener,
            protocol: self.protocol,
            reservation: self.reservation,
        }
    }
}

/// So many may be on their way into the host.
const MOST_COMPLETED: usize = 1_024;
/// So many logins end in one poll; each may have to be committed.
const MOST_COMPLETIONS: usize = 8;
