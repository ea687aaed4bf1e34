//! Enhanced authentication (MQTT 5.0 §4.12): a login that is asked for a code.
//!
//! A CONNECT names the method [`ENHANCED_METHOD`] and brings its password as
//! Authentication Data. Where a code is needed, and only once name and password
//! were right, the answer is [`CHALLENGE`]; the client's AUTH brings the code.
//! Then everything is decided again from the beginning, with the password that
//! was kept meanwhile.
//!
//! Whoever is asked is nobody until it has answered. Hosts can't hold such a
//! login, so its password is hashed as far as there is time at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::connect::{Method, Request, SessionUse};
use countersign_core::name::LoginName;
use countersign_core::reason::Reason;
use countersign_core::secret::Secret;
use countersign_core::store::GateStore;
use countersign_core::time::Timestamp;

use crate::gate::Gate;
use crate::host::{ConnectFacts, ConnectOutcome, Enhanced, Handle, Peer, RefusalCode};
use crate::session::Phase;
use crate::slow::OwnedPlace;

/// The method of enhanced authentication that a gate speaks.
pub const ENHANCED_METHOD: &str = "COUNTERSIGN-TOTP";

/// What a client is told that is to send a code.
pub const CHALLENGE: &str = r#"{"errorCode":-90041}"#;

/// The logins that were asked for a code, and those who may still be taken for
/// somebody though they were not let in.
#[derive(Default)]
pub(crate) struct Challenges {
    open: HashMap<Handle, Open>,
    nobodies: HashMap<Handle, Nobody>,
    /// When each person was asked, as far as it was a moment ago.
    recent: HashMap<String, Vec<Timestamp>>,
    tidied: Option<Timestamp>,
}

/// A login that was asked for a code.
struct Open {
    request: Request,
    place: OwnedPlace,
    since: Timestamp,
}

/// A client that tried, and is not let in.
struct Nobody {
    client_id: Arc<str>,
    /// Until when it may be asked about. With none, which is so once it was asked
    /// for a code, until its handle is another's: it may have left a Will
    /// behind that comes long after it is gone.
    until: Option<Timestamp>,
}

impl Challenges {
    /// Takes note that whoever has this handle now is another, or was let in.
    pub(crate) fn forget(&mut self, handle: Handle) {
        self.open.remove(&handle);
        self.nobodies.remove(&handle);
    }

    /// Takes note that the connection with this handle is gone. What is still
    /// asked about it is asked about nobody.
    pub(crate) fn release(&mut self, handle: Handle) {
        self.open.remove(&handle);
    }

    /// Says whether a client was asked and has not answered, or was not let in.
    /// Costs next to nothing when nobody is.
    pub(crate) fn has_nobody(&self, peer: &Peer<'_>) -> bool {
        !self.nobodies.is_empty()
            && self.nobodies.get(&peer.handle).is_some_and(|nobody| {
                peer.client_id
                    .is_none_or(|id| id == nobody.client_id.as_bytes())
            })
    }

    /// Forgets whoever took too long, with their passwords.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        let is_time = self
            .tidied
            .is_none_or(|last| now < last || now.since(last) >= TIDY_EVERY);
        if is_time {
            self.tidied = Some(now);
            self.open.retain(|_, open| !open.is_over(now));
            self.nobodies
                .retain(|_, nobody| nobody.until.is_none_or(|until| now < until));
            self.recent.retain(|_, times| {
                times.retain(|time| *time <= now && now.since(*time) < LONGEST);
                !times.is_empty()
            });
        }
    }

    /// Says whether one more may be asked, and this person. Hosts may keep what
    /// one left behind who was asked and went away, so it is not done all the
    /// time.
    fn admits(&mut self, name: Option<&LoginName>, now: Timestamp) -> bool {
        let times = self
            .recent
            .entry(name.map_or_else(String::new, folded))
            .or_default();
        if self.open.len() >= MOST_OPEN || times.len() >= MOST_OF_ONE {
            return false;
        }
        times.push(now);
        true
    }

    /// What was asked of the connection with this handle, if it is in time.
    fn take(&mut self, handle: Handle, client_id: &[u8], now: Timestamp) -> Option<Open> {
        let open = self.open.remove(&handle)?;
        let is_its = open.request.client_id.as_str().as_bytes() == client_id;
        (is_its && !open.is_over(now)).then_some(open)
    }

    fn keep_out(&mut self, handle: Handle, client_id: &str, until: Option<Timestamp>) {
        let was_asked = |nobody: &Nobody| nobody.until.is_none();
        let nobody = Nobody {
            client_id: client_id.into(),
            until: until.filter(|_| !self.nobodies.get(&handle).is_some_and(was_asked)),
        };
        self.nobodies.insert(handle, nobody);
    }
}

impl Open {
    fn is_over(&self, now: Timestamp) -> bool {
        now < self.since || now.since(self.since) >= LONGEST
    }
}

impl<S: GateStore> Gate<S> {
    /// Decides about a CONNECT that asks for enhanced authentication. Its
    /// password field is not looked at.
    ///
    /// A live session can't authenticate again. If it tries, it is asked for
    /// nothing, and ended by the next poll: some hosts can't refuse it.
    pub fn connect_enhanced(
        &mut self,
        facts: &ConnectFacts<'_>,
        enhanced: &Enhanced<'_>,
    ) -> ConnectOutcome {
        let now = self.now();
        if self.is_again(facts) {
            return self.end_unruly(facts.handle);
        }
        self.forget_attempts(facts.handle, now);
        let facts = ConnectFacts {
            password: enhanced.data,
            // No host can.
            may_wait: false,
            ..*facts
        };
        let session = SessionUse::of(facts.protocol, facts.clean_start);
        let parsed = Request::parse(facts.client_id, facts.username, facts.password, session);
        let outcome = match parsed {
            Ok(request) if enhanced.method == ENHANCED_METHOD.as_bytes() => {
                self.slow.supersede(request.client_id.as_str(), now);
                let method = Method::Enhanced { code: None };
                self.attempt(&facts, Request { method, ..request }, now)
            }
            Ok(request) => {
                let reason = Reason::Malformed;
                let line = self.note_refusal(&request, facts.address, reason, now);
                ConnectOutcome::Refused {
                    reason,
                    code: RefusalCode::BadMethod,
                    line: Some(line),
                }
            }
            Err(reason) => self.refuse_malformed(&facts, reason, now),
        };
        self.keep_out_unless_admitted(&facts, &outcome, now);
        outcome
    }

    /// Goes on with a CONNECT that was answered [`ConnectOutcome::Challenge`],
    /// now that its client sent this.
    ///
    /// A live session that was asked nothing is asked for nothing again, and
    /// ended by the next poll: some hosts can't refuse it.
    pub fn resume(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        data: Option<&[u8]>,
    ) -> ConnectOutcome {
        let now = self.now();
        let live = self.sessions.get(handle);
        if live.is_some_and(|session| !matches!(session.phase, Phase::Gone { .. })) {
            return self.end_unruly(handle);
        }
        let Some(open) = self.crowd.challenges.take(handle, client_id, now) else {
            let client_id = String::from_utf8_lossy(client_id);
            let client_id = self.presented_client_id(&client_id, None, None);
            return self.refuse_as("(late)".into(), client_id, None, Reason::MfaRequired, now);
        };
        let Open { request, place, .. } = open;
        let place = place.as_place();
        let facts = ConnectFacts {
            handle,
            client_id,
            username: None,
            password: None,
            address: place.address,
            listener: place.listener,
            protocol: place.protocol,
            clean_start: request.session.starts_clean,
            may_wait: false,
            reservation: place.reservation,
        };
        let code = Secret::new(data.unwrap_or_default().to_vec());
        let method = Method::Enhanced { code: Some(code) };
        let outcome = self.attempt(&facts, Request { method, ..request }, now);
        self.keep_out_unless_admitted(&facts, &outcome, now);
        outcome
    }

    /// Asks for a code, and keeps what was presented until it comes.
    pub(crate) fn challenge(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: &Request,
        now: Timestamp,
    ) -> ConnectOutcome {
        self.crowd.challenges.tidy(now);
        if !self.crowd.challenges.admits(request.name.as_ref(), now) {
            return self.refuse_unchecked(facts, request, RefusalCode::Busy, now);
        }
        let kept = |secret: &Secret| Secret::new(secret.expose().to_vec());
        let open = Open {
            request: Request {
                client_id: request.client_id.clone(),
                name: request.name.clone(),
                secret: request.secret.as_ref().map(kept),
                session: request.session,
                method: Method::Enhanced { code: None },
            },
            place: OwnedPlace::of(&facts.place()),
            since: now,
        };
        self.crowd.challenges.open.insert(facts.handle, open);
        ConnectOutcome::Challenge {
            data: CHALLENGE.as_bytes(),
        }
    }

    /// Has a live session ended, and keeps it waiting until then.
    fn end_unruly(&mut self, handle: Handle) -> ConnectOutcome {
        if let Some(session) = self.sessions.get(handle) {
            self.crowd.unruly.push((handle, session.number));
            (self.setting.wake)();
        }
        ConnectOutcome::Challenge { data: b"" }
    }

    /// Says whether it is a live session that asks.
    fn is_again(&self, facts: &ConnectFacts<'_>) -> bool {
        let peer = Peer {
            handle: facts.handle,
            client_id: Some(facts.client_id),
            username: facts.username,
            connected: true,
            ..Peer::default()
        };
        self.sessions
            .get(facts.handle)
            .is_some_and(|session| session.phase == Phase::Live && session.is(&peer))
    }

    /// Takes note that whoever tried and was not let in is nobody.
    fn keep_out_unless_admitted(
        &mut self,
        facts: &ConnectFacts<'_>,
        outcome: &ConnectOutcome,
        now: Timestamp,
    ) {
        let until = match outcome {
            ConnectOutcome::Admitted { .. } => {
                self.crowd.challenges.forget(facts.handle);
                return;
            }
            ConnectOutcome::Challenge { .. } => None,
            ConnectOutcome::Pending { .. } | ConnectOutcome::Refused { .. } => {
                Some(now.plus(REMEMBER_NOBODY))
            }
        };
        let client_id = String::from_utf8_lossy(facts.client_id);
        self.crowd
            .challenges
            .keep_out(facts.handle, &client_id, until);
    }
}

/// A name as it is compared where it is somebody's e-mail address.
fn folded(name: &LoginName) -> String {
    name.as_str().to_lowercase()
}

/// So many logins are asked at once, and so often in a minute is one person.
const MOST_OPEN: usize = 1_024;
const MOST_OF_ONE: usize = 16;
/// So long a code is waited for.
const LONGEST: Duration = Duration::from_secs(60);
/// A host asks about the Will of a client soon after it was refused, if at all.
const REMEMBER_NOBODY: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(1);
