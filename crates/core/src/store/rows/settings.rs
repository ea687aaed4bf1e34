//! The settings.

use crate::store::{Settings, StoreError};

/// What holds for the whole store.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait SettingRows {
    /// The settings.
    ///
    /// # Errors
    ///
    /// See [`SettingRows`].
    fn settings(&mut self) -> Result<Settings, StoreError>;

    /// Replaces the settings.
    ///
    /// # Errors
    ///
    /// See [`SettingRows`].
    fn set_settings(&mut self, settings: &Settings) -> Result<(), StoreError>;
}
