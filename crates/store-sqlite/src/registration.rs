//! Things that are made when they first present an application's token.

use countersign_core::audit::{AuditChain, AuditEntry, AuditOutcome};
use countersign_core::auto_registration::{AutoRegistration, KeyPattern};
use countersign_core::change::Change;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::{Kind, Thing, is_reserved};
use countersign_core::name::TenantId;
use countersign_core::store::{Registered, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::open::SqliteStore;
use crate::row_reader::RowReader;
use crate::{audit, changes, write_rows};

impl SqliteStore {
    /// See [`GateStore::register_thing`](countersign_core::store::GateStore::register_thing).
    ///
    /// It survives a kill; a power failure it survives together with the tie
    /// of its first login, which is synced.
    pub(crate) fn register(
        &mut self,
        thing: &Credential,
        broker: &str,
        now: Timestamp,
    ) -> Result<Registered, StoreError> {
        self.act_now("register a thing", |connection| {
            register(connection, thing, broker, now)
        })
    }
}

fn register(
    connection: &Connection,
    credential: &Credential,
    broker: &str,
    now: Timestamp,
) -> Result<Registered, Fault> {
    let Kind::Thing(thing) = &credential.kind else {
        return Err(Fault::Gone("the application"));
    };
    if is_reserved(&credential.name) {
        return Err(Fault::Taken(format!("`{}` is reserved", credential.name)));
    }
    if !registers(connection, thing, credential.tenant.as_ref())? {
        return Err(Fault::Gone("the application's right to register things"));
    }
    if let Some(refused) = count(connection, thing.application, now)? {
        return Ok(refused);
    }
    let id = write_rows::add_credential(connection, credential)?;
    let row = AuditEntry {
        time: now,
        actor: format!("broker:{broker}"),
        act: "thing.create".into(),
        subject: credential.name.to_string(),
        outcome: AuditOutcome::Done,
        cause: None,
        address: None,
        client_id: None,
        count: 1,
        before: None,
        after: Some(format!(r#"{{"application":"{}"}}"#, thing.application_name)),
    };
    audit::append(connection, AuditChain::Acts, &[row])?;
    changes::append(connection, now, &Change::Credential(id))?;
    Ok(Registered::Done)
}

/// Counts a thing against what its application may make, now and ever; says
/// why not, if it may not be made.
///
/// Whether the key is taken is found out afterwards. Then all of this is undone.
fn count(
    connection: &Connection,
    application: CredentialId,
    now: Timestamp,
) -> Result<Option<Registered>, Fault> {
    let second = now.as_millis().div_euclid(1_000);
    let mut statement = connection.prepare_cached(
        "SELECT registered >= max, second = ?2 AND in_second >= ?3
         FROM auto_registration WHERE application = ?1",
    )?;
    let per_second = AutoRegistration::PER_SECOND;
    let (is_full, is_too_fast) = statement
        .query_row(params![application.0, second, per_second], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?))
        })?;
    if is_full {
        return Ok(Some(Registered::Full));
    }
    if is_too_fast {
        return Ok(Some(Registered::TooFast));
    }
    connection
        .prepare_cached(
            "UPDATE auto_registration
             SET registered = registered + 1,
                 in_second = iif(second = ?2, in_second + 1, 1),
                 second = ?2
             WHERE application = ?1",
        )?
        .execute(params![application.0, second])?;
    Ok(None)
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

/// Says whether the application still registers things.
fn registers(
    connection: &Connection,
    thing: &Thing,
    tenant: Option<&TenantId>,
) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM credential
             WHERE id = ?1 AND kind = 'application' AND tenant = ?2 AND auto_register = 1
                 AND state IN ('Inactive', 'Active'))",
    )?;
    let tenant = tenant.map(TenantId::as_str);
    Ok(statement.query_row(params![thing.application.0, tenant], |row| row.get(0))?)
}
