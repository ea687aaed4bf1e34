//! Notes of dynamic-security's commands.

use countersign_core::control_note::{ControlNote, NoteKey, NoteKind};
use countersign_core::store::rows::ControlNoteRows as _;
use countersign_core::store::{AdminStore, GateStore, Intent, all_rows};

use super::{commit, look, tenant, tenant_id};

/// A note is written over, listed by name among those of its tenant and sort, and goes
/// with its tenant.
pub fn a_note_reads_back_as_it_was_written_and_goes_with_its_tenant(
    mut store: impl GateStore + AdminStore,
) {
    let mut transaction = store.begin(Intent::Write).unwrap();
    let lost = note("none", NoteKind::Role, "r", "{}");
    assert!(transaction.put_control_note(&lost).is_err());
    drop(transaction);
    let notes = [
        note("acme", NoteKind::Role, "a", "1"),
        note("acme", NoteKind::Role, "ü", "2"),
        note("acme", NoteKind::Group, "a", "3"),
        note("acme", NoteKind::Tenant, "", "4"),
        note("other", NoteKind::Role, "a", "5"),
    ];
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))?;
        transaction.put_tenant(&tenant("other"))?;
        transaction.put_control_note(&note("acme", NoteKind::Role, "a", "0"))?;
        notes
            .iter()
            .try_for_each(|note| transaction.put_control_note(note))
    });
    look(&mut store, |transaction| {
        for note in &notes {
            assert_eq!(transaction.control_note(&note.key)?.as_ref(), Some(note));
        }
        let acme = tenant_id("acme");
        let roles = all_rows(|page| transaction.control_notes(&acme, NoteKind::Role, page))?;
        assert_eq!(roles, notes[..2]);
        let clients = all_rows(|page| transaction.control_notes(&acme, NoteKind::Client, page))?;
        assert_eq!(clients, []);
        Ok(())
    });
    commit(&mut store, &[], |transaction| {
        assert!(transaction.remove_control_note(&notes[1].key)?);
        assert!(!transaction.remove_control_note(&notes[1].key)?);
        transaction.delete_tenant(&tenant_id("acme"))
    });
    look(&mut store, |transaction| {
        for note in &notes[..4] {
            assert_eq!(transaction.control_note(&note.key)?, None);
        }
        assert!(transaction.control_note(&notes[4].key)?.is_some());
        Ok(())
    });
}

fn note(tenant: &str, kind: NoteKind, name: &str, text: &str) -> ControlNote {
    ControlNote {
        key: NoteKey {
            tenant: tenant_id(tenant),
            kind,
            name: name.into(),
        },
        text: text.into(),
    }
}
