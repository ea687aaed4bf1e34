//! Which devices authorities and issuers make, how many they have made, and the names of
//! those.

use countersign_core::auto_registration::DeviceRegistration;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::registrar::Registrar;
use countersign_core::role::RoleName;
use countersign_core::store::StoreError;
use countersign_core::store::rows::{DeviceRegistrationRows, RegistrationCount};
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl DeviceRegistrationRows for SqliteTransaction<'_> {
    fn device_count(&mut self, registrar: Registrar) -> Result<RegistrationCount, StoreError> {
        self.run("look up what is registered", |connection| {
            count(connection, registrar)
        })
    }

    fn count_device(
        &mut self,
        registrar: Registrar,
        count: RegistrationCount,
    ) -> Result<(), StoreError> {
        let (sql, id) = match registrar {
            Registrar::Authority(id) => (
                "UPDATE device_registration
                 SET registered = ?2, second = ?3, in_second = ?4
                 WHERE authority = ?1",
                id.0,
            ),
            Registrar::Issuer(id) => (
                "UPDATE device_registration
                 SET registered = ?2, second = ?3, in_second = ?4
                 WHERE issuer = ?1",
                id.0,
            ),
        };
        self.run("count a device", |connection| {
            connection.prepare_cached(sql)?.execute(params![
                id,
                count.registered,
                count.second,
                count.made
            ])?;
            Ok(())
        })
    }

    fn was_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<bool, StoreError> {
        self.run(LOOK_UP, |connection| {
            was_registered(connection, tenant, name)
        })
    }

    fn note_registered(&mut self, tenant: &TenantId, name: &LoginName) -> Result<(), StoreError> {
        self.run("note a registered name", |connection| {
            connection
                .prepare_cached("INSERT INTO registered_name (tenant, name) VALUES (?1, ?2)")?
                .execute([tenant.as_str(), name.as_str()])?;
            Ok(())
        })
    }

    fn forget_registered(
        &mut self,
        tenant: &TenantId,
        name: &LoginName,
    ) -> Result<bool, StoreError> {
        self.run("forget a registered name", |connection| {
            let forgotten = connection
                .prepare_cached("DELETE FROM registered_name WHERE tenant = ?1 AND name = ?2")?
                .execute([tenant.as_str(), name.as_str()])?;
            Ok(forgotten > 0)
        })
    }
}

/// What is done when a registered name is looked up.
pub(crate) const LOOK_UP: &str = "look up a registered name";

/// Says whether a device of a tenant with this name was registered.
pub(crate) fn was_registered(
    connection: &Connection,
    tenant: &TenantId,
    name: &LoginName,
) -> Result<bool, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM registered_name WHERE tenant = ?1 AND name = ?2")?;
    Ok(statement.exists([tenant.as_str(), name.as_str()])?)
}

/// How many devices a registrar that makes some has made.
pub(crate) fn count(
    connection: &Connection,
    registrar: Registrar,
) -> Result<RegistrationCount, Fault> {
    let (sql, id) = match registrar {
        Registrar::Authority(id) => (
            "SELECT registered, second, in_second FROM device_registration WHERE authority = ?1",
            id.0,
        ),
        Registrar::Issuer(id) => (
            "SELECT registered, second, in_second FROM device_registration WHERE issuer = ?1",
            id.0,
        ),
    };
    counted(connection, sql, id)
}

/// The count that `sql` reads of the row with this number.
pub(crate) fn counted(
    connection: &Connection,
    sql: &str,
    id: i64,
) -> Result<RegistrationCount, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([id], |row| {
        Ok(RegistrationCount {
            registered: row.get(0)?,
            second: row.get(1)?,
            made: row.get(2)?,
        })
    })?)
}

/// Which devices a registrar makes, if it makes any.
pub(crate) fn of(
    connection: &Connection,
    registrar: Registrar,
) -> Result<Option<DeviceRegistration>, Fault> {
    let (sql, id) = match registrar {
        Registrar::Authority(id) => (
            "SELECT role, max, registered FROM device_registration WHERE authority = ?1",
            id.0,
        ),
        Registrar::Issuer(id) => (
            "SELECT role, max, registered FROM device_registration WHERE issuer = ?1",
            id.0,
        ),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = &mut RowReader::of(row);
    Ok(Some(DeviceRegistration {
        role: columns.parsed(RoleName::parse)?,
        max: columns.small()?,
        registered: columns.small()?,
    }))
}

/// Writes which devices a new registrar of a tenant makes, if it makes any.
pub(crate) fn put_new(
    connection: &Connection,
    registrar: Registrar,
    tenant: &TenantId,
    registers: Option<&DeviceRegistration>,
) -> Result<(), Fault> {
    let Some(registers) = registers else {
        return Ok(());
    };
    let (authority, issuer) = match registrar {
        Registrar::Authority(id) => (Some(id.0), None),
        Registrar::Issuer(id) => (None, Some(id.0)),
    };
    connection
        .prepare_cached(
            "INSERT INTO device_registration (authority, issuer, tenant, role, max, registered,
                 second, in_second)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0)",
        )?
        .execute(params![
            authority,
            issuer,
            tenant.as_str(),
            registers.role.as_str(),
            registers.max,
            registers.registered,
        ])?;
    Ok(())
}
