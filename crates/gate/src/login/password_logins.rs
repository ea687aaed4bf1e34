//! Attempts to log in, also those whose secret must be checked slowly: held by the
//! host while a worker hashes, hashed on the host's thread as far as the budget
//! goes, or refused and hashed for the next try.

use std::sync::Arc;

use countersign_core::backoff::{Attempt, Backoff, Burst, Origin};
use countersign_core::connect::Request;
use countersign_core::name::LoginName;
use countersign_core::reason::Reason;
use countersign_core::secret::HashMemory;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::connection::session::Session;
use crate::host::{ConnectInfo, ConnectOutcome, ConnectSource, Handle, RefusalCode, Ticket};
use crate::login::decision::{Admitted, Decided, Decider};
use crate::login::hash_pool::{HashAnswer, HashOutcome};
use crate::login::hash_queue::HashQueue;
use crate::login::pending_logins::{PendingLogin, Purpose};
use crate::login::quick_checks::QuickChecks;
use crate::login::refusal::Refusal;
use crate::login::retry_results::RetryResults;
use crate::login::secret_verifier::SecretVerifier;
use crate::login::slow_check::{HashRequest, HashResult};
use crate::state::State;

mod signed;
mod slow;

/// What a gate keeps for attempts to log in.
pub(crate) struct PasswordLogins {
    pub(crate) decider: Decider,
    pub(crate) queue: HashQueue,
    backoff: Backoff,
    /// For what is hashed on the host's own thread.
    memory: HashMemory,
    quick_checks: QuickChecks,
    /// What was found out for the next try.
    retry_results: RetryResults,
}

/// What an attempt came to.
pub(crate) enum Attempted {
    /// Its host is told so.
    Answered(ConnectOutcome),
    /// A code is asked for. What a slow check found out about its password is not
    /// checked again when the code comes.
    Challenged(Box<Request>, Option<HashResult>),
}

/// How the wait of a login ended.
pub(crate) struct Ended {
    /// The login as it waited, held by its host.
    pub(crate) waiting: PendingLogin,
    pub(crate) hash_result: HashResult,
}

impl Ended {
    /// What the host has as the user name meanwhile.
    pub(crate) fn username(&self) -> Option<Arc<str>> {
        match &self.waiting.purpose {
            Purpose::Held { username } => username.clone(),
            Purpose::ForRetry => None,
        }
    }
}

impl PasswordLogins {
    pub(crate) fn new(queue: HashQueue, decider: Decider, backoff: Backoff) -> Self {
        Self {
            decider,
            queue,
            backoff,
            memory: HashMemory::default(),
            quick_checks: QuickChecks::default(),
            retry_results: RetryResults::default(),
        }
    }

    /// Takes note that the principal of a session has logged in.
    pub(crate) fn note_login(&mut self, verifier: &SecretVerifier, session: &Session) {
        let Some(id) = session.credential() else {
            return;
        };
        if let Some(name) = session.presented_name()
            && verifier.has_verified(id)
        {
            let origin = Origin::of(session.address.as_deref());
            self.backoff.succeeded(&Attempt { origin, name });
        }
    }

    /// Takes note of an attempt whose secret was wrong.
    fn failed(&mut self, attempt: &Attempt<'_>, now: Timestamp) {
        self.backoff.failed(attempt, now);
        self.queue.demote(attempt.origin);
    }

    /// Counts an attempt that failed, once what a wrong secret costs was spent on it.
    fn count(&mut self, attempt: &Attempt<'_>, hash_result: &HashResult, now: Timestamp) {
        let is_wrong = match hash_result.found {
            HashOutcome::Nothing => true,
            HashOutcome::Match(_) => hash_result.failed.is_some(),
            HashOutcome::Failed | HashOutcome::QuickMatch(_) => false,
        };
        if is_wrong {
            self.failed(attempt, now);
        }
    }

    /// Takes note that the host's loop went round.
    pub(crate) fn round_completed(&mut self) {
        self.backoff.round_completed();
    }

    /// Says whether no login waits, and nothing is kept for a while only.
    pub(crate) fn is_idle(&self) -> bool {
        !self.queue.has_answers() && self.queue.pending.is_idle() && self.retry_results.is_empty()
    }

    /// Decides about a CONNECT, with what is known of it by now.
    pub(crate) fn attempt<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_result: Option<HashResult>,
        now: Timestamp,
    ) -> Attempted {
        let key = state.verifier.key();
        let failure = self.retry_results.take_failure(key, &request);
        let hash_result = failure.or(hash_result);
        let decided = match (Self::what_was_signed(&request), &hash_result) {
            // What is nobody's token is a password as any other.
            (Some(presented), None) => {
                let (decided, allowed) =
                    self.decide_by_signature(state, info, &request, &presented, now);
                if let (Ok(Decided::Refused(Reason::OverBudget)), Err(burst)) = (&decided, allowed)
                {
                    return refuse_burst(state, info, &request, burst, now);
                }
                decided
            }
            (_, hash_result) => {
                let source = info.source();
                self.decide(state, &source, &request, hash_result.as_ref(), now)
            }
        };
        match decided {
            Ok(Decided::NeedsHash(hash_request)) => {
                let attempt = attempt_of(&request, info.address);
                let allowed = self.backoff.check_allowed(&attempt, now);
                let key = state.verifier.key();
                match self.retry_results.take(key, &request, &hash_request) {
                    Some(hash_result) => self.decide_with(state, info, request, hash_result, now),
                    None => match allowed {
                        Ok(()) => self.check_slowly(state, info, request, hash_request, now),
                        Err(burst) => refuse_burst(state, info, &request, burst, now),
                    },
                }
            }
            decided => self.conclude(state, info, request, hash_result, decided, now),
        }
    }

    /// Decides, and counts a login that is not let in although its password is right as
    /// one whose password is wrong, whatever kept it out. The latter was counted when
    /// that was found out.
    fn decide<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        source: &ConnectSource<'_>,
        request: &Request,
        hash_result: Option<&HashResult>,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let decided = self
            .decider
            .decide(state, source, request, hash_result, now);
        let is_right = hash_result.is_some_and(|it| {
            // What failed before was counted then.
            it.failed.is_none() && it.found.secret().is_some()
        });
        if is_right && matches!(&decided, Ok(Decided::Refused(_)) | Err(_)) {
            self.failed(&attempt_of(request, source.address), now);
        }
        decided
    }

    /// Answers a CONNECT that is decided.
    fn conclude<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_result: Option<HashResult>,
        decided: Result<Decided, StoreError>,
        now: Timestamp,
    ) -> Attempted {
        let refusal = match decided {
            Ok(Decided::Admitted(admitted)) => {
                let source = info.source();
                let session = self.admit(state, info.handle, &request, admitted, &source, now);
                let username = session.username.clone();
                self.note_login(&state.verifier, &session);
                state.begin(info.handle, session);
                return Attempted::Answered(ConnectOutcome::Admitted { username });
            }
            Ok(Decided::Challenged) => {
                return Attempted::Challenged(
                    Box::new(request),
                    hash_result.map(HashResult::settled),
                );
            }
            Ok(Decided::Refused(reason)) => {
                Refusal::new(state, &request, info.address, reason, now)
            }
            // What is decided with an answer asks nothing more.
            Ok(Decided::NeedsHash(_)) => {
                Refusal::new(state, &request, info.address, Reason::OverBudget, now)
            }
            Err(error) => Refusal::for_store(state, &request, info.address, &error, now),
        };
        Attempted::Answered(refusal.into_outcome(&mut state.journal))
    }

    /// The session of a client that is let in.
    pub(crate) fn admit<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        handle: Handle,
        request: &Request,
        admitted: Admitted,
        source: &ConnectSource<'_>,
        now: Timestamp,
    ) -> Session {
        if let Some(outdated) = admitted.outdated {
            let origin = Origin::of(source.address);
            self.queue.pool.rehash(outdated, origin);
        }
        let identity = &admitted.admission.identity;
        state.session_of(handle, request, identity, admitted.grant, source, now)
    }

    /// Decides about a CONNECT with what was found out about its secret.
    fn decide_with<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_result: HashResult,
        now: Timestamp,
    ) -> Attempted {
        let decided = self.decide(state, &info.source(), &request, Some(&hash_result), now);
        self.conclude(state, info, request, Some(hash_result), decided, now)
    }

    /// Forgets what was kept for long enough, and answers those who waited for it.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        self.retry_results.tidy(now);
        self.queue.tidy(now);
    }

    /// Ends the wait of a login whose answer has come. None if its host does not
    /// hold it any more; then the answer is kept for the next try.
    pub(crate) fn end<S>(
        &mut self,
        state: &State<S>,
        answer: HashAnswer,
        now: Timestamp,
    ) -> Option<Ended> {
        let HashAnswer { ticket, found } = answer;
        let mut waiting = self.queue.pending.leave(ticket, now)?;
        let hash_result = HashResult {
            about: waiting.about,
            presented: Arc::clone(&waiting.presented),
            found,
            failed: waiting.failed,
        };
        let address = waiting.source.as_source().address;
        let attempt = attempt_of(&waiting.request, address);
        self.count(&attempt, &hash_result, now);
        // A handle with a session is another connection's by now.
        let is_held = state.sessions.get(waiting.handle).is_none();
        match (&waiting.purpose, found) {
            (Purpose::Held { .. }, _) if is_held => {
                return Some(Ended {
                    waiting,
                    hash_result,
                });
            }
            // What is found for the next try is not found sooner if it is right.
            (_, HashOutcome::QuickMatch(secret)) => {
                waiting.purpose = Purpose::ForRetry;
                let dummy = state.verifier.dummy();
                self.queue
                    .submit_again(ticket, waiting, Some(secret), dummy);
            }
            (_, HashOutcome::Failed) => {}
            (_, HashOutcome::Match(_) | HashOutcome::Nothing) => {
                let key = state.verifier.key();
                self.retry_results
                    .keep(key, &waiting.request, &hash_result, now);
            }
        }
        None
    }

    /// Has a login that is refused wait on, until it has cost what a wrong secret
    /// costs.
    pub(crate) fn wait_on<S>(
        &mut self,
        state: &State<S>,
        ticket: Ticket,
        ended: Ended,
        owed: &HashRequest,
    ) {
        let mut waiting = ended.waiting;
        waiting.failed = owed.failed;
        let dummy = state.verifier.dummy();
        self.queue.submit_again(ticket, waiting, owed.proved, dummy);
    }

    /// Decides about a login whose wait has ended.
    pub(crate) fn decide_ended<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        ended: &Ended,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let Ended {
            waiting,
            hash_result,
        } = ended;
        let source = ConnectSource {
            may_be_gone: true,
            ..waiting.source.as_source()
        };
        self.decide(state, &source, &waiting.request, Some(hash_result), now)
    }
}

fn attempt_of<'a>(request: &'a Request, address: Option<&str>) -> Attempt<'a> {
    let origin = Origin::of(address);
    let name = request.name.as_ref().map_or("", LoginName::as_str);
    Attempt { origin, name }
}

/// Refuses a login of which too many failed, before its password is hashed.
fn refuse_burst<S: GateStore>(
    state: &mut State<S>,
    info: &ConnectInfo<'_>,
    request: &Request,
    burst: Burst,
    now: Timestamp,
) -> Attempted {
    let code = match burst {
        // Never for a name: that would tell about it.
        Burst::Name => RefusalCode::NotAuthorized,
        Burst::Origin => RefusalCode::Banned,
    };
    let reason = Reason::TooManyFailures;
    let refusal = Refusal::new(state, request, info.address, reason, now).with_code(code);
    Attempted::Answered(refusal.into_outcome(&mut state.journal))
}
