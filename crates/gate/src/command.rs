//! Commands that sessions give about themselves, as JSON on
//! `$CONTROL/countersign/v1/session` (design §15).
//!
//! What concerns the session alone is done here and now. What is an
//! administrative act goes to the [`Clerk`], who does it as any other door to
//! the store would. The answer to a message goes out when all of it is there,
//! from a poll, and only if the session that asked is still what its client id
//! stands for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use countersign_core::control;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::Verdict;
use countersign_core::store::GateStore;

use crate::clerk::{Clerk, Done, Errand, Place};
use crate::gate::Gate;
use crate::host::{Directive, Handle, LogLevel, Peer};
use crate::session::{Phase, Session};

use self::problem::Problem;
use self::words::{Answer, Asked, Response};

mod local;
pub(crate) mod problem;
pub(crate) mod words;

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
pub(crate) struct Desk {
    clerk: Clerk,
    open: HashMap<u64, Open>,
    /// Those whose answer is complete.
    ready: VecDeque<u64>,
    /// Lines for the host's log.
    said: Vec<String>,
    last: u64,
}

/// A message with commands.
struct Open {
    handle: Handle,
    session: SessionNumber,
    responses: Vec<Response>,
    /// How many of them wait for the clerk.
    missing: usize,
}

impl Desk {
    pub(crate) fn new(clerk: Clerk) -> Self {
        Self {
            clerk,
            open: HashMap::new(),
            ready: VecDeque::new(),
            said: Vec::new(),
            last: 0,
        }
    }

    /// Has a line written to the host's log.
    pub(crate) fn say(&mut self, line: String) {
        self.said.push(line);
    }

    /// Says whether there is something for a poll to do.
    pub(crate) fn has_something(&self) -> bool {
        !self.ready.is_empty() || !self.said.is_empty()
    }

    /// Fetches what the clerk has done, once the bell was answered.
    pub(crate) fn take_results(&mut self) {
        for Done { place, outcome } in self.clerk.take() {
            let Some(open) = self.open.get_mut(&place.message) else {
                continue;
            };
            let response = open.responses.get_mut(place.response);
            if let Some(response) = response.filter(|response| response.outcome.is_none()) {
                response.outcome = Some(outcome);
                open.missing = open.missing.saturating_sub(1);
            }
            if open.missing == 0 {
                self.ready.push_back(place.message);
            }
        }
    }

    /// Has the clerk read everything again.
    pub(crate) fn reload(&self) {
        self.clerk.reload();
    }

    /// Ends the clerk. What was asked and not done is not done any more.
    pub(crate) fn stop(&mut self) {
        self.clerk.stop();
    }

    fn enter(&mut self, open: Open) -> u64 {
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, open);
        self.last
    }
}

/// What becomes of a command.
enum Step {
    /// It is answered.
    Answered(Result<Answer, Problem>),
    /// It is an act, for the clerk.
    Errand(Errand),
}

impl<S: GateStore> Gate<S> {
    /// Takes a message that a connection published on [`SESSION_TOPIC`]. The
    /// answer comes as a [`Directive::Reply`].
    ///
    /// Whoever has no session that proved who it is gets none.
    pub fn command(&mut self, peer: &Peer<'_>, payload: &[u8]) {
        let now = self.now();
        let handle = peer.handle;
        let Some(session) = self.sessions.get_mut(handle).filter(|session| {
            session.is(peer) && session.phase == Phase::Live && session.credential().is_some()
        }) else {
            return;
        };
        let parsed = words::parse(payload);
        let count = parsed.as_ref().map_or(1, Vec::len);
        let number = session.number;
        let asked = &mut session.extras_mut().asked;
        if asked.open >= MOST_UNANSWERED || self.crowd.desk.open.len() >= MOST_OPEN {
            return;
        }
        let is_admitted = asked.admits(count, now);
        asked.open = asked.open.saturating_add(1);
        let message = self.crowd.desk.enter(Open {
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
                        asked.order = Err(Problem::TooMuch);
                    }
                    self.answer(handle, asked, Place { message, response })
                })
                .collect(),
            Err(problem) => vec![Response::to_nothing(problem)],
        };
        let desk = &mut self.crowd.desk;
        let Some(open) = desk.open.get_mut(&message) else {
            return;
        };
        open.missing = responses
            .iter()
            .filter(|response| response.outcome.is_none())
            .count();
        open.responses = responses;
        if open.missing == 0 {
            desk.ready.push_back(message);
            (self.setting.wake)();
        }
    }

    /// Answers a command, or sends the clerk.
    fn answer(&mut self, handle: Handle, asked: Asked, place: Place) -> Response {
        let Asked {
            command,
            correlation,
            order,
        } = asked;
        let step = match order {
            Ok(order) => self.carry_out(handle, order),
            Err(problem) => Step::Answered(Err(problem)),
        };
        let outcome = match step {
            Step::Answered(outcome) => Some(outcome),
            Step::Errand(errand) => match self.crowd.desk.clerk.send(place, errand) {
                Ok(()) => None,
                Err(problem) => Some(Err(problem)),
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
        let desk = &mut self.crowd.desk;
        for line in desk.said.drain(..) {
            let level = LogLevel::Notice;
            directives.push(Directive::Log { level, line });
        }
        while let Some(message) = desk.ready.pop_front() {
            let Some(open) = desk.open.remove(&message) else {
                continue;
            };
            let is_its = |session: &&mut Session| {
                session.number == open.session && session.phase == Phase::Live
            };
            let Some(session) = self.sessions.get_mut(open.handle).filter(is_its) else {
                continue;
            };
            let asked = &mut session.extras_mut().asked;
            asked.open = asked.open.saturating_sub(1);
            let client_id = Arc::clone(&session.client_id);
            // A client id stands for the last who came with it.
            let is_newest = self
                .sessions
                .live(&client_id)
                .map(|session| session.number)
                .max()
                .is_some_and(|newest| newest == open.session);
            if let Some(payload) = words::write(&open.responses).filter(|_| is_newest) {
                directives.push(Directive::Reply {
                    handle: open.handle,
                    client_id,
                    topic: RESPONSE_TOPIC,
                    payload,
                });
            }
        }
    }
}

/// Whoever reads no answers gets none beyond so many.
const MOST_UNANSWERED: usize = 64;
/// And so many of all sessions together, of 64 KiB at most.
const MOST_OPEN: usize = 1_024;
