//! Sessions that authenticate again (MQTT 5.0 §4.12.1).
//!
//! One that a token proved, by a method of tokens, goes on with another token of the same
//! principal. Any other one is ended, and one whose token is refused, by the next poll:
//! some hosts can't refuse it, as they would free the client id by which they know it.

use std::sync::Arc;

use countersign_core::connect::{Method, Request};
use countersign_core::presence::PresenceEvent;
use countersign_core::reason::Reason;
use countersign_core::store::GateStore;
use countersign_core::time::Timestamp;

use crate::connection::principal::Principal;
use crate::connection::session::Session;
use crate::connection::session_tag::SessionTag;
use crate::host::{ConnectInfo, ConnectOutcome, Handle};
use crate::login::Logins;
use crate::login::decision::Admitted;
use crate::login::presented::parse;
use crate::state::State;

impl Logins {
    /// Judges what a live session presents that authenticates again.
    pub(super) fn authenticate_again<S: GateStore>(
        &mut self,
        state: &mut State<S>,
        info: &ConnectInfo<'_>,
        method: Option<Method>,
        now: Timestamp,
    ) -> ConnectOutcome {
        let handle = info.handle;
        let session = state.sessions.get(handle);
        let may_renew = matches!(method, Some(Method::Token))
            && session.is_some_and(Session::is_by_method_of_tokens);
        if !may_renew {
            return self.end_misbehaving(state, handle, Reason::Malformed);
        }
        // What a token of ours is called is not what its bearer presents as the name.
        let is_bearer = session.is_some_and(Session::is_token);
        let request = match parse(state, info) {
            Ok(request) => Request {
                method: Method::Token,
                name: request.name.filter(|_| !is_bearer),
                ..request
            },
            Err(reason) => return self.end_misbehaving(state, handle, reason),
        };
        match self.passwords.renew(state, info, &request, now) {
            Ok(admitted) => {
                let username = state.renew(handle, &request, admitted, now);
                ConnectOutcome::Admitted { username }
            }
            Err(refusal) => {
                let reason = refusal.reason();
                if let Some(line) = refusal.into_turned_away(&mut state.journal).line {
                    state.journal.host_log.say(line);
                }
                self.end_misbehaving(state, handle, reason)
            }
        }
    }
}

impl<S: GateStore> State<S> {
    /// Has a session go on with another token of its principal; returns its user name.
    fn renew(
        &mut self,
        handle: Handle,
        request: &Request,
        admitted: Admitted,
        now: Timestamp,
    ) -> Option<Arc<str>> {
        let Admitted {
            admission, grant, ..
        } = admitted;
        let mut session = self.sessions.remove(handle)?;
        let (number, username) = (session.number, session.username.clone());
        let used = session.credential().map(|id| PresenceEvent::Used(id, now));
        session.principal = Principal::of(&admission.identity);
        session.tag = SessionTag::of(self.verifier.key(), &admission.identity, request);
        session.depends_on = grant.depends_on;
        session.extension_mut().groups = grant.groups;
        self.sessions.insert(handle, session);
        self.give_rights(handle, grant.rights, now);
        if let Some(at) = grant.ends_at {
            self.sessions.set_deadline(at, handle, number);
        }
        if let Some(used) = used {
            self.journal.writer.observe(used);
        }
        username
    }
}
