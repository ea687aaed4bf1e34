//! Lists of credentials, kind by kind.

use countersign_core::credential::{Credential, CredentialId};
use countersign_core::lifecycle::State;
use countersign_core::name::{LoginName, Suffix, TenantId};
use countersign_core::store::rows::GrantedUser;
use countersign_core::store::{CredentialQuery, Listed, Page};
use countersign_core::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use crate::credential_reader::{credential_columns, credentials_of};
use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::rare::{Rare, bounds};
use crate::row_reader::RowReader;

/// Devices of tenants, by name.
pub(crate) fn devices(
    connection: &Connection,
    asked: &CredentialQuery,
    page: &Page<LoginName>,
) -> Result<Listed<Credential>, Fault> {
    let rare = Rare::of(connection, asked)?;
    let end = match rare {
        Some(_) => None,
        None => end_of_look(connection, asked, page)?,
    };
    let query = devices_asked_for(asked, rare.as_ref())
        .when("name <= ?", end.as_ref().map(|end| text(end.as_str())));
    let after = page.after.as_ref().map(|name| [text(name.as_str())]);
    let (sql, values) = query.page([key_of_devices(rare.as_ref())], after, page.sought());
    let found = credentials_of(connection, &sql, params_from_iter(values))?;
    Ok(page.listed_up_to(found, end))
}

/// The last name that is looked at for a page, where not each name up to its end is of it
/// and more than so many follow. Whatever is asked for, so a page takes a bounded time.
fn end_of_look(
    connection: &Connection,
    asked: &CredentialQuery,
    page: &Page<LoginName>,
) -> Result<Option<LoginName>, Fault> {
    if asked.has_all_names() {
        return Ok(None);
    }
    // All of it is in the index by which names are in order.
    let mut names = PageQuery::of("SELECT name FROM credential WHERE true").when(
        "tenant = ?",
        asked.tenant.as_ref().map(|it| text(it.as_str())),
    );
    if let Some(prefix) = &asked.name_prefix {
        names = names.and(BEGINS, beginning(prefix));
    }
    let after = page.after.as_ref().map(|name| [text(name.as_str())]);
    let (sql, values) = names.page(["name"], after, 1);
    let sql = format!("{sql} OFFSET {MOST_LOOKED_AT}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    Ok(match rows.next()? {
        Some(row) => Some(RowReader::of(row).parsed(LoginName::parse)?),
        None => None,
    })
}

/// So many names are looked at for a page at most.
const MOST_LOOKED_AT: u32 = 10_000;

/// The statement that finds them, without its order. Where what is asked for is rare, they
/// are found by that, and sorted; of all others, so many would be sorted for each page that
/// they are looked through in the order of names.
pub(crate) fn devices_asked_for(asked: &CredentialQuery, rare: Option<&Rare>) -> PageQuery {
    let mut query = PageQuery::of(concat!(credential_columns!(), " WHERE kind = 'device'"));
    // A column with a `+` before it is not looked up by an index of its own.
    let (of_tenant, begins) = match rare {
        Some(rare) => {
            query = query.and(&format!("id IN ({})", rare.ids), rare.values.clone());
            ("+tenant = ?", "+name >= ? AND +name <= ?")
        }
        None => ("tenant = ?", BEGINS),
    };
    query = query
        .when(of_tenant, asked.tenant.as_ref().map(|it| text(it.as_str())))
        .when(
            "+state = ?",
            asked.state.map(|state| text(State::as_str(state))),
        );
    if let Some(group) = &asked.group {
        query = query.and(IS_IN_GROUP, bounds(group));
    }
    if let Some(group) = &asked.within {
        query = query.and(IS_IN_GROUP, bounds(group));
        query = query.and(IS_IN_NO_OTHER, bounds(group));
    }
    query = query
        .when(
            "+scheme = ?",
            asked.scheme.as_ref().map(|it| text(it.as_str())),
        )
        .when(HOLDS_ROLE, asked.role.as_ref().map(|it| text(it.as_str())))
        .when(IS_UNUSED, asked.unused_since.map(Timestamp::as_millis))
        .when(
            "expires_at < ?",
            asked.expires_before.map(Timestamp::as_millis),
        );
    if let Some(prefix) = &asked.name_prefix {
        query = query.and(begins, beginning(prefix));
    }
    for (key, value) in &asked.attributes {
        query = query.and(HAS_ATTRIBUTE, [key, value].map(text));
    }
    query
}

/// What devices are listed by.
pub(crate) const fn key_of_devices(rare: Option<&Rare>) -> &'static str {
    match rare {
        Some(_) => "+name",
        None => "name",
    }
}

const IS_IN_GROUP: &str = "EXISTS (SELECT 1 FROM credential_group
     WHERE credential = credential.id AND (path = ? OR (path >= ? AND path < ?)))";
const IS_IN_NO_OTHER: &str = "NOT EXISTS (SELECT 1 FROM credential_group
     WHERE credential = credential.id AND NOT (path = ? OR (path >= ? AND path < ?)))";

const HOLDS_ROLE: &str =
    "EXISTS (SELECT 1 FROM credential_role WHERE credential = credential.id AND role = ?)";
const HAS_ATTRIBUTE: &str = "EXISTS (SELECT 1 FROM attribute
     WHERE credential = credential.id AND key = ? AND value = ?)";
const IS_UNUSED: &str = "max(created_at, coalesce(last_used_at, created_at)) < ?";

const BEGINS: &str = "name >= ? AND name <= ?";

/// Between which names those are that begin so.
fn beginning(prefix: &LoginName) -> [Value; 2] {
    let last = format!("{prefix}{}", char::MAX.to_string().repeat(LONGEST_NAME));
    [prefix.as_str(), &last].map(text)
}

/// No name has more characters, so that none which begins with a prefix sorts behind
/// the prefix and so many of the last character there is.
const LONGEST_NAME: usize = 255;

/// Operators, by name. They stand outside of all tenants.
pub(crate) fn operators(
    connection: &Connection,
    page: &Page<LoginName>,
) -> Result<Listed<Credential>, Fault> {
    let query = PageQuery::of(concat!(
        credential_columns!(),
        " WHERE kind = 'operator' AND kind <> 'device' AND tenant IS NULL"
    ));
    by_name(connection, query, page)
}

/// Users, by name. They stand outside of all tenants.
pub(crate) fn users(
    connection: &Connection,
    page: &Page<LoginName>,
) -> Result<Listed<Credential>, Fault> {
    let query = PageQuery::of(concat!(
        credential_columns!(),
        " WHERE kind = 'user' AND kind <> 'device' AND tenant IS NULL"
    ));
    by_name(connection, query, page)
}

/// Users who are granted something in a tenant, by number.
pub(crate) fn granted_users(
    connection: &Connection,
    tenant: &TenantId,
    page: &Page<CredentialId>,
) -> Result<Listed<GrantedUser>, Fault> {
    let CredentialId(after) = page.after.unwrap_or(CredentialId(i64::MIN));
    let sought = i64::try_from(page.sought()).unwrap_or(i64::MAX);
    let users = credentials_of(
        connection,
        GRANTED_USERS,
        params![tenant.as_str(), after, sought],
    )?;
    Ok(page.listed(users.into_iter().map(GrantedUser).collect()))
}

/// As many as the page has are taken of the index, and of all others none is looked at.
const GRANTED_USERS: &str = concat!(
    credential_columns!(),
    " WHERE id IN (SELECT credential FROM person_grant
                   WHERE tenant = ?1 AND credential > ?2
                   ORDER BY credential LIMIT ?3)
      ORDER BY id"
);

/// Applications, by tenant and name.
pub(crate) fn applications(
    connection: &Connection,
    tenant: Option<&TenantId>,
    page: &Page<LoginName>,
) -> Result<Listed<Credential>, Fault> {
    let query = PageQuery::of(concat!(
        credential_columns!(),
        " WHERE kind = 'application' AND kind <> 'device'"
    ));
    let query = query.when("tenant = ?", tenant.map(|tenant| text(tenant.as_str())));
    let after = page.after.as_ref().map(|name| {
        let tenant = match name.suffix() {
            Suffix::Tenant(tenant) => text(tenant.as_str()),
            Suffix::Email | Suffix::None | Suffix::Unknown => text(""),
        };
        [tenant, text(name.as_str())]
    });
    let (sql, values) = query.page(["tenant", "name"], after, page.sought());
    Ok(page.listed(credentials_of(connection, &sql, params_from_iter(values))?))
}

/// Things, by name.
pub(crate) fn things(
    connection: &Connection,
    tenant: Option<&TenantId>,
    application: Option<CredentialId>,
    page: &Page<LoginName>,
) -> Result<Listed<Credential>, Fault> {
    // By an index that is in the order of names: all else would sort all things
    // for each page.
    let query = match tenant {
        Some(tenant) => PageQuery::of(concat!(
            credential_columns!(),
            " WHERE kind = 'thing' AND kind <> 'device'"
        ))
        .and("tenant = ?", [text(tenant.as_str())]),
        None => PageQuery::of(concat!(credential_columns!(), " WHERE +kind = 'thing'")),
    };
    let query = query.when("+application = ?", application.map(|CredentialId(id)| id));
    by_name(connection, query, page)
}

fn by_name(
    connection: &Connection,
    query: PageQuery,
    page: &Page<LoginName>,
) -> Result<Listed<Credential>, Fault> {
    let after = page.after.as_ref().map(|name| [text(name.as_str())]);
    let (sql, values) = query.page(["name"], after, page.sought());
    Ok(page.listed(credentials_of(connection, &sql, params_from_iter(values))?))
}

/// How many credentials of a tenant there are. Bearers don't count: a token
/// brings them along, and they mean nothing without one.
pub(crate) fn count(connection: &Connection, tenant: &TenantId) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT count(*) FROM credential WHERE tenant = ?1)
              - (SELECT count(*) FROM credential
                 WHERE kind = 'bearer' AND kind <> 'device' AND tenant = ?1)",
    )?;
    let count: i64 = statement.query_row([tenant.as_str()], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
