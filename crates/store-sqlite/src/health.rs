//! What `countersign doctor` asks about a store.

use countersign_core::certificate::AuthorityId;
use countersign_core::credential::CredentialId;
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::StoreError;
use rusqlite::Connection;

use crate::busy_timeout::ADMIN_WAIT;
use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::schema::{self, FileHeader};
use crate::store::SqliteStore;
use crate::{
    authorities, client_ids, credential_reader, roles, schemes, settings, tenants, tokens,
};

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
            let mut found = UnreadableRecords::default();
            found.take("the settings".into(), settings::read(connection).map(drop))?;
            for scheme in schemes::all(connection, &self.path, &self.built_in)?
                .damaged
                .into_keys()
            {
                found.add(format!("scheme `{scheme}`"));
            }
            each(connection, "SELECT id FROM tenant", |columns| {
                let (name, id) = named(columns, TenantId::parse);
                let read = id.and_then(|id| tenants::tenant(connection, &id).map(drop));
                found.take(format!("tenant {name}"), read)
            })?;
            each(connection, "SELECT tenant, name FROM role", |columns| {
                let (tenant, id) = named(columns, TenantId::parse);
                let (name, role) = named(columns, RoleName::parse);
                let read = id
                    .and_then(|id| Ok((id, role?)))
                    .and_then(|(id, role)| roles::role(connection, &id, &role).map(drop));
                found.take(format!("role {name} of tenant {tenant}"), read)
            })?;
            each(connection, "SELECT id, name FROM credential", |columns| {
                let id = CredentialId(columns.number()?);
                let (name, _) = named(columns, LoginName::parse);
                let read = credential_reader::credential_by_id(connection, id).map(drop);
                found.take(format!("credential {name} (number {id})"), read)
            })?;
            each(connection, "SELECT id FROM token_key", |columns| {
                let (name, id) = named(columns, KeyId::parse);
                let read = id.and_then(|id| tokens::key(connection, &id).map(drop));
                found.take(format!("key {name}"), read)
            })?;
            each(connection, "SELECT id FROM token", |columns| {
                let (name, id) = named(columns, TokenId::parse);
                let read = id.and_then(|id| tokens::token(connection, &id).map(drop));
                found.take(format!("token {name}"), read)
            })?;
            each(
                connection,
                "SELECT id FROM certificate_authority",
                |columns| {
                    let id = AuthorityId(columns.number()?);
                    let read = authorities::authority(connection, id).map(drop);
                    found.take(format!("authority number {}", id.0), read)
                },
            )?;
            Ok(found.lines())
        })
    }

    /// Says whether so many client ids are remembered that there is no room for
    /// more than a limit of each credential, or that none are pruned any more.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn is_full_of_client_ids(&self) -> Result<bool, StoreError> {
        self.look("count the client ids", ADMIN_WAIT, client_ids::is_full)
    }
}

/// Records that can't be read.
#[derive(Default)]
struct UnreadableRecords {
    named: Vec<String>,
    more: u64,
}

impl UnreadableRecords {
    /// Adds a record if what reading it came to is that it can't be read.
    fn take(&mut self, name: String, read: Result<(), Fault>) -> Result<(), Fault> {
        match read {
            Err(fault) if fault.is_of_one_record() => self.add(name),
            read => read?,
        }
        Ok(())
    }

    fn add(&mut self, name: String) {
        if self.named.len() < MOST_NAMED {
            self.named.push(name);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn lines(self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.named.into_iter().chain(more).collect()
    }
}

/// Runs `look` on each row that `sql` selects.
fn each(
    connection: &Connection,
    sql: &str,
    mut look: impl FnMut(&mut RowReader<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(&mut RowReader::of(row))?;
    }
    Ok(())
}

/// The next column, which names a record: as it may be shown, and parsed.
fn named<T, E>(
    columns: &mut RowReader<'_>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> (String, Result<T, Fault>) {
    match columns.text() {
        Ok(text) => {
            let parsed = parse(text).map_err(|_| columns.nonsense());
            (format!("`{}`", text.escape_debug()), parsed)
        }
        Err(fault) => ("without a name".into(), Err(fault)),
    }
}

/// So many records are named.
const MOST_NAMED: usize = 20;
