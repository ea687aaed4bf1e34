//! Why an export can't be taken.

use countersign_core::store::StoreError;

use crate::error::Fault;

/// Why an export can't be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StagingError {
    /// One of its rows: the one of this table in which these columns have these
    /// values.
    #[error("{reason}")]
    Content {
        /// The table.
        table: &'static str,
        /// Columns that tell the row from others, as text.
        key: Vec<(&'static str, String)>,
        /// Why, without a value that may be secret.
        reason: String,
    },
    /// The header, or all rows together.
    #[error("{0}")]
    Header(String),
    /// The row that was to be added.
    #[error("{0}")]
    Row(String),
    /// The place where it is kept meanwhile.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StagingError {
    /// What failed where the export is kept meanwhile.
    pub(super) fn of_store(fault: Fault) -> Self {
        Self::Store(fault.while_trying("read the export", &std::env::temp_dir()))
    }
}
