//! Which things applications make, and how many they have made.

use countersign_core::auto_registration::{AutoRegistration, KeyPattern};
use countersign_core::credential::CredentialId;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};

/// Which things the application `id` makes.
pub(crate) fn of(connection: &Connection, id: CredentialId) -> Result<AutoRegistration, Fault> {
    let statement = connection
        .prepare("SELECT max, pattern, registered FROM auto_registration WHERE application = $1")?;
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
        .prepare(
            "INSERT INTO auto_registration (application, max, pattern, registered, second, in_second)
             VALUES ($1, $2, $3, $4, 0, 0)",
        )?
        .execute(params![
            id.0,
            registers.max,
            registers.pattern.as_str(),
            registers.registered
        ])?;
    Ok(())
}
