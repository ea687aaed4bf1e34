//! Commands that sessions give about themselves, as JSON on
//! `$CONTROL/countersign/v1/session`.
//!
//! A command that concerns the session alone is executed at once. An
//! administrative act goes to the [`AdminWorker`]. A poll sends the answer to a
//! message once every command of it is answered, and only if the session that
//! asked is still the newest live session of its client id.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use countersign_core::control;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::Verdict;
use countersign_core::store::GateStore;

use crate::admin_worker::{AdminJob, AdminWorker, JobResult, ReplySlot};
use crate::gate::Gate;
use crate::host::{ClientRef, Directive, Handle, LogLevel};
use crate::session::{Phase, Session};

use self::error::CommandError;
use self::json::{CommandResult, ParsedCommand, Response};

pub(crate) mod error;
mod execute;
pub(crate) mod json;

pub use countersign_core::control::{RESPONSE_TOPIC, SESSION_TOPIC};

/// The verdict on a use of the topics of commands; none for all others.
///
/// No rule is asked, neither of those that allow nor of those that deny.
#[inline]
pub(crate) fn verdict_on(session: &Session, usage: TopicUse<'_>) -> Option<Verdict> {
    let verdict = control::judge(usage, session.credential().is_some())?;
    // The Will of a session that is gone is no command.
    Some(match session.phase {
        Phase::Live => verdict,
        Phase::Gone { .. } | Phase::Kicked(_) => Verdict::Deny(Reason::NoRule),
    })
}

/// The messages with commands that are not answered yet.
pub(crate) struct CommandQueue {
    admin_worker: AdminWorker,
    messages: HashMap<u64, PendingMessage>,
    /// Those whose answer is complete.
    ready: VecDeque<u64>,
    /// Lines for the host's log.
    log_lines: Vec<String>,
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
            log_lines: Vec::new(),
            last: 0,
        }
    }

    /// Has a line written to the host's log.
    pub(crate) fn log(&mut self, line: String) {
        self.log_lines.push(line);
    }

    /// Says whether there is something for a poll to do.
    pub(crate) fn has_something(&self) -> bool {
        !self.ready.is_empty() || !self.log_lines.is_empty()
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

    /// Ends the admin worker. Jobs that were not started are dropped.
    pub(crate) fn stop(&mut self) {
        self.admin_worker.stop();
    }

    fn enter(&mut self, pending: PendingMessage) -> u64 {
        self.last = self.last.wrapping_add(1);
        self.messages.insert(self.last, pending);
        self.last
    }
}

/// What becomes of a command.
enum CommandStep {
    /// It is answered.
    Answered(Result<CommandResult, CommandError>),
    /// It is an act, for the admin worker.
    Job(AdminJob),
}

impl<S: GateStore> Gate<S> {
    /// Takes a message that a connection published on [`SESSION_TOPIC`]. The
    /// answer comes as a [`Directive::Reply`].
    ///
    /// A client without an authenticated session gets no answer.
    pub fn command(&mut self, client: &ClientRef<'_>, payload: &[u8]) {
        let now = self.now();
        let handle = client.handle;
        let Some(session) = self.sessions.get_mut(handle).filter(|session| {
            session.is(client) && session.phase == Phase::Live && session.credential().is_some()
        }) else {
            return;
        };
        let parsed = json::parse(payload);
        let count = parsed.as_ref().map_or(1, Vec::len);
        let number = session.number;
        let asked = &mut session.extension_mut().command_rate;
        if asked.open >= MOST_UNANSWERED || self.users.command_queue.messages.len() >= MOST_OPEN {
            return;
        }
        let is_admitted = asked.admits(count, now);
        asked.open = asked.open.saturating_add(1);
        let message = self.users.command_queue.enter(PendingMessage {
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
                    self.answer(handle, asked, ReplySlot { message, response })
                })
                .collect(),
            Err(error) => vec![Response::to_nothing(error)],
        };
        let command_queue = &mut self.users.command_queue;
        let Some(pending) = command_queue.messages.get_mut(&message) else {
            return;
        };
        pending.missing = responses
            .iter()
            .filter(|response| response.outcome.is_none())
            .count();
        pending.responses = responses;
        if pending.missing == 0 {
            command_queue.ready.push_back(message);
            (self.config.wake)();
        }
    }

    /// Answers a command, or queues a job for the admin worker.
    fn answer(&mut self, handle: Handle, asked: ParsedCommand, slot: ReplySlot) -> Response {
        let ParsedCommand {
            command,
            correlation,
            request,
        } = asked;
        let step = match request {
            Ok(request) => self.execute(handle, request),
            Err(error) => CommandStep::Answered(Err(error)),
        };
        let outcome = match step {
            CommandStep::Answered(outcome) => Some(outcome),
            CommandStep::Job(job) => match self.users.command_queue.admin_worker.send(slot, job) {
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
    pub(crate) fn answer_commands(&mut self, directives: &mut Vec<Directive>) {
        let command_queue = &mut self.users.command_queue;
        for line in command_queue.log_lines.drain(..) {
            let level = LogLevel::Notice;
            directives.push(Directive::Log { level, line });
        }
        while let Some(message) = command_queue.ready.pop_front() {
            let Some(pending) = command_queue.messages.remove(&message) else {
                continue;
            };
            let is_its = |session: &&mut Session| {
                session.number == pending.session && session.phase == Phase::Live
            };
            let Some(session) = self.sessions.get_mut(pending.handle).filter(is_its) else {
                continue;
            };
            let asked = &mut session.extension_mut().command_rate;
            asked.open = asked.open.saturating_sub(1);
            let client_id = Arc::clone(&session.client_id);
            // A client id stands for the last who came with it.
            let is_newest = self
                .sessions
                .live(&client_id)
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
}

/// A client that does not read its answers gets no more than so many.
const MOST_UNANSWERED: usize = 64;
/// And so many of all sessions together, of 64 KiB at most.
const MOST_OPEN: usize = 1_024;
