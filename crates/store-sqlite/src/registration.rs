//! Things that are made when they first present an application's token.

use countersign_core::audit::{AuditEntry, Chain, Outcome};
use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::kind::{Kind, Thing, is_reserved};
use countersign_core::name::TenantId;
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::open::SqliteStore;
use crate::{audit, changes, writing};

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
    ) -> Result<(), StoreError> {
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
) -> Result<(), Fault> {
    let Kind::Thing(thing) = &credential.kind else {
        return Err(Fault::Gone("the application"));
    };
    if is_reserved(&credential.name) {
        return Err(Fault::Taken(format!("`{}` is reserved", credential.name)));
    }
    if !registers(connection, thing, credential.tenant.as_ref())? {
        return Err(Fault::Gone("the application's right to register things"));
    }
    let id = writing::add_credential(connection, credential)?;
    let row = AuditEntry {
        time: now,
        actor: format!("broker:{broker}"),
        act: "thing.create".into(),
        subject: credential.name.to_string(),
        outcome: Outcome::Done,
        cause: None,
        address: None,
        client_id: None,
        count: 1,
        before: None,
        after: Some(format!(r#"{{"application":"{}"}}"#, thing.application_name)),
    };
    audit::append(connection, Chain::Acts, &[row])?;
    changes::append(connection, now, &Change::Credential(id))
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
