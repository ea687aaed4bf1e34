//! Enhanced authentication (MQTT 5.0 §4.12): a login that is asked for a code.
//!
//! A CONNECT names the method [`ENHANCED_METHOD`] and brings its password as
//! Authentication Data. Where a code is needed, and only once name and password
//! were right, the answer is [`CHALLENGE`]; the client's AUTH brings the code.
//! Then everything is decided again from the beginning, with the password that
//! was kept meanwhile.
//!
//! With one of [`TOKEN_METHODS`] the Authentication Data is a token (JWT), which is judged
//! as one that is presented as the password; nothing is asked then.
//!
//! A client that was asked for a code has no rights until it has answered.
//! Hosts can't hold such a login, so its password is hashed at once, as far as
//! the budget allows.

use std::collections::HashMap;
use std::time::Duration;

use countersign_core::connect::Method;
use countersign_core::name::LoginName;
use countersign_core::time::Timestamp;

/// The method of enhanced authentication that asks for a code.
pub const ENHANCED_METHOD: &str = "COUNTERSIGN-TOTP";

/// The methods whose Authentication Data is a token, as Azure Event Grid calls them.
pub const TOKEN_METHODS: [&str; 2] = ["OAUTH2-JWT", "CUSTOM-JWT"];

/// How a client authenticates that names this method; none if it is not known.
pub(crate) fn method_of(name: &[u8]) -> Option<Method> {
    if name == ENHANCED_METHOD.as_bytes() {
        return Some(Method::Enhanced { code: None });
    }
    TOKEN_METHODS
        .iter()
        .any(|known| name == known.as_bytes())
        .then_some(Method::Token)
}

/// What a client is told that is to send a code.
pub const CHALLENGE: &str = r#"{"errorCode":-90041}"#;

/// How often users were asked for a code a moment ago. Only those are here whose
/// password was presented.
#[derive(Default)]
pub(crate) struct ChallengeLimit {
    recent: HashMap<String, Vec<Timestamp>>,
}

impl ChallengeLimit {
    /// Says whether this user may be asked once more. Hosts may keep what
    /// one left behind who was asked and went away, so it is not done all the
    /// time.
    pub(crate) fn admits(&mut self, name: Option<&LoginName>, now: Timestamp) -> bool {
        let email = name.map_or_else(String::new, folded);
        if self.recent.len() >= MOST_PEOPLE && !self.recent.contains_key(&email) {
            return false;
        }
        let times = self.recent.entry(email).or_default();
        let admits = times.len() < MOST_OF_ONE;
        if admits {
            times.push(now);
        }
        admits
    }

    /// Says whether there is nothing that [`Self::tidy`] could forget.
    pub(crate) fn is_idle(&self) -> bool {
        self.recent.is_empty()
    }

    /// Forgets what is longer ago.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        self.recent.retain(|_, times| {
            times.retain(|time| *time <= now && now.since(*time) < LONGEST);
            !times.is_empty()
        });
    }
}

/// A name as it is compared where it is somebody's e-mail address.
fn folded(name: &LoginName) -> String {
    name.as_str().to_lowercase()
}

/// So often one user is asked in a minute.
const MOST_OF_ONE: usize = 16;
/// So many users are asked in a minute.
const MOST_PEOPLE: usize = 4_096;
const LONGEST: Duration = Duration::from_secs(60);
