//! Presence: live connections, as the brokers report them.

use std::sync::Arc;

use crate::client_id::ClientIdTie;
use crate::credential::CredentialId;
use crate::name::TenantId;
use crate::time::Timestamp;

/// Numbers a live session of one broker, for as long as that broker runs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionNumber(pub i64);

/// One live connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Presence {
    /// Its number at its broker.
    pub session: SessionNumber,
    /// The client id, as it may be shown.
    pub client_id: Arc<str>,
    /// What tells its client id from all others.
    pub tie: ClientIdTie,
    /// The principal's name; none when unauthenticated.
    pub username: Option<Arc<str>>,
    /// The credential behind the name.
    pub credential: Option<CredentialId>,
    /// The tenant, as far as it is known.
    pub tenant: Option<TenantId>,
    /// Where it comes from.
    pub address: Option<Arc<str>>,
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
    pub protocol: u8,
    /// Since when.
    pub connected_at: Timestamp,
    /// Whether it proved who it is.
    pub authenticated: bool,
    /// The port it came in by, where the host tells.
    pub listener: Option<u16>,
    /// Whether the session outlives the connection.
    pub stored: bool,
}

/// What a broker has to write down, in the order it happened.
#[derive(Clone, Debug)]
pub enum PresenceEvent {
    /// A session began.
    Connected(Presence),
    /// A session ended.
    Disconnected(SessionEnd),
    /// A session began and ended, and nothing is kept of it.
    Passed(ClientIdUse),
    /// An unauthenticated session touched its first tenant's topics.
    Joined(SessionNumber, TenantId),
    /// A credential was used.
    Used(CredentialId, Timestamp),
}

/// The end of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionEnd {
    /// Its number at its broker.
    pub session: SessionNumber,
    /// Its client id.
    pub tie: ClientIdTie,
    /// The credential behind it.
    pub credential: Option<CredentialId>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// Whether the host keeps the session; none where it does not tell.
    pub is_kept: Option<bool>,
}

/// A use of a client id, from a beginning to an end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientIdUse {
    /// The client id.
    pub tie: ClientIdTie,
    /// Who used it.
    pub credential: CredentialId,
    /// In which tenant.
    pub tenant: Option<TenantId>,
    /// When it began.
    pub began: Timestamp,
    /// When it was last known to last.
    pub ended: Timestamp,
}
