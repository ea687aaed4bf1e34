//! Logins whose wait has ended, until their host says whether the client was still
//! there.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::connect::SessionChange;
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, SessionUndo};
use countersign_core::time::Timestamp;

use crate::connection::session::Phase;
use crate::host::{Completion, CompletionStatus, Directive, Handle, Ticket};
use crate::login::decision::Decided;
use crate::login::hash_pool::HashAnswer;
use crate::login::password_logins::PasswordLogins;
use crate::login::refusal::Refusal;
use crate::state::State;

/// Those whom the host was told to let in, until it says that it did.
#[derive(Default)]
pub(crate) struct Completions(HashMap<Ticket, Completed>);

/// A login that is decided, and whose client may be gone.
struct Completed {
    handle: Handle,
    session: SessionNumber,
    username: Option<Arc<str>>,
    /// What was recorded of its client id, if its client is gone.
    undo: Option<SessionUndo>,
    /// See [`Recorded::Arriving`](countersign_core::store::Recorded::Arriving).
    is_arriving: bool,
}

impl Completions {
    /// Ends the wait of a login whose answer has come.
    pub(crate) fn complete<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        passwords: &mut PasswordLogins,
        answer: HashAnswer,
        now: Timestamp,
    ) -> Option<Directive> {
        let ticket = answer.ticket;
        let ended = passwords.end(state, answer, now)?;
        let handle = ended.waiting.handle;
        let request = Arc::clone(&ended.waiting.request);
        let request = &*request;
        let source = ended.waiting.source.as_source();
        let address = source.address;
        let tie = request.tie;
        let settled = state.settle(&tie);
        let before = settled.and_then(|_| state.view.store.stored_session(&tie));
        let decided = match &before {
            // The host does not say of those before whether they were there.
            Ok(_) if self.0.len() >= MOST_COMPLETED || state.journal.undos.are_full() => {
                Ok(Decided::Refused(Reason::OverBudget))
            }
            Ok(_) => passwords.decide_ended(state, &ended, now),
            Err(error) => Err(error.of_the_same()),
        };
        let completion = match decided {
            Ok(Decided::Admitted(admitted)) => {
                let admission = &admitted.admission;
                let undo = (admission.record.session != SessionChange::Kept).then(|| SessionUndo {
                    client_id: tie,
                    before: before.unwrap_or_default(),
                    claimant: admission.identity.credential().map(|it| it.id),
                    at: now,
                });
                let is_arriving = admitted.is_arriving;
                let mut session = passwords.admit(state, handle, request, admitted, &source, now);
                session.is_arriving = true;
                // What the host has until it has let the client in.
                let after = core::mem::replace(&mut session.username, ended.username());
                let completed = Completed {
                    handle,
                    session: session.number,
                    username: after.clone(),
                    undo,
                    is_arriving,
                };
                state.sessions.insert(handle, session);
                self.0.insert(ticket, completed);
                Completion::Admit { username: after }
            }
            Ok(Decided::Refused(reason)) => Refusal::new(state, request, address, reason, now)
                .into_completion(&mut state.journal),
            Ok(Decided::NeedsHash(owed)) => {
                passwords.wait_on(state, ticket, ended, &owed);
                return None;
            }
            // What is held is no enhanced authentication, which asks questions.
            Ok(Decided::Challenged) => {
                let reason = Reason::OverBudget;
                Refusal::new(state, request, address, reason, now)
                    .into_completion(&mut state.journal)
            }
            Err(error) => Refusal::for_store(state, request, address, &error, now)
                .into_completion(&mut state.journal),
        };
        Some(Directive::Complete {
            ticket,
            handle,
            client_id: request.client_id.as_str().into(),
            completion,
        })
    }

    /// Takes note of whether a client was still there when its wait ended; if not,
    /// there was no session.
    pub(crate) fn completed<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        passwords: &mut PasswordLogins,
        ticket: Ticket,
        status: CompletionStatus,
    ) {
        let Some(completed) = self.0.remove(&ticket) else {
            return;
        };
        let handle = completed.handle;
        if let Some(undo) = completed.undo
            && (status == CompletionStatus::Gone || completed.is_arriving)
        {
            state.journal.answer(&mut state.view.store, undo, status);
        }
        let session = state.sessions.get(handle);
        if session.is_none_or(|session| session.number != completed.session) {
            return;
        }
        let Some(mut session) = state.sessions.remove(handle) else {
            return;
        };
        if status == CompletionStatus::Gone || matches!(session.phase, Phase::Gone { .. }) {
            return;
        }
        session.username = completed.username;
        session.is_arriving = false;
        passwords.queue.pending.unadmitted.remove(handle);
        passwords.note_login(&state.verifier, &session);
        state.begin(handle, session);
    }
}

/// So many may be on their way into the host.
const MOST_COMPLETED: usize = 1_024;
