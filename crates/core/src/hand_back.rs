//! What a broker writes to its replica, on its way back to the centre.
//!
//! Items are told in the order of their numbers, and the centre keeps the number up to
//! which it has judged them: each counts once, whichever of both dies in between.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client_id::ClientIdTie;
use crate::hex;
use crate::registrar::Registrar;

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
    /// A code of a user's second factor was accepted, and is not to be again.
    CodeUsed {
        /// The number of the user's credential.
        credential: i64,
        /// The step of the code (RFC 6238).
        step: i64,
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
    /// Somebody asked to be made who is not known.
    Register {
        /// Who would make them.
        by: Maker,
        /// What they would be called.
        name: String,
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

/// Who makes clients of those that are not known, by number.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maker {
    /// An application makes things.
    Application(i64),
    /// An authority makes devices.
    Authority(i64),
    /// An issuer makes devices.
    Issuer(i64),
}

impl Maker {
    /// What asking it is called in the audit and in the replica.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application(_) => "register-by-application",
            Self::Authority(_) => "register-by-authority",
            Self::Issuer(_) => "register-by-issuer",
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Application(id) | Self::Authority(id) | Self::Issuer(id) => id,
        }
    }
}

impl From<Registrar> for Maker {
    fn from(registrar: Registrar) -> Self {
        match registrar {
            Registrar::Authority(id) => Self::Authority(id.0),
            Registrar::Issuer(id) => Self::Issuer(id.0),
        }
    }
}

impl HandedAct {
    /// What it is called in the audit and in the replica.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Activated { .. } => "activated",
            Self::Cleared { .. } => "cleared",
            Self::CodeUsed { .. } => "code-used",
            Self::Failed { .. } => "failed",
            Self::Kicked { .. } => "kicked",
            Self::Register { by, .. } => by.as_str(),
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
    /// The numbers of ties that do not hold, and of those that were not made.
    pub undone: Vec<i64>,
}

/// Where a centre is with what a follower hands back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HandBackPlace {
    /// Whose numbers they are.
    pub stamp: i64,
    /// The last number that was judged.
    pub seq: i64,
    /// The last row of that file's audit whose refusals were told.
    pub audit: i64,
}

/// What came of asking the centre to make somebody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// It is asked already, or said no a moment ago.
    Before,
    /// It is asked as much as it may be at once.
    Full,
    /// It will be asked.
    Now,
}

/// So many items are handed back at once.
pub const MOST_ITEMS: usize = 200;

/// So many who are not known the centre is asked to make at once, or said no to.
pub const MOST_ASKED: u32 = 1_000;
/// After the centre said no, it is not asked for the same one again for so long.
pub const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(10);
