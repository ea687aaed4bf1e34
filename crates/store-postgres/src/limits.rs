//! The column in which limits stand.

use countersign_core::limit::UseLimits;

use crate::error::Fault;
use crate::row_reader::RowReader;

/// What is written of limits; nothing of none.
pub(crate) fn text_of(limits: UseLimits) -> Option<String> {
    (!limits.is_none()).then(|| limits.to_string())
}

/// Reads limits. What can't be read is no lack of limits.
pub(crate) fn read(columns: &mut RowReader<'_>) -> Result<UseLimits, Fault> {
    let limits = columns.maybe_parsed(UseLimits::parse)?;
    Ok(limits.unwrap_or_default())
}
