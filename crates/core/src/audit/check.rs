//! What a walk along the audit comes to.

use crate::time::{Timestamp, rfc3339};

/// What a walk along the audit's chains found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum AuditCheck {
    /// Every row follows from the one before, and nothing is missing.
    Intact {
        /// How many rows there are.
        rows: u64,
    },
    /// This row was changed, or rows before it were added or removed.
    Broken {
        /// The number of the row, counted from the first ever written.
        row: i64,
        /// What it says about when it was written, if it can be read.
        time: Option<Timestamp>,
    },
    /// Rows at the end were removed.
    CutOff {
        /// The last row that there is.
        last: i64,
        /// The last row that there was.
        expected: i64,
    },
    /// Acts at the beginning were removed, and no `audit prune` tells of it.
    CutAtFront {
        /// The last row that is missing.
        last: i64,
    },
    /// Refusals that were still summed up were removed or changed.
    Staged {
        /// How many refusals are summed up.
        found: i64,
        /// How many there were.
        expected: i64,
    },
    /// The row of a head that was kept is not there.
    Missing {
        /// The number of the row.
        row: i64,
        /// The last row of both chains.
        last: i64,
    },
    /// The row of a head that was kept is another one: what is there was
    /// written anew.
    Rewritten {
        /// The number of the row.
        row: i64,
    },
    /// After a head was kept, acts at the beginning were removed.
    PrunedSince {
        /// The number of the head's row.
        row: i64,
        /// The row that tells of the pruning.
        told_by: i64,
    },
}

impl AuditCheck {
    /// How many rows there are.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with them, in one line.
    pub fn intact(self) -> Result<u64, String> {
        let problem = match self {
            Self::Intact { rows } => return Ok(rows),
            Self::Broken { row, time } => format!(
                "row {row}{} does not follow from the one before",
                time.map(|time| format!(" of {}", rfc3339(time)))
                    .unwrap_or_default()
            ),
            Self::CutOff { last, expected } => {
                format!("it ends with row {last}, and row {expected} was written")
            }
            Self::CutAtFront { last } => {
                format!("the acts up to row {last} are missing, and no `audit prune` tells of it")
            }
            Self::Staged { found, expected } => {
                format!(
                    "{expected} refusals of the last minutes were written, and {found} are there"
                )
            }
            Self::Missing { row, last } => {
                return Err(format!(
                    "row {row} is missing: it was cut off or left out, or this is an older copy of \
                     the store (the last row is {last})"
                ));
            }
            Self::Rewritten { row } => {
                format!("row {row} is not the one of that head; the chain was written anew")
            }
            Self::PrunedSince { row, told_by } => {
                return Err(format!(
                    "the oldest acts were pruned after row {row} was written, as row {told_by} says; \
                     expect a head from after that"
                ));
            }
        };
        Err(format!("the audit was tampered with: {problem}"))
    }
}
