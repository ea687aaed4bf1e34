//! What `countersign doctor` asks about a store.

use countersign_core::store::StoreError;

use crate::error::Fault;
use crate::open::SqliteStore;
use crate::patience::ADMIN_WAIT;
use crate::schema::{self, Header};

impl SqliteStore {
    /// The number of the file's schema.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn schema_version(&self) -> Result<u32, StoreError> {
        self.look(
            "read the schema's number",
            ADMIN_WAIT,
            |connection| match schema::header(connection)? {
                Header::Ours(version) => Ok(version),
                Header::Empty | Header::Foreign => {
                    Err(Fault::Content("the number of the schema".into()))
                }
            },
        )
    }

    /// Reads every page and says what is wrong with them; nothing, if all is
    /// well. Takes as long as reading the file does.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read at all.
    pub fn quick_check(&self) -> Result<Vec<String>, StoreError> {
        self.look("check the store", ADMIN_WAIT, |connection| {
            let mut check = connection.prepare("PRAGMA quick_check(20)")?;
            let mut found = check
                .query_map([], |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            found.retain(|line| line != "ok");
            let mut check = connection.prepare("PRAGMA foreign_key_check")?;
            let mut rows = check.query([])?;
            while let Some(row) = rows.next()? {
                let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
                found.push(format!(
                    "a row of {table} belongs to a row of {parent} that is gone"
                ));
            }
            Ok(found)
        })
    }
}
