//! Hooks of other brokers.

use crate::hook::{Hook, HookName};
use crate::store::{Keyed, Listed, Page, StoreError};

/// Hooks of other brokers.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait HookRows {
    /// The hook with this name.
    ///
    /// # Errors
    ///
    /// See [`HookRows`].
    fn hook(&mut self, name: &HookName) -> Result<Option<Hook>, StoreError>;

    /// Hooks, by name.
    ///
    /// # Errors
    ///
    /// See [`HookRows`].
    fn hooks(&mut self, page: &Page<HookName>) -> Result<Listed<Hook>, StoreError>;

    /// Writes a hook, in place of the one with this name where there is one.
    ///
    /// # Errors
    ///
    /// See [`HookRows`]; also when its tenant is not there.
    fn put_hook(&mut self, hook: &Hook) -> Result<(), StoreError>;

    /// Removes a hook; says whether it was there.
    ///
    /// # Errors
    ///
    /// See [`HookRows`].
    fn remove_hook(&mut self, name: &HookName) -> Result<bool, StoreError>;
}

impl Keyed for Hook {
    type Key = HookName;

    fn key(&self) -> HookName {
        self.name.clone()
    }
}
