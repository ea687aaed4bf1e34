//! Commands that sessions give about themselves, as JSON on
//! `$CONTROL/countersign/v1/session`.
//!
//! A command that concerns the session alone is executed at once. An
//! administrative act goes to the [`AdminWorker`]. A poll sends the answer to a
//! message once every command of it is answered, and only if the session that
//! asked is still the newest live session of its client id.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use countersign_core::presence::SessionNumber;
use countersign_core::store::GateStore;

use crate::command::admin_worker::{AdminWorker, JobResult, ReplySlot};
use crate::connection::session::{Phase, Session};
use crate::host::{ClientRef, Directive, Handle};
use crate::state::State;

use self::error::CommandError;
use self::execute::{CommandStep, execute};
use self::json::{ParsedCommand, Response};

mod admin_job;
pub(crate) mod admin_worker;
pub(crate) mod error;
mod execute;
pub(crate) mod json;

pub use countersign_core::control::{RESPONSE_TOPIC, SESSION_TOPIC};

/// The messages with commands that are not answered yet.
pub(crate) struct CommandQueue {
    admin_worker: AdminWorker,
    messages: HashMap<u64, PendingMessage>,
    /// Those whose answer is complete.
    ready: VecDeque<u64>,
    last: u64,
}

/// A message with commands.
struct PendingMessage {
    handle: Handle,
    session: SessionNumber,
    responses: Vec<Response>,
    /// How many of them wait for the admin worker.
    missing: usize,
}

impl CommandQueue {
    pub(crate) fn new(admin_worker: AdminWorker) -> Self {
        Self {
            admin_worker,
            messages: HashMap::new(),
            ready: VecDeque::new(),
            last: 0,
        }
    }

    /// Says whether there is something for a poll to do.
    pub(crate) fn has_something(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Fetches the results of the admin worker, once the wake signal was
    /// acknowledged.
    pub(crate) fn take_results(&mut self) {
        for JobResult { slot, outcome } in self.admin_worker.take() {
            let Some(pending) = self.messages.get_mut(&slot.message) else {
                continue;
            };
            let response = pending.responses.get_mut(slot.response);
            if let Some(response) = response.filter(|response| response.outcome.is_none()) {
                response.outcome = Some(outcome);
                pending.missing = pending.missing.saturating_sub(1);
            }
            if pending.missing == 0 {
                self.ready.push_back(slot.message);
            }
        }
    }

    /// Has the admin worker open the store anew.
    pub(crate) fn reload(&self) {
        self.admin_worker.reload();
    }

    /// Takes a message that a connection published on [`SESSION_TOPIC`].
    pub(crate) fn command<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        client: &ClientRef<'_>,
        payload: &[u8],
    ) {
        let now = state.now();
        let handle = client.handle;
        let Some(session) = state.sessions.get_mut(handle).filter(|session| {
            session.is(client) && session.phase == Phase::Live && session.credential().is_some()
        }) else {
            return;
        };
        let parsed = json::parse(payload);
        let count = parsed.as_ref().map_or(1, Vec::len);
        let number = session.number;
        let asked = &mut session.extension_mut().command_rate;
        if asked.open >= MOST_UNANSWERED || self.messages.len() >= MOST_OPEN {
            return;
        }
        let is_admitted = asked.admits(count, now);
        asked.open = asked.open.saturating_add(1);
        let message = self.enter(PendingMessage {
            handle,
            session: number,
            responses: Vec::with_capacity(count),
            missing: 0,
        });
        let responses: Vec<Response> = match parsed {
            Ok(asked) => asked
                .into_iter()
                .enumerate()
                .map(|(response, mut asked)| {
                    if !is_admitted {
                        asked.request = Err(CommandError::LimitExceeded);
                    }
                    self.answer(state, handle, asked, ReplySlot { message, response })
                })
                .collect(),
            Err(error) => vec![Response::to_nothing(error)],
        };
        let Some(pending) = self.messages.get_mut(&message) else {
            return;
        };
        pending.missing = responses
            .iter()
            .filter(|response| response.outcome.is_none())
            .count();
        pending.responses = responses;
        if pending.missing == 0 {
            self.ready.push_back(message);
            (state.config.wake)();
        }
    }

    /// Answers a command, or queues a job for the admin worker.
    fn answer<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        handle: Handle,
        asked: ParsedCommand,
        slot: ReplySlot,
    ) -> Response {
        let ParsedCommand {
            command,
            correlation,
            request,
        } = asked;
        let step = match request {
            Ok(request) => execute(state, handle, request),
            Err(error) => CommandStep::Answered(Err(error)),
        };
        let outcome = match step {
            CommandStep::Answered(outcome) => Some(outcome),
            CommandStep::Job(job) => match self.admin_worker.send(slot, job) {
                Ok(()) => None,
                Err(error) => Some(Err(error)),
            },
        };
        Response {
            command,
            correlation,
            outcome,
        }
    }

    /// Hands over what is answered, to those who still are who asked.
    pub(crate) fn reply<S>(&mut self, state: &mut State<S>, directives: &mut Vec<Directive>) {
        while let Some(message) = self.ready.pop_front() {
            let Some(pending) = self.messages.remove(&message) else {
                continue;
            };
            let is_its = |session: &&mut Session| {
                session.number == pending.session && session.phase == Phase::Live
            };
            let Some(session) = state.sessions.get_mut(pending.handle).filter(is_its) else {
                continue;
            };
            let asked = &mut session.extension_mut().command_rate;
            asked.open = asked.open.saturating_sub(1);
            let (client_id, tie) = (Arc::clone(&session.client_id), session.tie);
            // A client id stands for the last who came with it.
            let is_newest = state
                .sessions
                .live(&tie)
                .map(|session| session.number)
                .max()
                .is_some_and(|newest| newest == pending.session);
            if let Some(payload) = json::write(&pending.responses).filter(|_| is_newest) {
                directives.push(Directive::Reply {
                    handle: pending.handle,
                    client_id,
                    topic: RESPONSE_TOPIC,
                    payload,
                });
            }
        }
    }

    fn enter(&mut self, pending: PendingMessage) -> u64 {
        self.last = self.last.wrapping_add(1);
        self.messages.insert(self.last, pending);
        self.last
    }
}

/// A client that does not read its answers gets no more than so many.
const MOST_UNANSWERED: usize = 64;
/// And so many of all sessions together, of 64 KiB at most.
const MOST_OPEN: usize = 1_024;
