//! What `countersign doctor` asks about a store.

use countersign_core::credential::CredentialId;
use countersign_core::store::StoreError;
use countersign_sql::{Record, RecordReader, unreadable_records};

use crate::busy_timeout::ADMIN_WAIT;
use crate::credential_reader::credential_by_id;
use crate::error::Fault;
use crate::schema::{self, FileHeader};
use crate::sql_reader::State;
use crate::store::SqliteStore;
use crate::{authorities, roles, schemes, settings, tenants, tokens};

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
                FileHeader::Ours(version) => Ok(version),
                FileHeader::Empty | FileHeader::Foreign => {
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

    /// Reads every record as the gate does, and names those that can't be
    /// read; nothing, if all can.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read at all.
    pub fn unreadable_records(&self) -> Result<Vec<String>, StoreError> {
        self.look("read the records", ADMIN_WAIT, |connection| {
            let schemes = schemes::all(connection, &self.path, &self.built_in)?;
            unreadable_records(&State(connection), schemes.damaged.into_keys())
        })
    }
}

impl RecordReader for State<'_> {
    fn read(&self, record: &Record) -> Result<(), Fault> {
        let connection = self.0;
        match record {
            Record::Settings => settings::read(connection).map(drop),
            Record::Tenant(id) => tenants::tenant(connection, id).map(drop),
            Record::Role(tenant, name) => roles::role(connection, tenant, name).map(drop),
            Record::TokenKey(id) => tokens::key(connection, id).map(drop),
            Record::Token(id) => tokens::token(connection, id).map(drop),
            Record::Authority(id) => authorities::authority(connection, *id).map(drop),
        }
    }

    fn read_credentials(&self, ids: &[CredentialId]) -> Result<(), Fault> {
        ids.iter()
            .try_for_each(|id| credential_by_id(self.0, *id).map(drop))
    }

    fn is_of_one_record(fault: &Fault) -> bool {
        fault.is_of_one_record()
    }
}
