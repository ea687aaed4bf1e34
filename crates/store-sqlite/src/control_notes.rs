//! Notes of dynamic-security's commands.

use countersign_core::control_note::{ControlNote, NoteKey, NoteKind};
use countersign_core::name::TenantId;
use countersign_core::store::rows::ControlNoteRows;
use countersign_core::store::{Listed, Page, StoreError};
use rusqlite::{Connection, Params, params, params_from_iter};

use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl ControlNoteRows for SqliteTransaction<'_> {
    fn control_note(&mut self, key: &NoteKey) -> Result<Option<ControlNote>, StoreError> {
        self.run("look up a note", |connection| note(connection, key))
    }

    fn control_notes(
        &mut self,
        tenant: &TenantId,
        kind: NoteKind,
        page: &Page<Box<str>>,
    ) -> Result<Listed<ControlNote>, StoreError> {
        self.run("list the notes", |connection| {
            let query = PageQuery::of(concat!(note_columns!(), " WHERE true"))
                .and("tenant = ?", [text(tenant.as_str())])
                .and("kind = ?", [text(kind.as_str())]);
            let after = page.after.as_ref().map(|name| [text(name)]);
            let (sql, values) = query.page(["name"], after, page.sought());
            Ok(page.listed(read(connection, &sql, params_from_iter(values))?))
        })
    }

    fn put_control_note(&mut self, note: &ControlNote) -> Result<(), StoreError> {
        self.run("write a note", |connection| {
            let NoteKey { tenant, kind, name } = &note.key;
            connection
                .prepare_cached(
                    "INSERT INTO control_note (tenant, kind, name, note) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (tenant, kind, name) DO UPDATE SET note = ?4",
                )?
                .execute(params![tenant.as_str(), kind.as_str(), name, note.text])?;
            Ok(())
        })
    }

    fn remove_control_note(&mut self, key: &NoteKey) -> Result<bool, StoreError> {
        self.run("remove a note", |connection| {
            let NoteKey { tenant, kind, name } = key;
            let removed = connection
                .prepare_cached(
                    "DELETE FROM control_note WHERE tenant = ?1 AND kind = ?2 AND name = ?3",
                )?
                .execute(params![tenant.as_str(), kind.as_str(), name])?;
            Ok(removed > 0)
        })
    }
}

/// The note of this key.
pub(crate) fn note(connection: &Connection, key: &NoteKey) -> Result<Option<ControlNote>, Fault> {
    let NoteKey { tenant, kind, name } = key;
    let values = params![tenant.as_str(), kind.as_str(), name];
    Ok(read(connection, BY_KEY, values)?.pop())
}

fn read(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<ControlNote>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        found.push(ControlNote {
            key: NoteKey {
                tenant: columns.parsed(TenantId::parse)?,
                kind: columns.parsed(str::parse::<NoteKind>)?,
                name: columns.text()?.into(),
            },
            text: columns.text()?.into(),
        });
    }
    Ok(found)
}

macro_rules! note_columns {
    () => {
        "SELECT tenant, kind, name, note FROM control_note"
    };
}
use note_columns;

const BY_KEY: &str = concat!(
    note_columns!(),
    " WHERE tenant = ?1 AND kind = ?2 AND name = ?3"
);
