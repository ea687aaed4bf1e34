//! Notes of dynamic-security's commands.

use countersign_core::control_note::{ControlNote, NoteKey, NoteKind};
use countersign_core::name::TenantId;
use countersign_core::store::rows::ControlNoteRows;
use countersign_core::store::{Listed, Page, StoreError};

use super::MemoryTransaction;
use super::errors::found;
use super::table::page_of;

impl ControlNoteRows for MemoryTransaction<'_> {
    fn control_note(&mut self, key: &NoteKey) -> Result<Option<ControlNote>, StoreError> {
        Ok(self.tables.control_notes.get(key).cloned())
    }

    fn control_notes(
        &mut self,
        tenant: &TenantId,
        kind: NoteKind,
        page: &Page<Box<str>>,
    ) -> Result<Listed<ControlNote>, StoreError> {
        let notes = self.tables.control_notes.values();
        let meant = notes.filter(|note| note.key.tenant == *tenant && note.key.kind == kind);
        Ok(page_of(meant.cloned().collect(), page))
    }

    fn put_control_note(&mut self, note: &ControlNote) -> Result<(), StoreError> {
        let has_tenant = self.tables.tenants.contains_key(&note.key.tenant);
        found(has_tenant, "the tenant")?;
        self.tables
            .control_notes
            .put(note.key.clone(), note.clone());
        Ok(())
    }

    fn remove_control_note(&mut self, key: &NoteKey) -> Result<bool, StoreError> {
        Ok(self.tables.control_notes.remove(key))
    }
}
