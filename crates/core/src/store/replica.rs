//! What a centre tells its followers: objects, each with all of its rows.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TableRow;
use crate::time::Timestamp;

/// Tells an object from all others of a store.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectName {
    /// Its kind, as the log of the centre has it.
    pub kind: String,
    /// Its number, where it has one.
    pub number: Option<i64>,
    /// The tenant that its name is one of, where it is.
    pub tenant: Option<String>,
    /// Its name, where it has one.
    pub name: Option<String>,
}

/// An object as it is now. Without a row it is gone, or not the follower's business.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaObject {
    /// Which one.
    pub object: ObjectName,
    /// All of its rows.
    pub rows: Vec<TableRow>,
}

/// A part of all that a follower may know.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotPage {
    /// The schema that the rows are of.
    pub schema: u32,
    /// The place in the log that was the last when this was read. What changed since the
    /// first page is told from its place on.
    pub place: ReplicaPlace,
    /// The objects.
    pub objects: Vec<ReplicaObject>,
    /// The object after which the next page begins; none after the last page.
    pub next: Option<ObjectName>,
}

/// What a centre answers about what happened since a place in its log.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
pub enum SinceThen {
    /// That is too long ago, or not known here: a snapshot tells it.
    Behind,
    /// This changed; perhaps nothing.
    Changes(ReplicaChanges),
}

/// All objects that changed since a place in the log.
#[expect(missing_debug_implementations, reason = "it holds hashes")]
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaChanges {
    /// The schema that the rows are of.
    pub schema: u32,
    /// The last place in the log when this was read.
    pub place: ReplicaPlace,
    /// The objects.
    pub objects: Vec<ReplicaObject>,
    /// Sessions that are to end at the broker beside the replica.
    pub kicks: Vec<ReplicaKick>,
}

/// A request to end sessions at the broker beside a replica.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaKick {
    /// Its number at the centre.
    pub id: i64,
    /// Which sessions.
    pub what: KickedThere,
}

/// Which sessions are to end at the broker beside a replica.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum KickedThere {
    /// Those with this client id: its hash, in hexadecimal digits.
    ClientId(String),
    /// This one.
    Session {
        /// Its broker; none where there is but one.
        broker: Option<String>,
        /// Its number there.
        session: i64,
    },
}

/// A place in the log of a centre, for one follower.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplicaPlace {
    /// The follower's, while it is told of the same tenants.
    pub era: i64,
    /// The number of the entry.
    pub seq: i64,
    /// What tells it from an entry of this number in another store.
    pub stamp: i64,
}

impl fmt::Display for ReplicaPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { era, seq, stamp } = self;
        write!(f, "{era}.{seq}.{stamp}")
    }
}

impl FromStr for ReplicaPlace {
    type Err = ReplicaPlaceError;

    fn from_str(text: &str) -> Result<Self, ReplicaPlaceError> {
        let mut numbers = text.split('.').map(|part| part.parse().ok());
        let mut number = || numbers.next().flatten().ok_or(ReplicaPlaceError);
        let place = Self {
            era: number()?,
            seq: number()?,
            stamp: number()?,
        };
        if place.to_string() == text {
            Ok(place)
        } else {
            Err(ReplicaPlaceError)
        }
    }
}

impl Serialize for ReplicaPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReplicaPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text is no place in the log of a centre.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that is no place in the log of a centre")]
pub struct ReplicaPlaceError;

/// What a store that follows another one knows of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplicaState {
    /// The address of its centre.
    pub source: String,
    /// Up to where it has followed; none before its first snapshot is whole.
    pub place: Option<ReplicaPlace>,
    /// When the centre last answered.
    pub contact_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in ["1.2.3", "0.0.-9223372036854775808"] {
            assert_eq!(text.parse::<ReplicaPlace>().unwrap().to_string(), text);
        }
        for bad in ["", "1.2", "1.2.3.4", "a.b.c", "01.2.3", " 1.2.3", "1.2.+3"] {
            assert!(bad.parse::<ReplicaPlace>().is_err(), "{bad}");
        }
    }
}
