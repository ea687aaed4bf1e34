//! Commands that sessions give about themselves, as JSON on
//! `$CONTROL/countersign/v1/session`, and those of Mosquitto's dynamic-security.
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
use crate::host::{ClientRef, Directive, Handle, Payload};
use crate::state::State;

use self::control_job::{ControlJob, TOO_MANY, UNAVAILABLE};
use self::error::CommandError;
use self::execute::{CommandStep, execute};
use self::json::{ParsedCommand, Response};

mod admin_job;
pub(crate) mod admin_worker;
mod control_job;
pub(crate) mod error;
mod execute;
pub(crate) mod json;

pub use countersign_core::control::{
    DYNSEC_RESPONSE_TOPIC, DYNSEC_TOPIC, RESPONSE_TOPIC, SESSION_TOPIC,
};

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
    answer: Answer,
    /// How many responses wait for the admin worker.
    missing: usize,
}

/// The answer to a message, as far as it is there.
enum Answer {
    /// To commands that a session gives about itself.
    Session(Vec<Response>),
    /// To a message of dynamic-security, once it is carried out.
    Control(Option<Payload>),
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
        for result in self.admin_worker.take() {
            let message = match &result {
                JobResult::Response { slot, .. } => slot.message,
                JobResult::Control { message, .. } => *message,
            };
            let Some(pending) = self.messages.get_mut(&message) else {
                continue;
            };
            match (&mut pending.answer, result) {
                (Answer::Session(responses), JobResult::Response { slot, outcome }) => {
                    let response = responses.get_mut(slot.response);
                    if let Some(response) = response.filter(|response| response.outcome.is_none()) {
                        response.outcome = Some(outcome);
                        pending.missing = pending.missing.saturating_sub(1);
                    }
                }
                (Answer::Control(answer), JobResult::Control { answer: came, .. }) => {
                    *answer = Some(came);
                    pending.missing = 0;
                }
                (Answer::Session(_), JobResult::Control { .. })
                | (Answer::Control(_), JobResult::Response { .. }) => continue,
            }
            if pending.missing == 0 {
                self.ready.push_back(message);
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
            answer: Answer::Session(Vec::new()),
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
        pending.answer = Answer::Session(responses);
        if pending.missing == 0 {
            self.ready.push_back(message);
            (state.config.wake)();
        }
    }

    /// Takes a message that a connection published on [`DYNSEC_TOPIC`].
    pub(crate) fn control<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        client: &ClientRef<'_>,
        payload: &[u8],
    ) {
        let Some(tenant) = state.config.options.dynsec_tenant.clone() else {
            return;
        };
        // Whatever its host has looked at.
        if !state.may_control(client) {
            return;
        }
        let (now, handle) = (state.now(), client.handle);
        let Some(session) = state
            .sessions
            .get_mut(handle)
            .filter(|session| session.phase == Phase::Live)
        else {
            return;
        };
        let (number, credential) = (session.number, session.credential());
        let asked = &mut session.extension_mut().command_rate;
        if asked.open >= MOST_UNANSWERED || self.messages.len() >= MOST_OPEN {
            return;
        }
        let is_admitted = asked.admits(1, now);
        asked.open = asked.open.saturating_add(1);
        let message = self.enter(PendingMessage {
            handle,
            session: number,
            answer: Answer::Control(None),
            missing: 1,
        });
        let sent = if !is_admitted {
            Err(TOO_MANY)
        } else if payload.len() > control_job::LONGEST {
            // It would be copied before it is read.
            Err(control_job::TOO_LONG)
        } else {
            let store = &mut state.view.store;
            match credential.map(|id| store.credential_by_id(id)) {
                Some(Ok(Some(record))) => {
                    let job = ControlJob::new(&record, tenant, payload);
                    let sent = self.admin_worker.send_control(message, job);
                    sent.map_err(|error| {
                        if error == CommandError::LimitExceeded {
                            TOO_MANY
                        } else {
                            UNAVAILABLE
                        }
                    })
                }
                Some(Ok(None) | Err(_)) | None => Err(UNAVAILABLE),
            }
        };
        if let Err(why) = sent
            && let Some(pending) = self.messages.get_mut(&message)
        {
            let answer = control_job::payload(control_job::refusal(why));
            pending.answer = Answer::Control(Some(answer));
            pending.missing = 0;
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
            let (topic, payload) = match pending.answer {
                Answer::Session(responses) => (RESPONSE_TOPIC, json::write(&responses)),
                Answer::Control(answer) => (DYNSEC_RESPONSE_TOPIC, answer),
            };
            if let Some(payload) = payload.filter(|_| is_newest) {
                directives.push(Directive::Reply {
                    handle: pending.handle,
                    client_id,
                    topic,
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
