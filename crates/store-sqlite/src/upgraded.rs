//! What became of a store that had an older schema.

use core::fmt;
use std::path::PathBuf;

/// What became of a store that had an older schema. Shown, it is one line that
/// names the copy and the way back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upgrade {
    /// The schema that the store had.
    pub from: u32,
    /// The schema that it has now.
    pub to: u32,
    /// The copy of the store as it was.
    pub copy: PathBuf,
    /// The store.
    pub store: PathBuf,
}

impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = self;
        let (copy, store) = (self.copy.display(), self.store.display());
        write!(
            f,
            "the store was brought up to date from schema {from} to {to}; `{copy}` is a copy of \
             it as it was. The way back: stop the brokers, remove `{store}-wal` and `{store}-shm`, \
             put the copy in place of `{store}`, and use the older version"
        )
    }
}
