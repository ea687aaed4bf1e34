//! Notes of dynamic-security's commands.

use crate::control_note::{ControlNote, NoteKey, NoteKind};
use crate::name::TenantId;
use crate::store::{Listed, Page, StoreError};

/// Notes, which go with their tenant.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait ControlNoteRows {
    /// The note about this.
    ///
    /// # Errors
    ///
    /// See [`ControlNoteRows`].
    fn control_note(&mut self, key: &NoteKey) -> Result<Option<ControlNote>, StoreError>;

    /// The notes about one sort of things of a tenant, by name.
    ///
    /// # Errors
    ///
    /// See [`ControlNoteRows`].
    fn control_notes(
        &mut self,
        tenant: &TenantId,
        kind: NoteKind,
        page: &Page<Box<str>>,
    ) -> Result<Listed<ControlNote>, StoreError>;

    /// Writes a note, new or changed.
    ///
    /// # Errors
    ///
    /// See [`ControlNoteRows`]; also when there is no such tenant.
    fn put_control_note(&mut self, note: &ControlNote) -> Result<(), StoreError>;

    /// Removes a note; says whether there was one.
    ///
    /// # Errors
    ///
    /// See [`ControlNoteRows`].
    fn remove_control_note(&mut self, key: &NoteKey) -> Result<bool, StoreError>;
}
