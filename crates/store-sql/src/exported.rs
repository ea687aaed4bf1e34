//! Which tables an export has, and what of them.
//!
//! Columns and keys are asked of the schema, so that a new column goes along by itself.

use countersign_core::store::ExportScope;

use crate::reader::SqlReader;
use crate::shape::{empty_if_set, quote};

/// A table that exports have.
#[derive(Clone, Copy, Debug)]
pub struct ExportedTable {
    /// The table.
    pub name: &'static str,
    /// Which rows belong to the tenant `?1`; none where the table is the whole
    /// store's.
    of_tenant: Option<&'static str>,
    /// What is left out where an export is not of everything.
    pub withheld: Withheld,
    /// Whether it gives numbers to its rows, each once and never again.
    pub is_numbered: bool,
    /// The flag that is never set in an export of one tenant: it says something of the
    /// whole store, and the next one is another.
    of_store: Option<&'static str>,
}

/// What an export may leave out of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Withheld {
    /// Nothing.
    Nothing,
    /// Unless what is sealed goes along: all rows.
    Rows,
    /// Unless what is sealed goes along: what stands in this column, of which
    /// zero bytes are left. They open under no key.
    Sealed(&'static str),
}

impl ExportedTable {
    /// Which rows are in an export.
    pub(crate) fn rows(&self, scope: &ExportScope) -> &'static str {
        match &scope.tenant {
            Some(_) => self.of_tenant.unwrap_or("false"),
            None => "true",
        }
    }

    /// Says whether an export has something of this table.
    pub(crate) fn is_in(&self, scope: &ExportScope) -> bool {
        let is_whole = scope.tenant.is_none() || self.of_tenant.is_some();
        is_whole && (scope.with_sealed || self.withheld != Withheld::Rows)
    }

    /// What an export has of a column.
    #[must_use]
    pub fn shown<R: SqlReader>(&self, column: &str, scope: &ExportScope) -> String {
        let column_name = quote(column);
        if scope.tenant.is_some() && self.of_store == Some(column) {
            return "0".into();
        }
        match self.withheld {
            Withheld::Sealed(sealed) if sealed == column && !scope.with_sealed => {
                empty_if_set::<R>(&column_name)
            }
            Withheld::Nothing | Withheld::Rows | Withheld::Sealed(_) => column_name,
        }
    }
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
        is_numbered: false,
        of_store: None,
    }
}

/// A table that gives numbers to its rows.
const fn numbered(name: &'static str, of_tenant: Option<&'static str>) -> ExportedTable {
    ExportedTable {
        is_numbered: true,
        ..table(name, of_tenant)
    }
}

/// What exports have, each table after those that it refers to.
pub const EXPORTED: &[ExportedTable] = &[
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
    numbered("credential", Some(of_tenant!("id"))),
    numbered("secret", Some(of_tenant!("credential"))),
    table("certificate", Some(of_tenant!("credential"))),
    numbered("certificate_authority", Some("tenant = ?1")),
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
        ..numbered("recovery_code", Some(of_tenant!("credential")))
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
    numbered("ban", Some("tenant = ?1")),
    table("control_note", Some("tenant = ?1")),
    table("pruned_session", Some(of_tenant!("credential"))),
    numbered(
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
    numbered("issuer", Some("tenant = ?1")),
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

/// What exports leave out: who is connected or signed in now or about to be, the brokers
/// and followers, what they and commands tell each other, what the store itself follows,
/// what was refused, the audit, and counts of rows that are there.
pub const LEFT_OUT: &[&str] = &[
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
