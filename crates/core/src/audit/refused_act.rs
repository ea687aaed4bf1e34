//! What brokers refuse so often that the audit has sums of it.

use super::AuditOutcome;

/// What brokers refuse so often that it is summed up by the minute.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RefusedAct {
    /// A CONNECT.
    Login,
    /// A PUBLISH, or a Will, of a session.
    Publish,
    /// A SUBSCRIBE of a session.
    Subscribe,
}

impl RefusedAct {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Login, Self::Publish, Self::Subscribe];

    /// The act as the audit writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }

    /// How the audit says that it ended.
    #[must_use]
    pub const fn outcome(self) -> AuditOutcome {
        match self {
            Self::Login => AuditOutcome::Refused,
            Self::Publish | Self::Subscribe => AuditOutcome::Denied,
        }
    }
}
