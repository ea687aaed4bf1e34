//! Who is connected at the broker beside a replica, as its centre is told.
//!
//! A telling begins with all sessions that there are, and goes on with those that come
//! and go, part by part. Where a part is lost, the telling begins anew.

use serde::{Deserialize, Serialize};

use crate::client_id::ClientIdTie;
use crate::credential::CredentialId;
use crate::hand_back::tie_of;
use crate::hex;
use crate::name::TenantId;
use crate::presence::{Presence, SessionNumber};
use crate::time::Timestamp;

/// A part of what is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToldSessions {
    /// The schema of the replica.
    pub schema: u32,
    /// Tells this telling from all others.
    pub telling: i64,
    /// The number of the part. With the first one, 0, what was told before is forgotten.
    pub part: u64,
    /// Whether sessions are at one broker alone.
    pub is_only: bool,
    /// Sessions that there are, or that are known better by now.
    pub here: Vec<ToldSession>,
    /// Sessions that there are no more.
    pub gone: Vec<GoneSession>,
}

impl ToldSessions {
    /// How many sessions it tells of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.here.len().saturating_add(self.gone.len())
    }

    /// Whether it tells of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A session.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToldSession {
    /// Its broker's name.
    pub broker: String,
    /// Its number there.
    pub session: i64,
    /// Its client id, as it may be shown; the beginning of a long one.
    pub client_id: String,
    /// The hash of its client id, in hexadecimal digits.
    pub tie: String,
    /// The credential that it proved; none where it proved nothing.
    pub credential: Option<i64>,
    /// Its tenant, as far as it is known.
    pub tenant: Option<String>,
    /// Where it comes from.
    pub address: Option<String>,
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
    pub protocol: u8,
    /// Since when, in milliseconds.
    pub connected_at: i64,
    /// The port it came in by.
    pub listener: Option<u16>,
    /// Whether the session outlives the connection.
    pub stored: bool,
}

/// A session that is gone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GoneSession {
    /// Its broker's name.
    pub broker: String,
    /// Its number there.
    pub session: i64,
}

impl ToldSession {
    /// A session of this broker.
    #[must_use]
    pub fn of(broker: &str, presence: &Presence) -> Self {
        let ClientIdTie(tie) = &presence.tie;
        Self {
            broker: broker.into(),
            session: presence.session.0,
            client_id: beginning(&presence.client_id),
            tie: hex::encode(tie),
            credential: presence.credential.map(|CredentialId(id)| id),
            tenant: presence.tenant.as_ref().map(ToString::to_string),
            address: presence.address.as_deref().map(beginning),
            protocol: presence.protocol,
            connected_at: presence.connected_at.as_millis(),
            listener: presence.listener,
            stored: presence.stored,
        }
    }

    /// The session, without its name; none where it can't be one.
    #[must_use]
    pub fn presence(&self) -> Option<Presence> {
        let address = self.address.as_deref();
        let texts = [&self.client_id, &self.broker].map(String::as_str);
        let mut texts = texts.into_iter().chain(address);
        let is_good = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
        if !texts.all(is_good) || self.broker.is_empty() || !(3..=5).contains(&self.protocol) {
            return None;
        }
        let tenant = self.tenant.as_deref().map(TenantId::parse);
        Some(Presence {
            session: SessionNumber(self.session),
            client_id: self.client_id.as_str().into(),
            tie: tie_of(&self.tie)?,
            username: None,
            credential: self.credential.map(CredentialId),
            tenant: tenant.transpose().ok()?,
            address: address.map(Into::into),
            protocol: self.protocol,
            connected_at: Timestamp::from_millis(self.connected_at),
            authenticated: self.credential.is_some(),
            listener: self.listener,
            stored: self.stored,
        })
    }
}

/// As much of a text as is told.
fn beginning(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.into();
    }
    let mut ends = (0..=LONGEST.saturating_sub(CUT.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

/// What the centre answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TakenSessions {
    /// How many sessions it did not take, since it knows of so many already.
    pub left_out: u64,
}

/// So many sessions a part tells of.
pub const MOST_TOLD: usize = 200;
/// Of so many sessions of a follower the centre knows.
pub const MOST_BEHIND: u64 = 100_000;
/// So many bytes of a text are told.
const LONGEST: usize = 256;
const CUT: &str = "…";

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Presence {
        Presence {
            session: SessionNumber(7),
            client_id: "c".into(),
            tie: ClientIdTie::of("c"),
            username: None,
            credential: Some(CredentialId(3)),
            tenant: TenantId::parse("acme").ok(),
            address: Some("192.0.2.1".into()),
            protocol: 5,
            connected_at: Timestamp::from_millis(9),
            authenticated: true,
            listener: Some(1883),
            stored: true,
        }
    }

    #[test]
    fn a_session_reads_back_as_it_was_told_and_a_long_client_id_is_cut() {
        assert_eq!(ToldSession::of("b", &session()).presence(), Some(session()));
        let long = Presence {
            client_id: "ü".repeat(300).into(),
            ..session()
        };
        let told = ToldSession::of("b", &long);
        assert!(told.client_id.len() <= LONGEST && told.client_id.ends_with('…'));
        let read = told.presence().unwrap();
        assert_eq!((read.tie, &*read.client_id), (long.tie, &*told.client_id));
    }

    #[test]
    fn what_can_be_no_session_is_none() {
        let good = ToldSession::of("b", &session());
        let bad: [fn(&mut ToldSession); 7] = [
            |it| it.broker = String::new(),
            |it| it.broker = "b\n".into(),
            |it| it.client_id = "c".repeat(257),
            |it| it.tie = "0".into(),
            |it| it.tenant = Some("A.B".into()),
            |it| it.address = Some("\u{1b}[2J".into()),
            |it| it.protocol = 6,
        ];
        for bend in bad {
            let mut bent = good.clone();
            bend(&mut bent);
            assert_eq!(bent.presence(), None, "{bent:?}");
        }
    }
}
