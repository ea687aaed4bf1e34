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

use countersign_core::connect::Request;
use countersign_core::name::LoginName;
use countersign_core::time::Timestamp;

use crate::host::{ClientRef, ConnectOutcome, Handle, OwnedConnectSource};
use crate::secret_verifier::HashResult;
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
pub(crate) struct OpenChallenge {
    pub(crate) request: Request,
    /// What a slow check found out about its password, which is not checked
    /// again when the code comes.
    pub(crate) hash_result: Option<HashResult>,
    pub(crate) source: OwnedConnectSource,
    pub(crate) since: Timestamp,
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

    /// Asks the connection with this handle for a code.
    pub(crate) fn open(&mut self, handle: Handle, open: OpenChallenge) {
        self.open.insert(handle, open);
    }

    /// Says whether one more may be asked, and this user. Hosts may keep what
    /// one left behind who was asked and went away, so it is not done all the
    /// time.
    pub(crate) fn admits(&mut self, name: Option<&LoginName>, now: Timestamp) -> bool {
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
    pub(crate) fn take(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        now: Timestamp,
    ) -> Option<OpenChallenge> {
        let open = self.open.remove(&handle)?;
        let is_its = open.request.client_id.as_str().as_bytes() == client_id;
        (is_its && !open.is_over(now)).then_some(open)
    }

    /// Takes note that a client that tried to log in and was not let in has no
    /// rights: for a while or, once it was asked for a code, until its handle is
    /// another's.
    pub(crate) fn mark(
        &mut self,
        handle: Handle,
        client_id: &[u8],
        outcome: &ConnectOutcome,
        now: Timestamp,
    ) {
        let until = match outcome {
            ConnectOutcome::Admitted { .. } => return self.forget(handle),
            ConnectOutcome::Challenge { .. } => None,
            ConnectOutcome::Pending { .. } | ConnectOutcome::Refused { .. } => {
                Some(now.plus(REMEMBERED))
            }
        };
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
