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
use std::time::Duration;

use countersign_core::connect::{Method, Request, SessionUse};
use countersign_core::name::LoginName;
use countersign_core::reason::Reason;
use countersign_core::secret::Secret;
use countersign_core::store::GateStore;
use countersign_core::time::Timestamp;

use crate::compare::Learned;
use crate::gate::Gate;
use crate::host::{ConnectFacts, ConnectOutcome, Enhanced, Handle, Peer, RefusalCode};
use crate::nobodies::{Nobodies, REMEMBERED};
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
    nobodies: Nobodies,
    /// When each person was asked, as far as it was a moment ago. Only those are
    /// here whose password was presented.
    recent: HashMap<String, Vec<Timestamp>>,
    tidied: Option<Timestamp>,
}

/// A login that was asked for a code.
struct Open {
    request: Request,
    /// What a slow check found out about its password, which is not checked
    /// again when the code comes.
    learned: Option<Learned>,
    place: OwnedPlace,
    since: Timestamp,
}

impl Challenges {
    /// Takes note that whoever has this handle now is another, or was let in.
    pub(crate) fn forget(&mut self, handle: Handle) {
        self.open.remove(&handle);
        self.nobodies.remove(handle);
    }

    /// Takes note that the connection with this handle is gone. One that was
    /// asked for a code may have left a Will behind that comes long after it is
    /// gone; of one that was refused, no host keeps any.
    pub(crate) fn release(&mut self, handle: Handle) {
        self.open.remove(&handle);
        if let Some(Some(_)) = self.nobodies.until(handle) {
            self.nobodies.remove(handle);
        }
    }

    /// Says whether a client was asked and has not answered, or was not let in.
    /// Costs next to nothing when nobody is.
    pub(crate) fn has_nobody(&self, peer: &Peer<'_>) -> bool {
        self.nobodies.has(peer)
    }

    /// Says whether there is nothing that [`Self::tidy`] could forget.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.open.is_empty() && self.recent.is_empty() && self.nobodies.is_at_rest()
    }

    /// Forgets whoever took too long, with their passwords.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        let is_time = self
            .tidied
            .is_none_or(|last| now < last || now.since(last) >= TIDY_EVERY);
        if is_time {
            self.tidied = Some(now);
            self.open.retain(|_, open| !open.is_over(now));
            self.nobodies.tidy(now);
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
        let person = name.map_or_else(String::new, folded);
        let is_known = self.recent.contains_key(&person);
        if self.open.len() >= MOST_OPEN
            || !self.nobodies.has_room()
            || (!is_known && self.recent.len() >= MOST_PEOPLE)
        {
            return false;
        }
        let times = self.recent.entry(person).or_default();
        let admits = times.len() < MOST_OF_ONE;
        if admits {
            times.push(now);
        }
        admits
    }

    /// What was asked of the connection with this handle, if it is in time.
    fn take(&mut self, handle: Handle, client_id: &[u8], now: Timestamp) -> Option<Open> {
        let open = self.open.remove(&handle)?;
        let is_its = open.request.client_id.as_str().as_bytes() == client_id;
        (is_its && !open.is_over(now)).then_some(open)
    }

    /// Takes note that a client is nobody. With no `until`, which is so once it
    /// was asked for a code, until its handle is another's.
    fn keep_out(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        until: Option<Timestamp>,
        now: Timestamp,
    ) {
        let was_asked = self.nobodies.until(handle) == Some(None);
        let until = until.filter(|_| !was_asked);
        self.nobodies.insert(handle, client_id, until, now);
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
                self.attempt(&facts, Request { method, ..request }, None, now)
            }
            Ok(request) => {
                let (code, reason) = (RefusalCode::BadMethod, Reason::Malformed);
                self.refuse_with(code, &request, facts.address, reason, now)
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
        let Open {
            request,
            learned,
            place,
            ..
        } = open;
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
        let code = Secret::presented(data.unwrap_or_default());
        let method = Method::Enhanced { code: Some(code) };
        let outcome = self.attempt(&facts, Request { method, ..request }, learned, now);
        self.keep_out_unless_admitted(&facts, &outcome, now);
        outcome
    }

    /// Asks for a code, and keeps what was presented until it comes.
    pub(crate) fn challenge(
        &mut self,
        facts: &ConnectFacts<'_>,
        request: &Request,
        learned: Option<Learned>,
        now: Timestamp,
    ) -> ConnectOutcome {
        self.crowd.challenges.tidy(now);
        if !self.crowd.challenges.admits(request.name.as_ref(), now) {
            return self.refuse(request, facts.address, Reason::OverBudget, now);
        }
        let kept = |secret: &Secret| Secret::new(secret.expose().to_vec());
        let open = Open {
            request: Request {
                client_id: request.client_id.clone(),
                tie: request.tie,
                name: request.name.clone(),
                secret: request.secret.as_ref().map(kept),
                session: request.session,
                method: Method::Enhanced { code: None },
            },
            learned,
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
            self.crowd.unruly.insert((handle, session.number));
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
                Some(now.plus(REMEMBERED))
            }
        };
        self.crowd
            .challenges
            .keep_out(facts.handle, facts.client_id, until, now);
    }
}

/// A name as it is compared where it is somebody's e-mail address.
fn folded(name: &LoginName) -> String {
    name.as_str().to_lowercase()
}

/// So many logins are asked at once, and so often in a minute is one person.
const MOST_OPEN: usize = 1_024;
const MOST_OF_ONE: usize = 16;
/// So many people are asked in a minute.
const MOST_PEOPLE: usize = 4_096;
/// So long a code is waited for.
const LONGEST: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(1);
