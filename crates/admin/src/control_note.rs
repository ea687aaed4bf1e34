//! Notes of dynamic-security's commands: orders, priorities, texts and empty groups,
//! which decide nothing here.

use countersign_core::control_note::{ControlNote, NoteKey, NoteKind};
use countersign_core::name::TenantId;
use countersign_core::store::{Page, StoreError};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};

/// Writes a note, or removes it where there is no text; other parts of the act are
/// other commands of its transaction.
#[derive(Clone, Debug)]
pub struct WriteNote {
    /// What it is about.
    pub key: NoteKey,
    /// What it says; none where nothing is left to say.
    pub text: Option<Box<str>>,
    /// What the audit calls the act.
    pub act: &'static str,
}

impl Command for WriteNote {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Administer(self.key.tenant.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let NoteKey { tenant, kind, name } = &self.key;
        lookup::tenant(tx, tenant)?;
        let before = tx.control_note(&self.key)?;
        if before.as_ref().map(|note| &note.text) == self.text.as_ref() {
            return Ok(());
        }
        match &self.text {
            Some(text) => {
                self.check_bounds(tx, text, before.is_none())?;
                tx.put_control_note(&ControlNote {
                    key: self.key.clone(),
                    text: text.clone(),
                })?;
            }
            None => {
                tx.remove_control_note(&self.key)?;
            }
        }
        let subject = match kind {
            NoteKind::Client => name.to_string(),
            NoteKind::Group | NoteKind::Role => format!("{name}@{tenant}"),
            NoteKind::Tenant => tenant.to_string(),
        };
        let before = before.as_ref().map(|note| read(&note.text));
        let after = self.text.as_deref().map(read);
        tx.record(self.act, &subject, before.as_ref(), after.as_ref());
        Ok(())
    }
}

impl WriteNote {
    fn check_bounds(
        &self,
        rows: &mut Rows<'_>,
        text: &str,
        is_new: bool,
    ) -> Result<(), AdminError> {
        let refused = |message: String| {
            let subject = Subject::nameless(Noun::Command);
            Err(AdminError::new(ErrorKind::Conflict, subject, message))
        };
        if text.len() > LONGEST {
            return refused(format!(
                "what is to be remembered of it is longer than {LONGEST} bytes"
            ));
        }
        let NoteKey { tenant, kind, .. } = &self.key;
        // There are no more notes of others than there are objects.
        if is_new && *kind == NoteKind::Group {
            let page = Page {
                after: None,
                limit: MOST_GROUPS,
            };
            if rows.control_notes(tenant, *kind, &page)?.next.is_some() {
                return refused(format!("there are more than {MOST_GROUPS} groups"));
            }
        }
        Ok(())
    }
}

/// As the audit writes it.
fn read(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Removes the note about something that is deleted.
pub(crate) fn remove(
    rows: &mut Rows<'_>,
    tenant: &TenantId,
    kind: NoteKind,
    name: &str,
) -> Result<(), StoreError> {
    let key = NoteKey {
        tenant: tenant.clone(),
        kind,
        name: name.into(),
    };
    rows.remove_control_note(&key).map(drop)
}

/// So long a note may be.
const LONGEST: usize = 256 * 1_024;
/// So many groups of a tenant there are notes about.
const MOST_GROUPS: u64 = if cfg!(test) { 4 } else { 4_096 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::DeleteCredential;
    use crate::fixture::{Fixture, login_name, tenant_id};

    fn write(kind: NoteKind, name: &str, text: &str) -> WriteNote {
        WriteNote {
            key: NoteKey {
                tenant: tenant_id("acme"),
                kind,
                name: name.into(),
            },
            text: Some(text.into()),
            act: "group.create",
        }
    }

    #[test]
    fn notes_are_bounded_in_number_and_length() {
        let mut fixture = Fixture::with_credential();
        for name in ["a", "b", "c", "d", "e"] {
            fixture.run(&write(NoteKind::Group, name, "{}")).unwrap();
        }
        let error = fixture.run(&write(NoteKind::Group, "f", "{}"));
        assert!(error.unwrap_err().is(ErrorKind::Conflict, Noun::Command));
        fixture.run(&write(NoteKind::Group, "a", "1")).unwrap();
        let long = "x".repeat(LONGEST + 1);
        assert!(fixture.run(&write(NoteKind::Role, "r", &long)).is_err());
    }

    #[test]
    fn a_note_about_a_credential_goes_with_it() {
        let mut fixture = Fixture::with_credential();
        let name = "dev1@acme";
        fixture.run(&write(NoteKind::Client, name, "{}")).unwrap();
        fixture.run(&DeleteCredential(login_name(name))).unwrap();
        let key = write(NoteKind::Client, name, "").key;
        fixture.act(|store, _| {
            use countersign_core::store::rows::ControlNoteRows as _;
            use countersign_core::store::{AdminStore as _, Intent};
            let mut rows = store.begin(Intent::Read).unwrap();
            assert_eq!(rows.control_note(&key).unwrap(), None);
        });
    }
}
