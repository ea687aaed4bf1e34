//! Whole tables: which of them an export has, how they are read, and how they get
//! into another store.
//!
//! Columns and keys are asked of the schema, so that a new column goes along by
//! itself. A new table has to be named here; a test says so.

use countersign_sql::{Column, ColumnType, TableShape, quoted};
use rusqlite::Connection;

use crate::error::Fault;

mod content;
pub(crate) mod export;
mod fill;
pub(crate) mod staged;
mod staging_error;
#[cfg(test)]
mod tests;

pub use self::staged::{StagedSummary, StagedTables};
pub use self::staging_error::StagingError;

/// A table that exports have.
#[derive(Clone, Copy)]
pub(crate) struct ExportedTable {
    pub(crate) name: &'static str,
    /// Which rows belong to the tenant `?1`; none where the table is the whole
    /// store's.
    of_tenant: Option<&'static str>,
    /// What is left out where an export is not of everything.
    withheld: Withheld,
    /// The flag that is never set in an export of one tenant: it says something of the
    /// whole store, and the next one is another.
    of_store: Option<&'static str>,
}

/// What an export may leave out of a table.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Withheld {
    Nothing,
    /// Unless what is sealed goes along: all rows.
    Rows,
    /// Unless what is sealed goes along: what stands in this column, of which
    /// zero bytes are left. They open under no key.
    Sealed(&'static str),
}

/// The shape of a table; none where there is no such table.
pub(crate) fn shape_of(connection: &Connection, name: &str) -> Result<Option<TableShape>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT name, type, pk FROM pragma_table_info(?1)")?;
    let mut rows = statement.query([name])?;
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    while let Some(row) = rows.next()? {
        let column: String = row.get(0)?;
        let holds = match row.get::<_, String>(1)?.as_str() {
            "BLOB" => ColumnType::Bytes,
            "INTEGER" => ColumnType::Integer,
            "TEXT" => ColumnType::Text,
            _ => return Err(Fault::Content(format!("the type of `{name}.{column}`"))),
        };
        let place: i64 = row.get(2)?;
        if place > 0 {
            key.push((place, column.clone()));
        }
        columns.push(Column {
            name: column,
            holds,
        });
    }
    key.sort();
    Ok((!columns.is_empty()).then(|| TableShape {
        name: name.into(),
        columns,
        key: key.into_iter().map(|(_, column)| column).collect(),
    }))
}

/// Adds a row with all columns.
pub(crate) fn insert_into(shape: &TableShape) -> String {
    let marks = vec!["?"; shape.columns.len()].join(", ");
    format!(
        "INSERT INTO \"{name}\" ({columns}) VALUES ({marks})",
        name = shape.name,
        columns = quoted(shape.columns.iter().map(|column| &column.name)),
    )
}

/// The last number that a table gave to a row; none where it gives none.
fn sequence(connection: &Connection, table: &str) -> Result<Option<i64>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?;
    let mut rows = statement.query([table])?;
    Ok(match rows.next()? {
        Some(row) => Some(row.get(0)?),
        None => None,
    })
}

/// Has a table give no number again that was given up to there.
pub(crate) fn raise_sequence(connection: &Connection, table: &str, last: i64) -> Result<(), Fault> {
    let raised = connection
        .prepare_cached("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1")?
        .execute(rusqlite::params![table, last])?;
    if raised == 0 {
        connection
            .prepare_cached("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)")?
            .execute(rusqlite::params![table, last])?;
    }
    Ok(())
}

/// The credentials of a tenant, and the users that have grants in it.
macro_rules! of_tenant {
    ($column:literal) => {
        concat!(
            $column,
            " IN (SELECT id FROM credential WHERE tenant = ?1
                  UNION SELECT credential FROM person_grant WHERE tenant = ?1)"
        )
    };
}

const fn table(name: &'static str, of_tenant: Option<&'static str>) -> ExportedTable {
    ExportedTable {
        name,
        of_tenant,
        withheld: Withheld::Nothing,
        of_store: None,
    }
}

/// What exports have, each table after those that it refers to.
pub(crate) const EXPORTED: &[ExportedTable] = &[
    table("setting", None),
    table("tenant", Some("id = ?1")),
    table("namespace", Some("tenant = ?1")),
    table("role", Some("tenant = ?1")),
    table("role_rule", Some("tenant = ?1")),
    table("role_import", Some("tenant = ?1")),
    table("group_role", Some("tenant = ?1")),
    table("tenant_role", Some("tenant = ?1")),
    table(
        "scheme_field",
        Some("scheme IN (SELECT scheme FROM credential WHERE tenant = ?1)"),
    ),
    table("credential", Some(of_tenant!("id"))),
    table("secret", Some(of_tenant!("credential"))),
    table("certificate", Some(of_tenant!("credential"))),
    table("certificate_authority", Some("tenant = ?1")),
    table("credential_group", Some(of_tenant!("credential"))),
    table("credential_role", Some(of_tenant!("credential"))),
    table("credential_rule", Some(of_tenant!("credential"))),
    table("credential_import", Some(of_tenant!("credential"))),
    table("attribute", Some(of_tenant!("credential"))),
    table("auto_registration", Some(of_tenant!("application"))),
    ExportedTable {
        withheld: Withheld::Sealed("seed"),
        of_store: Some("platform_admin"),
        ..table("person", Some(of_tenant!("credential")))
    },
    table("person_grant", Some("tenant = ?1")),
    ExportedTable {
        withheld: Withheld::Rows,
        ..table("recovery_code", Some(of_tenant!("credential")))
    },
    table(
        "lockout",
        Some(
            "name IN (SELECT name FROM credential WHERE id IN
                          (SELECT credential FROM person_grant WHERE tenant = ?1))",
        ),
    ),
    ExportedTable {
        withheld: Withheld::Sealed("private"),
        ..table("token_key", Some("tenant = ?1"))
    },
    table(
        "token",
        Some(concat!("tenant = ?1 AND ", of_tenant!("issuer"))),
    ),
    table(
        "token_thing",
        Some(concat!(
            "token IN (SELECT id FROM token WHERE tenant = ?1 AND ",
            of_tenant!("issuer"),
            ")"
        )),
    ),
    table(
        "stored_session",
        Some(concat!(
            "tenant = ?1 AND (credential IS NULL OR ",
            of_tenant!("credential"),
            ")"
        )),
    ),
    table("ban", Some("tenant = ?1")),
    table("control_note", Some("tenant = ?1")),
    table("pruned_session", Some(of_tenant!("credential"))),
    table(
        "api_token",
        Some(concat!(
            "tenant = ?1 AND (owner IS NULL OR ",
            of_tenant!("owner"),
            ")"
        )),
    ),
    ExportedTable {
        withheld: Withheld::Sealed("kick_login"),
        ..table("hook", Some("tenant = ?1"))
    },
    table("issuer", Some("tenant = ?1")),
    table("issuer_role", Some("tenant = ?1")),
    table(
        "issuer_revocation",
        Some("issuer IN (SELECT id FROM issuer WHERE tenant = ?1)"),
    ),
    table(
        "issuer_source",
        Some("issuer IN (SELECT id FROM issuer WHERE tenant = ?1)"),
    ),
    table("device_registration", Some("tenant = ?1")),
    table("registered_name", Some("tenant = ?1")),
];

/// The tables that exports have, each after those that it refers to.
pub fn exported_tables() -> impl Iterator<Item = &'static str> {
    EXPORTED.iter().map(|table| table.name)
}

/// What exports leave out: who is connected or signed in now or about to be, the brokers
/// and followers, what they and commands tell each other, what the store itself follows,
/// what was refused, the audit, and counts of rows that are there.
pub(crate) const LEFT_OUT: &[&str] = &[
    "arriving_session",
    "audit",
    "audit_chain",
    "broker",
    "change",
    "follower",
    "follower_tenant",
    "hand_back",
    "kick_request",
    "object_change",
    "presence",
    "refusal",
    "replica",
    "session_change",
    "web_session",
];
