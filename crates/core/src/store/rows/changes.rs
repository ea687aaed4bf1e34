//! The change log.

use crate::change::{Change, ChangeSeq};
use crate::store::StoreError;
use crate::time::Timestamp;

/// The change log.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait ChangeRows {
    /// The last entry of the change log.
    ///
    /// # Errors
    ///
    /// See [`ChangeRows`].
    fn last_change(&mut self) -> Result<ChangeSeq, StoreError>;

    /// When the last entry was made; 1970 where there is none.
    ///
    /// # Errors
    ///
    /// See [`ChangeRows`].
    fn last_change_at(&mut self) -> Result<Timestamp, StoreError>;

    /// Adds an entry to the change log.
    ///
    /// # Errors
    ///
    /// See [`ChangeRows`].
    fn append_change(&mut self, at: Timestamp, change: &Change) -> Result<(), StoreError>;

    /// Cuts up to `most` of the oldest entries off the change log, as long as they
    /// are old by their place and their time; says how many they were.
    ///
    /// # Errors
    ///
    /// See [`ChangeRows`].
    fn cut_changes(
        &mut self,
        most: usize,
        is_old: &mut dyn FnMut(ChangeSeq, Timestamp) -> bool,
    ) -> Result<usize, StoreError>;
}
