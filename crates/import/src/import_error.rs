//! Why an import did not come to a plan.

use countersign_admin::AdminError;

use crate::error::SourceError;

/// Why an import did not come to a plan. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The store, or what it holds, stands against it.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// What is asked for does not fit together.
    #[error("{0}")]
    Refused(String),
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}
