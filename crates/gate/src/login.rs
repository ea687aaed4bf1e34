//! Logins: what clients that come present, and what their host is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::backoff::Backoff;
use countersign_core::connect::{Method, Request};
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::seal::SealKey;
use countersign_core::secret::Secret;
use countersign_core::store::GateStore;
use countersign_core::time::Timestamp;

use crate::config::GateConfig;
use crate::connection::session::Phase;
use crate::host::{
    ClientRef, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Enhanced, Handle,
    LogLevel, OwnedConnectSource, RefusalCode, Ticket,
};
use crate::journal::writer::Writer;
use crate::login::challenge::{CHALLENGE, ChallengeLimit, method_of};
use crate::login::completions::Completions;
use crate::login::decision::Decider;
use crate::login::hash_queue::HashQueue;
use crate::login::password_logins::{Attempted, PasswordLogins};
use crate::login::presented::parse;
use crate::login::refusal::Refusal;
use crate::login::slow_check::HashResult;
use crate::login::unadmitted::{OpenChallenge, Stage, Unadmitted};
use crate::state::State;
use crate::wakeup::WakeSignal;

mod auto_bans;
pub(crate) mod challenge;
pub(crate) mod completions;
pub(crate) mod decision;
pub(crate) mod fair_queue;
pub(crate) mod hash_pool;
pub(crate) mod hash_queue;
pub(crate) mod password_logins;
pub(crate) mod pending_logins;
mod presented;
pub(crate) mod quick_checks;
pub(crate) mod refusal;
mod renewal;
pub(crate) mod retry_results;
pub(crate) mod secret_verifier;
pub(crate) mod slow_check;
pub(crate) mod unadmitted;

/// What a gate keeps for logins.
pub(crate) struct Logins {
    passwords: PasswordLogins,
    challenge_limit: ChallengeLimit,
    completions: Completions,
    /// Whether the host may be asking again about all its clients.
    pub(crate) is_reloading: bool,
    /// The sessions that are to be ended, and why: they went on with an authentication
    /// that was over, or began one again that is refused.
    misbehaving: BTreeMap<(Handle, SessionNumber), Reason>,
}

impl Logins {
    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when a worker can't be run.
    pub(crate) fn start(
        seal_key: Option<SealKey>,
        wake_signal: &Arc<WakeSignal>,
        writer: &Writer,
        config: &GateConfig,
    ) -> std::io::Result<Self> {
        let queue = HashQueue::start(config, wake_signal, writer)?;
        let decider = Decider::new(seal_key);
        let backoff = Backoff::new(config.options.hash_budget, config.options.hash_round);
        Ok(Self {
            passwords: PasswordLogins::new(queue, decider, backoff),
            challenge_limit: ChallengeLimit::default(),
            completions: Completions::default(),
            is_reloading: false,
            misbehaving: BTreeMap::new(),
        })
    }

    /// Decides about a CONNECT.
    pub(crate) fn connect<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
    ) -> ConnectOutcome {
        let now = state.now();
        let request = match parse(state, info) {
            Ok(request) => request,
            Err(reason) => {
                self.forget(state, info.handle, now);
                let refusal = Refusal::malformed(state, info, reason, now);
                return refusal.into_outcome(&mut state.journal);
            }
        };
        let (sessions, key) = (&state.sessions, state.verifier.key());
        let known = sessions.recognise(info.handle, &request, key, self.is_reloading);
        if let Some(username) = known {
            return ConnectOutcome::Admitted { username };
        }
        // Asked again about a live connection, the host may hold another with
        // this client id; asked about a new one, it can't.
        if !state.sessions.is_live(info.handle) {
            let pending = &mut self.passwords.queue.pending;
            pending.supersede(request.client_id.as_str(), now);
        }
        self.forget(state, info.handle, now);
        self.attempt(state, info, request, None, now)
    }

    /// Decides about a CONNECT that asks for enhanced authentication, or about a live
    /// session that authenticates again.
    pub(crate) fn connect_enhanced<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        enhanced: &Enhanced<'_>,
    ) -> ConnectOutcome {
        let now = state.now();
        let client = ClientRef {
            handle: info.handle,
            client_id: Some(info.client_id),
            username: info.username,
            connected: true,
            ..ClientRef::default()
        };
        let info = ConnectInfo {
            password: enhanced.data,
            certificate: None,
            // No host can.
            may_wait: false,
            ..*info
        };
        let method = method_of(enhanced.method);
        let session = state.sessions.get(info.handle);
        if session.is_some_and(|session| session.phase == Phase::Live && session.is(&client)) {
            return self.authenticate_again(state, &info, method, now);
        }
        self.forget(state, info.handle, now);
        let outcome = match (parse(state, &info), method) {
            (Ok(request), Some(method)) => {
                let pending = &mut self.passwords.queue.pending;
                pending.supersede(request.client_id.as_str(), now);
                self.attempt(state, &info, Request { method, ..request }, None, now)
            }
            (Ok(request), None) => {
                let reason = Reason::Malformed;
                Refusal::new(state, &request, info.address, reason, now)
                    .with_code(RefusalCode::BadMethod)
                    .into_outcome(&mut state.journal)
            }
            (Err(reason), _) => {
                Refusal::malformed(state, &info, reason, now).into_outcome(&mut state.journal)
            }
        };
        self.unadmitted()
            .mark(info.handle, info.client_id, &outcome, now);
        outcome
    }

    /// Goes on with a CONNECT that was asked for a code, now that its client sent
    /// this.
    pub(crate) fn resume<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        handle: Handle,
        client_id: &[u8],
        data: Option<&[u8]>,
    ) -> ConnectOutcome {
        let now = state.now();
        let live = state.sessions.get(handle);
        if live.is_some_and(|session| !matches!(session.phase, Phase::Gone { .. })) {
            return self.end_misbehaving(state, handle, Reason::Malformed);
        }
        let Some(open) = self.unadmitted().take_challenge(handle, client_id, now) else {
            return Refusal::late(state, client_id, now).into_outcome(&mut state.journal);
        };
        let OpenChallenge {
            request,
            hash_result,
            source,
            ..
        } = open;
        let source = source.as_source();
        let info = ConnectInfo {
            address: source.address,
            listener: source.listener,
            protocol: source.protocol,
            clean_start: request.session.starts_clean,
            reservation: source.reservation,
            left_by: source.left_by,
            ..ConnectInfo::new(handle, client_id)
        };
        let code = Secret::presented(data.unwrap_or_default());
        let method = Method::Enhanced { code: Some(code) };
        let request = Request { method, ..request };
        let outcome = self.attempt(state, &info, request, hash_result, now);
        self.unadmitted().mark(handle, client_id, &outcome, now);
        outcome
    }

    fn attempt<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_result: Option<HashResult>,
        now: Timestamp,
    ) -> ConnectOutcome {
        let attempted = self
            .passwords
            .attempt(state, info, request, hash_result, now);
        match attempted {
            Attempted::Answered(outcome) => outcome,
            Attempted::Challenged(request, hash_result) => {
                self.challenge(state, info, *request, hash_result, now)
            }
        }
    }

    /// Asks for a code, and keeps what was presented until it comes.
    fn challenge<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        request: Request,
        hash_result: Option<HashResult>,
        now: Timestamp,
    ) -> ConnectOutcome {
        self.tidy_challenges(now);
        if !self.unadmitted().has_room_to_ask()
            || !self.challenge_limit.admits(request.name.as_ref(), now)
        {
            return Refusal::new(state, &request, info.address, Reason::OverBudget, now)
                .into_outcome(&mut state.journal);
        }
        let open = OpenChallenge {
            request: Request {
                method: Method::Enhanced { code: None },
                ..request
            },
            hash_result,
            source: OwnedConnectSource::of(&info.source()),
            since: now,
        };
        let stage = Stage::Challenged(Box::new(open));
        self.unadmitted()
            .insert(info.handle, info.client_id, stage, now);
        ConnectOutcome::Challenge {
            data: CHALLENGE.as_bytes(),
        }
    }

    /// Has a live session ended, and keeps it waiting until then.
    fn end_misbehaving<S>(
        &mut self,
        state: &State<S>,
        handle: Handle,
        reason: Reason,
    ) -> ConnectOutcome {
        if let Some(session) = state.sessions.get(handle) {
            let to_end = self.misbehaving.entry((handle, session.number));
            to_end.or_insert(reason);
            (state.config.wake)();
        }
        ConnectOutcome::Challenge { data: b"" }
    }

    /// The sessions that are to be ended for that.
    pub(crate) fn take_misbehaving(&mut self) -> BTreeMap<(Handle, SessionNumber), Reason> {
        core::mem::take(&mut self.misbehaving)
    }

    /// Says whether a client is held, was asked for a code and has not answered, or
    /// was not let in. Costs next to nothing while there is none.
    pub(crate) fn is_unauthenticated(&self, client: &ClientRef<'_>) -> bool {
        self.passwords.queue.pending.unadmitted.has(client)
    }

    fn unadmitted(&mut self) -> &mut Unadmitted {
        &mut self.passwords.queue.pending.unadmitted
    }

    /// Drops what earlier connections with this handle left.
    fn forget<S: GateStore>(&mut self, state: &mut State<S>, handle: Handle, now: Timestamp) {
        state.forget(handle);
        let pending = &mut self.passwords.queue.pending;
        pending.forget_handle(handle, now);
        pending.unadmitted.remove(handle);
    }

    /// Takes note that the connection with this handle is gone.
    pub(crate) fn release(&mut self, handle: Handle, now: Timestamp) {
        let pending = &mut self.passwords.queue.pending;
        pending.forget_handle(handle, now);
        pending.unadmitted.release(handle);
    }

    /// Takes note that the host's loop went round.
    pub(crate) fn round_completed(&mut self) {
        self.passwords.round_completed();
        self.is_reloading = false;
    }

    /// Takes over what seeds of second factors were sealed with.
    pub(crate) fn set_key(&mut self, seal_key: Option<SealKey>) {
        self.passwords.decider.seal_key = seal_key;
    }

    /// The same when the key file changed; says so.
    pub(crate) fn take_key(&mut self, seal_key: Option<SealKey>) -> Directive {
        let (level, line) = match seal_key {
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
        self.set_key(seal_key);
        let line = line.into();
        Directive::Log { level, line }
    }

    /// Fetches what the workers found, once the wake signal was acknowledged.
    pub(crate) fn take_answers(&mut self) {
        self.passwords.queue.take_answers();
    }

    /// Says whether answers wait to be worked off.
    pub(crate) fn has_answers(&self) -> bool {
        self.passwords.queue.has_answers()
    }

    /// Says whether there is something for a poll to do at once.
    pub(crate) fn wants_poll(&self) -> bool {
        self.has_answers() || !self.misbehaving.is_empty()
    }

    /// Says whether time changes nothing here.
    pub(crate) fn is_idle(&self) -> bool {
        self.passwords.is_idle() && self.challenge_limit.is_idle()
    }

    /// Forgets challenges that nobody answered in time.
    pub(crate) fn tidy_challenges(&mut self, now: Timestamp) {
        if self.unadmitted().tidy(now) {
            self.challenge_limit.tidy(now);
        }
    }

    /// Works off what the workers found, and what they will never find.
    pub(crate) fn complete<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        now: Timestamp,
        directives: &mut Vec<Directive>,
    ) {
        self.passwords.tidy(now);
        for _ in 0..MOST_COMPLETIONS {
            let Some(answer) = self.passwords.queue.next_answer() else {
                return;
            };
            let completed = self
                .completions
                .complete(state, &mut self.passwords, answer, now);
            directives.extend(completed);
        }
    }

    /// Takes note of how a completion was carried out.
    pub(crate) fn completed<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        ticket: Ticket,
        status: CompletionStatus,
    ) {
        self.completions
            .completed(state, &mut self.passwords, ticket, status);
    }
}

/// So many logins end in one poll; each may have to be committed.
const MOST_COMPLETIONS: usize = 8;
