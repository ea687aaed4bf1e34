//! What a broker writes to its replica, on its way back to the centre.
//!
//! Items are told in the order of their numbers, and the centre keeps the number up to
//! which it has judged them: each counts once, whichever of both dies in between.

use serde::{Deserialize, Serialize};

use crate::client_id::ClientIdTie;
use crate::hex;

/// What a broker wrote, oldest first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HandBack {
    /// The schema of the replica.
    pub schema: u32,
    /// Tells the numbers of this replica from those of another file.
    pub stamp: i64,
    /// The items; at most [`MOST_ITEMS`].
    pub items: Vec<HandedItem>,
}

/// Something that a broker wrote.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HandedItem {
    /// Its number, which grows.
    pub seq: i64,
    /// When it happened, in milliseconds.
    pub at: i64,
    /// What.
    pub what: HandedAct,
}

/// What a broker may say that happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum HandedAct {
    /// A credential was used for the first time.
    Activated {
        /// Its number.
        credential: i64,
    },
    /// A user logged in, so that failures before no longer count.
    Cleared {
        /// The user's name.
        name: String,
    },
    /// Logins of a user, or under a name that no user has, failed.
    Failed {
        /// The name.
        name: String,
        /// How often.
        count: u32,
    },
    /// A session ended, as was asked for.
    Kicked {
        /// The number of the request.
        request: i64,
    },
    /// A secret ended, because a newer one was used.
    Retired {
        /// Whose it was.
        credential: i64,
        /// Its number.
        secret: i64,
    },
    /// A credential was tied to the client id of its first use.
    Tied {
        /// Its number.
        credential: i64,
        /// Its generation by then.
        generation: i64,
        /// The hash of the client id, in hexadecimal digits.
        client_id: String,
    },
    /// A credential was used.
    Used {
        /// Its number.
        credential: i64,
    },
}

impl HandedAct {
    /// What it is called in the audit and in the replica.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Activated { .. } => "activated",
            Self::Cleared { .. } => "cleared",
            Self::Failed { .. } => "failed",
            Self::Kicked { .. } => "kicked",
            Self::Retired { .. } => "retired",
            Self::Tied { .. } => "tied",
            Self::Used { .. } => "used",
        }
    }
}

/// The hash of a client id, read back.
#[must_use]
pub fn tie_of(digits: &str) -> Option<ClientIdTie> {
    let bytes = hex::decode(digits)?;
    bytes.try_into().ok().map(ClientIdTie)
}

/// What the centre answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HandedBack {
    /// Up to this number it has judged what was handed back.
    pub seq: i64,
    /// From this place in its log on, it tells what came of that.
    pub told_from: i64,
    /// The numbers of ties that do not hold.
    pub undone: Vec<i64>,
}

/// Where a centre is with what a follower hands back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HandBackPlace {
    /// Whose numbers they are.
    pub stamp: i64,
    /// The last number that was judged.
    pub seq: i64,
}

/// So many items are handed back at once.
pub const MOST_ITEMS: usize = 200;
