//! Moments of a store, told apart.

use crate::change::ChangeSeq;
use crate::seal::SealKey;

/// A moment, as one connection to a store saw it. Two of one connection that are
/// equal have nothing committed between them; those of two connections can't be
/// compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreMark {
    opening: u64,
    commit: u64,
}

impl StoreMark {
    /// A mark of a store that was opened so often, other files each time, after so
    /// many commits that this connection noticed.
    #[must_use]
    pub const fn new(opening: u64, commit: u64) -> Self {
        Self { opening, commit }
    }

    /// Says whether the store was not opened anew in between, other files in its
    /// place. What was read before that says nothing about what is there now; a
    /// follower of the change log is told so by
    /// [`Change::Everything`](crate::change::Change::Everything).
    #[must_use]
    pub const fn is_of_same_files(self, other: Self) -> bool {
        self.opening == other.opening
    }
}

/// What was read of the file of the key.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct KeyReading {
    /// The key; none where the file is missing or no such file.
    pub key: Option<SealKey>,
    /// What [`GateStore::key_file_mark`](super::GateStore::key_file_mark) says for as
    /// long as the file is the one that was read.
    pub mark: u64,
}

/// How far the logs of a store go. What was read when they went as far is true
/// still, as far as changes are logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogPosition {
    /// The last entry of the change log.
    pub last_change: ChangeSeq,
    /// The last entry that is about a ban, as far as the log goes back.
    pub last_ban_change: ChangeSeq,
    /// The last entry that is not about one ban, credential, group or request:
    /// settings, tenants, schemes.
    pub last_policy_change: ChangeSeq,
    /// How often it changed, by then, what is recorded about a client id; that
    /// something was recorded about one for the first time is no change. See
    /// [`Holding::stays_for`](crate::ownership::Holding::stays_for).
    pub session_changes: i64,
}
