//! What applications have made.

use countersign_core::auto_registration::{AutoRegistration, KeyPattern};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::ledger::{RegistrationCount, RegistrationRows};
use countersign_core::store::StoreError;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::ledger::SqliteWriting;
use crate::row_reader::RowReader;
use crate::write_rows;

impl RegistrationRows for SqliteWriting<'_> {
    fn registration_count(
        &mut self,
        application: CredentialId,
    ) -> Result<RegistrationCount, StoreError> {
        self.run(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT second, in_second FROM auto_registration WHERE application = ?1",
            )?;
            Ok(statement.query_row([application.0], |row| {
                Ok(RegistrationCount {
                    second: row.get(0)?,
                    made: row.get(1)?,
                })
            })?)
        })
    }

    fn count_registration(
        &mut self,
        application: CredentialId,
        count: RegistrationCount,
    ) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "UPDATE auto_registration
                     SET registered = registered + 1, second = ?2, in_second = ?3
                     WHERE application = ?1",
                )?
                .execute(params![application.0, count.second, count.made])?;
            Ok(())
        })
    }

    fn add_credential(&mut self, credential: &Credential) -> Result<CredentialId, StoreError> {
        self.run(|connection| write_rows::add_credential(connection, credential))
    }
}

/// Which things the application `id` makes.
pub(crate) fn of(connection: &Connection, id: CredentialId) -> Result<AutoRegistration, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT max, pattern, registered FROM auto_registration WHERE application = ?1",
    )?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("what an application registers".into()));
    };
    let columns = &mut RowReader::of(row);
    Ok(AutoRegistration {
        max: columns.small()?,
        pattern: columns.parsed(KeyPattern::parse)?,
        registered: columns.small()?,
    })
}

/// Writes which things a new application makes.
pub(crate) fn put_new(
    connection: &Connection,
    id: CredentialId,
    registers: &AutoRegistration,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO auto_registration (application, max, pattern, registered, second, in_second)
             VALUES (?1, ?2, ?3, ?4, 0, 0)",
        )?
        .execute(params![
            id.0,
            registers.max,
            registers.pattern.as_str(),
            registers.registered
        ])?;
    Ok(())
}
