//! Who is connected, as the brokers report it.

use std::sync::Arc;

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
    /// The client id.
    pub client_id: Arc<str>,
    /// The principal's name; none when unauthenticated.
    pub username: Option<Arc<str>>,
    /// The credential behind the name.
    pub credential: Option<CredentialId>,
    /// The tenant, as far as it is known.
    pub tenant: Option<TenantId>,
    /// Where it comes from.
    pub address: Option<String>,
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
pub enum Observation {
    /// A session began.
    Connected(Presence),
    /// A session ended, at this instant.
    Disconnected(SessionNumber, Timestamp),
    /// An unauthenticated session touched its first tenant's topics.
    Joined(SessionNumber, TenantId),
    /// A credential was used.
    Used(CredentialId, Timestamp),
}
