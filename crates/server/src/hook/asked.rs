//! What brokers ask, whatever their kind, and what they are answered.

use countersign::{Pin, Pinned, PinnedUse};
use countersign_core::secret::Secret;

/// What a broker asks.
pub(super) enum Asked {
    Login(Login),
    Use(Use),
}

/// A client that comes.
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: Option<Secret>,
    pub(super) client_id: String,
    /// Where it comes from, by the broker's word.
    pub(super) address: Option<String>,
}

impl Login {
    pub(super) fn of(username: &str, password: Option<&str>, client_id: &str) -> Self {
        Self {
            username: username.into(),
            password: password.map(|it| Secret::presented(it.as_bytes())),
            client_id: client_id.into(),
            address: None,
        }
    }

    /// The same, from this address.
    pub(super) fn from(self, address: Option<&str>) -> Self {
        Self {
            address: address.map(str::to_owned),
            ..self
        }
    }
}

/// What a client that was let in wants.
pub(super) struct Use {
    /// What the broker hands back.
    pub(super) pin: Option<Pin>,
    pub(super) username: String,
    pub(super) client_id: String,
    pub(super) wanted: Wanted,
    /// What must be allowed besides.
    pub(super) also: Option<Wanted>,
}

impl Use {
    /// That of a client whose broker handed its pin back.
    pub(super) fn pinned(pin: Pin, username: &str, client_id: &str, wanted: Wanted) -> Self {
        Self {
            pin: Some(pin),
            ..Self::named(username, client_id, wanted)
        }
    }

    /// That of a client whose broker hands nothing back.
    pub(super) fn named(username: &str, client_id: &str, wanted: Wanted) -> Self {
        Self {
            pin: None,
            username: username.into(),
            client_id: client_id.into(),
            wanted,
            also: None,
        }
    }

    /// The same, and this besides.
    pub(super) fn and(self, also: Wanted) -> Self {
        Self {
            also: Some(also),
            ..self
        }
    }
}

/// What is wanted.
pub(super) enum Wanted {
    /// To be connected.
    Connection,
    Deliver(String),
    Publish {
        topic: String,
        qos: Option<u8>,
        retain: Option<bool>,
    },
    /// To subscribe at a broker that asks about no delivery.
    Subscribe(String),
    /// To subscribe at one that asks about each.
    SubscribeChecked(String),
}

impl Wanted {
    pub(super) fn as_use(&self) -> PinnedUse<'_> {
        let subscribe = |filter, checks_deliveries| PinnedUse::Subscribe {
            filter,
            checks_deliveries,
        };
        match self {
            Self::Connection => PinnedUse::Connection,
            Self::Deliver(topic) => PinnedUse::Deliver {
                topic: topic.as_bytes(),
            },
            Self::Publish { topic, qos, retain } => PinnedUse::Publish {
                topic: topic.as_bytes(),
                qos: *qos,
                retain: *retain,
            },
            Self::Subscribe(filter) => subscribe(filter.as_bytes(), false),
            Self::SubscribeChecked(filter) => subscribe(filter.as_bytes(), true),
        }
    }
}

/// What is answered.
pub(super) enum Verdict {
    No,
    /// Yes; of a login, with what the broker is to remember.
    Yes(Option<Pinned>),
}
