//! Enhanced authentication (MQTT 5.0 §4.12): a login that is asked for a code.
//!
//! A CONNECT names the method [`ENHANCED_METHOD`] and brings its password as
//! Authentication Data. Where a code is needed, and only once name and password
//! were right, the answer is [`CHALLENGE`]; the client's AUTH brings the code.
//! Then everything is decided again from the beginning, with the password that
//! was kept meanwhile.
//!
//! A client that was asked for a code has no rights until it has answered.
//! Hosts can't hold such a login, so its password is hashed at once, as far as
//! the budget allows.

use std::collections::HashMap;
use std::time::Duration;

use countersign_core::connect::{Method, Request, SessionUse};
use countersign_core::name::LoginName;
use countersign_core::reason::Reason;
use countersign_core::secret::Secret;
use countersign_core::store::GateStore;
use countersign_core::time::Timestamp;

use crate::gate::Gate;
use crate::host::{ClientRef, ConnectInfo, ConnectOutcome, Enhanced, Handle, RefusalCode};
use crate::password_logins::OwnedConnectSource;
use crate::secret_verifier::HashResult;
use crate::session::Phase;
use crate::unauthenticated_handles::{REMEMBERED, UnauthenticatedHandles};

/// The method of enhanced authentication that a gate speaks.
pub const ENHANCED_METHOD: &str = "COUNTERSIGN-TOTP";

/// What a client is told that is to send a code.
pub const CHALLENGE: &str = r#"{"errorCode":-90041}"#;

/// The logins that were asked for a code, and the handles of clients that were
/// not let in.
#[derive(Default)]
pub(crate) struct Challenges {
    open: HashMap<Handle, OpenChallenge>,
    unauthenticated: UnauthenticatedHandles,
    /// When each user was asked, as far as it was a moment ago. Only those are
    /// here whose password was presented.
    recent: HashMap<String, Vec<Timestamp>>,
    tidied: Option<Timestamp>,
}

/// A login that was asked for a code.
struct OpenChallenge {
    request: Request,
    /// What a slow check found out about its password, which is not checked
    /// again when the code comes.
    hash_result: Option<HashResult>,
    source: OwnedConnectSource,
    since: Timestamp,
}

impl Challenges {
    /// Takes note that this handle belongs to another client now, or that its
    /// client was let in.
    pub(crate) fn forget(&mut self, handle: Handle) {
        self.open.remove(&handle);
        self.unauthenticated.remove(handle);
    }

    /// Takes note that the connection with this handle is gone. One that was
    /// asked for a code may have left a Will behind that comes long after it is
    /// gone; of one that was refused, no host keeps any.
    pub(crate) fn release(&mut self, handle: Handle) {
        self.open.remove(&handle);
        if let Some(Some(_)) = self.unauthenticated.until(handle) {
            self.unauthenticated.remove(handle);
        }
    }

    /// Says whether a client was asked and has not answered, or was not let in.
    /// Costs next to nothing while there is none.
    pub(crate) fn is_unauthenticated(&self, client: &ClientRef<'_>) -> bool {
        self.unauthenticated.has(client)
    }

    /// Says whether there is nothing that [`Self::tidy`] could forget.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.recent.is_empty() && self.unauthenticated.is_idle()
    }

    /// Forgets logins that took too long, with their passwords.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        let is_time = self
            .tidied
            .is_none_or(|last| now < last || now.since(last) >= TIDY_EVERY);
        if is_time {
            self.tidied = Some(now);
            self.open.retain(|_, open| !open.is_over(now));
            self.unauthenticated.tidy(now);
            self.recent.retain(|_, times| {
                times.retain(|time| *time <= now && now.since(*time) < LONGEST);
                !times.is_empty()
            });
        }
    }

    /// Says whether one more may be asked, and this user. Hosts may keep what
    /// one left behind who was asked and went away, so it is not done all the
    /// time.
    fn admits(&mut self, name: Option<&LoginName>, now: Timestamp) -> bool {
        let email = name.map_or_else(String::new, folded);
        let is_known = self.recent.contains_key(&email);
        if self.open.len() >= MOST_OPEN
            || !self.unauthenticated.has_room()
            || (!is_known && self.recent.len() >= MOST_PEOPLE)
        {
            return false;
        }
        let times = self.recent.entry(email).or_default();
        let admits = times.len() < MOST_OF_ONE;
        if admits {
            times.push(now);
        }
        admits
    }

    /// What was asked of the connection with this handle, if it is in time.
    fn take(&mut self, handle: Handle, client_id: &[u8], now: Timestamp) -> Option<OpenChallenge> {
        let open = self.open.remove(&handle)?;
        let is_its = open.request.client_id.as_str().as_bytes() == client_id;
        (is_its && !open.is_over(now)).then_some(open)
    }

    /// Takes note that a client has no rights. With no `until`, which is so
    /// once it was asked for a code, until its handle is another's.
    fn mark_unauthenticated(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        until: Option<Timestamp>,
        now: Timestamp,
    ) {
        let was_asked = self.unauthenticated.until(handle) == Some(None);
        let until = until.filter(|_| !was_asked);
        self.unauthenticated.insert(handle, client_id, until, now);
    }
}

impl OpenChallenge {
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
        info: &ConnectInfo<'_>,
        enhanced: &Enhanced<'_>,
    ) -> ConnectOutcome {
        let now = self.now();
        if self.is_again(info) {
            return self.end_misbehaving(info.handle);
        }
        self.forget_attempts(info.handle, now);
        let info = ConnectInfo {
            password: enhanced.data,
            // No host can.
            may_wait: false,
            ..*info
        };
        let session = SessionUse::of(info.protocol, info.clean_start);
        let parsed = Request::parse(info.client_id, info.username, info.password, session);
        let outcome = match parsed {
            Ok(request) if enhanced.method == ENHANCED_METHOD.as_bytes() => {
                self.password_logins
                    .supersede(request.client_id.as_str(), now);
                let method = Method::Enhanced { code: None };
                self.attempt(&info, Request { method, ..request }, None, now)
            }
            Ok(request) => {
                let (code, reason) = (RefusalCode::BadMethod, Reason::Malformed);
                self.refuse_with(code, &request, info.address, reason, now)
            }
            Err(reason) => self.refuse_malformed(&info, reason, now),
        };
        self.mark_unauthenticated_unless_admitted(&info, &outcome, now);
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
            return self.end_misbehaving(handle);
        }
        let Some(open) = self.users.challenges.take(handle, client_id, now) else {
            let client_id = String::from_utf8_lossy(client_id);
            let client_id = self.presented_client_id(&client_id, None, None);
            return self.refuse_as("(late)".into(), client_id, None, Reason::MfaRequired, now);
        };
        let OpenChallenge {
            request,
            hash_result,
            source,
            ..
        } = open;
        let source = source.as_source();
        let info = ConnectInfo {
            handle,
            client_id,
            username: None,
            password: None,
            address: source.address,
            listener: source.listener,
            protocol: source.protocol,
            clean_start: request.session.starts_clean,
            may_wait: false,
            reservation: source.reservation,
        };
        let code = Secret::presented(data.unwrap_or_default());
        let method = Method::Enhanced { code: Some(code) };
        let outcome = self.attempt(&info, Request { method, ..request }, hash_result, now);
        self.mark_unauthenticated_unless_admitted(&info, &outcome, now);
        outcome
    }

    /// Asks for a code, and keeps what was presented until it comes.
    pub(crate) fn challenge(
        &mut self,
        info: &ConnectInfo<'_>,
        request: &Request,
        hash_result: Option<HashResult>,
        now: Timestamp,
    ) -> ConnectOutcome {
        self.users.challenges.tidy(now);
        if !self.users.challenges.admits(request.name.as_ref(), now) {
            return self.refuse(request, info.address, Reason::OverBudget, now);
        }
        let kept = |secret: &Secret| Secret::new(secret.expose().to_vec());
        let open = OpenChallenge {
            request: Request {
                client_id: request.client_id.clone(),
                tie: request.tie,
                name: request.name.clone(),
                secret: request.secret.as_ref().map(kept),
                session: request.session,
                method: Method::Enhanced { code: None },
            },
            hash_result,
            source: OwnedConnectSource::of(&info.source()),
            since: now,
        };
        self.users.challenges.open.insert(info.handle, open);
        ConnectOutcome::Challenge {
            data: CHALLENGE.as_bytes(),
        }
    }

    /// Has a live session ended, and keeps it waiting until then.
    fn end_misbehaving(&mut self, handle: Handle) -> ConnectOutcome {
        if let Some(session) = self.sessions.get(handle) {
            self.users.misbehaving.insert((handle, session.number));
            (self.config.wake)();
        }
        ConnectOutcome::Challenge { data: b"" }
    }

    /// Says whether it is a live session that asks.
    fn is_again(&self, info: &ConnectInfo<'_>) -> bool {
        let client = ClientRef {
            handle: info.handle,
            client_id: Some(info.client_id),
            username: info.username,
            connected: true,
            ..ClientRef::default()
        };
        self.sessions
            .get(info.handle)
            .is_some_and(|session| session.phase == Phase::Live && session.is(&client))
    }

    /// Takes note that a client that tried to log in and was not let in has no
    /// rights.
    fn mark_unauthenticated_unless_admitted(
        &mut self,
        info: &ConnectInfo<'_>,
        outcome: &ConnectOutcome,
        now: Timestamp,
    ) {
        let until = match outcome {
            ConnectOutcome::Admitted { .. } => {
                self.users.challenges.forget(info.handle);
                return;
            }
            ConnectOutcome::Challenge { .. } => None,
            ConnectOutcome::Pending { .. } | ConnectOutcome::Refused { .. } => {
                Some(now.plus(REMEMBERED))
            }
        };
        self.users
            .challenges
            .mark_unauthenticated(info.handle, info.client_id, until, now);
    }
}

/// A name as it is compared where it is somebody's e-mail address.
fn folded(name: &LoginName) -> String {
    name.as_str().to_lowercase()
}

/// So many logins are asked at once, and so often in a minute is one user.
const MOST_OPEN: usize = 1_024;
const MOST_OF_ONE: usize = 16;
/// So many users are asked in a minute.
const MOST_PEOPLE: usize = 4_096;
/// So long a code is waited for.
const LONGEST: Duration = Duration::from_secs(60);
const TIDY_EVERY: Duration = Duration::from_secs(1);
