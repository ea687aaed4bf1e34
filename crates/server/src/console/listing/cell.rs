//! What a listing shows of a thing.

use countersign_core::time::Timestamp;
use maud::Markup;
use serde_json::Value;

use crate::console::pieces::{name_or_dash, names, texts, when};

/// A column's head, and what stands below it.
pub(in crate::console) type Column = (&'static str, Cell);

/// What is shown of a thing.
#[derive(Clone, Copy, Debug)]
pub(in crate::console) enum Cell {
    /// What a member says, as a text that somebody chose.
    Text(&'static str),
    /// All that a member lists.
    Texts(&'static str),
    /// How long ago it was, or how long it is until then.
    Time(&'static str),
    /// What is made of it.
    Made(fn(&Value, Timestamp) -> Markup),
}

impl Cell {
    pub(in crate::console) fn show(self, item: &Value, now: Timestamp) -> Markup {
        match self {
            Self::Text(key) => name_or_dash(item, key),
            Self::Texts(key) => names(&texts(item, key)),
            Self::Time(key) => when(item, key, now),
            Self::Made(made) => made(item, now),
        }
    }
}
