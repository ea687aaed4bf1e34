//! The schemes that were added to the built-in ones, and which tenants use
//! them.

use std::collections::BTreeMap;

use countersign_core::name::TenantId;
use countersign_core::scheme::{FieldValue, Scheme, SchemeName, Schemes};
use countersign_core::store::rows::SchemeRows;
use countersign_core::store::{StoreError, StoredSchemes};
use countersign_sql::{EXPECTING_KEYS, expecting_key, expecting_scheme};

use crate::error::{Fault, found};
use crate::place::Place;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};
use crate::store::PostgresStore;
use crate::transaction::PostgresTransaction;

impl SchemeRows for PostgresTransaction<'_> {
    fn schemes(&mut self) -> Result<Schemes, StoreError> {
        self.run("read the schemes", |connection| {
            let store = self.store();
            Ok(all(connection, store.place(), &store.built_in)?.readable)
        })
    }

    fn add_scheme(&mut self, scheme: &Scheme) -> Result<(), StoreError> {
        self.run("add a scheme", |connection| {
            add(connection, self.store(), scheme)
        })
    }

    fn expect_passwords(&mut self, scheme: &SchemeName) -> Result<(), StoreError> {
        self.run("take note of a password", |connection| {
            expect_passwords(connection, scheme)
        })
    }

    fn remove_scheme(&mut self, name: &SchemeName) -> Result<(), StoreError> {
        self.run("remove a scheme", |connection| remove(connection, name))
    }

    fn tenants_using_scheme(&mut self, name: &SchemeName) -> Result<Vec<TenantId>, StoreError> {
        self.run("look up who uses a scheme", |connection| {
            users(connection, name)
        })
    }

    fn schemes_used_by(&mut self, tenant: &TenantId) -> Result<Vec<SchemeName>, StoreError> {
        self.run("look up the schemes of a tenant", |connection| {
            used_by(connection, tenant)
        })
    }
}

/// All schemes, built in and added, each as far as it can be read.
pub(crate) fn all(
    connection: &Connection,
    place: &Place,
    built_in: &Schemes,
) -> Result<StoredSchemes, Fault> {
    let mut found = StoredSchemes {
        readable: built_in.clone(),
        ..StoredSchemes::default()
    };
    for (name, fields) in fields(connection)? {
        // No credential is of a scheme without a name.
        let Ok(name) = SchemeName::parse(&name) else {
            continue;
        };
        let added = fields.and_then(|fields| {
            let damage = || Fault::Content(format!("the stored scheme `{name}`"));
            let scheme = Scheme::from_fields(fields).map_err(|_| damage())?;
            if *scheme.name() != name {
                return Err(damage());
            }
            found.readable.add_stored(scheme).map_err(|_| damage())
        });
        if let Err(fault) = added {
            let error = fault.while_trying("read a scheme", place);
            found.damaged.insert(name, error);
        }
    }
    for scheme in with_passwords(connection)? {
        found.readable.expect_passwords(scheme);
    }
    Ok(found)
}

/// The schemes of whose names some have a password.
fn with_passwords(connection: &Connection) -> Result<Vec<SchemeName>, Fault> {
    let statement = connection.prepare("SELECT key FROM setting WHERE key > $1 AND key < $2")?;
    let mut rows = statement.query(EXPECTING_KEYS)?;
    let mut schemes = Vec::new();
    while let Some(row) = rows.next()? {
        schemes.extend(expecting_scheme(RowReader::of(row).text()?));
    }
    Ok(schemes)
}

/// Takes note that some name of this scheme has a password.
fn expect_passwords(connection: &Connection, scheme: &SchemeName) -> Result<(), Fault> {
    let statement = connection
        .prepare("INSERT INTO setting (key, value) VALUES ($1, 'true') ON CONFLICT DO NOTHING")?;
    statement.execute([&expecting_key(scheme)])?;
    Ok(())
}

/// Adds a scheme.
fn add(connection: &Connection, store: &PostgresStore, scheme: &Scheme) -> Result<(), Fault> {
    all(connection, store.place(), &store.built_in)?
        .readable
        .add(scheme.clone())
        .map_err(|error| Fault::Taken(error.to_string()))?;
    let statement = connection.prepare(
        "INSERT INTO scheme_field (scheme, key, position, kind, value) VALUES ($1, $2, $3, $4, $5)",
    )?;
    for (key, value) in scheme.to_fields() {
        let (kind, texts) = match value {
            FieldValue::Flag(flag) => ("flag", vec![flag.to_string()]),
            FieldValue::List(texts) => ("list", texts),
            FieldValue::Number(number) => ("number", vec![number.to_string()]),
            FieldValue::Text(text) => ("text", vec![text]),
        };
        for (position, text) in texts.iter().enumerate() {
            statement.execute(params![scheme.name().as_str(), key, position, kind, text])?;
        }
    }
    Ok(())
}

/// Removes a scheme that was added.
fn remove(connection: &Connection, name: &SchemeName) -> Result<(), Fault> {
    let statement = connection.prepare("DELETE FROM scheme_field WHERE scheme = $1")?;
    found(statement.execute([name.as_str()])?, "the scheme")?;
    let statement = connection.prepare("DELETE FROM setting WHERE key = $1")?;
    statement.execute([&expecting_key(name)])?;
    Ok(())
}

/// The tenants with a credential of this scheme.
///
/// It goes from one tenant to the next, not from one credential to the next.
pub(crate) fn users(connection: &Connection, name: &SchemeName) -> Result<Vec<TenantId>, Fault> {
    let statement = connection.prepare(
        "WITH RECURSIVE used (tenant) AS (
             SELECT min(tenant) FROM credential WHERE scheme = $1
             UNION ALL
             SELECT (SELECT min(tenant) FROM credential
                     WHERE scheme = $1 AND tenant > used.tenant)
             FROM used WHERE used.tenant IS NOT NULL)
         SELECT tenant FROM used WHERE tenant IS NOT NULL",
    )?;
    let mut rows = statement.query([name.as_str()])?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        tenants.push(RowReader::of(row).parsed(TenantId::parse)?);
    }
    Ok(tenants)
}

/// The schemes that credentials of this tenant were made by.
fn used_by(connection: &Connection, tenant: &TenantId) -> Result<Vec<SchemeName>, Fault> {
    let statement = connection.prepare(
        "WITH RECURSIVE used (scheme) AS (
             SELECT min(scheme) FROM credential
             UNION ALL
             SELECT (SELECT min(scheme) FROM credential WHERE scheme > used.scheme)
             FROM used WHERE used.scheme IS NOT NULL)
         SELECT scheme FROM used
         WHERE EXISTS (SELECT 1 FROM credential
                       WHERE credential.scheme = used.scheme AND tenant = $1)",
    )?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut schemes = Vec::new();
    while let Some(row) = rows.next()? {
        schemes.push(RowReader::of(row).parsed(SchemeName::parse)?);
    }
    Ok(schemes)
}

/// The fields of each stored scheme, or what is wrong with them.
fn fields(connection: &Connection) -> Result<BTreeMap<String, Result<StoredFields, Fault>>, Fault> {
    let statement = connection.prepare(
        "SELECT scheme, key, kind, value FROM scheme_field ORDER BY scheme, key, position",
    )?;
    let mut rows = statement.query(())?;
    let mut schemes = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let Ok(scheme) = columns.text() else {
            continue;
        };
        let fields = schemes
            .entry(scheme.into())
            .or_insert_with(|| Ok(StoredFields::new()));
        if let Ok(known) = fields
            && let Err(fault) = read_field(columns, known)
        {
            *fields = Err(fault);
        }
    }
    Ok(schemes)
}

/// Adds the field of a row, or one more text to that of the row before.
fn read_field(columns: &mut RowReader<'_>, fields: &mut StoredFields) -> Result<(), Fault> {
    let key = columns.text()?;
    let value = match columns.text()? {
        "flag" => FieldValue::Flag(columns.parsed(str::parse)?),
        "list" => {
            let text = columns.text()?.into();
            match fields.last_mut() {
                Some((last, FieldValue::List(texts))) if last == key => {
                    texts.push(text);
                    return Ok(());
                }
                Some(_) | None => FieldValue::List(vec![text]),
            }
        }
        "number" => FieldValue::Number(columns.parsed(str::parse)?),
        "text" => FieldValue::Text(columns.text()?.into()),
        _ => return Err(columns.nonsense()),
    };
    fields.push((key.into(), value));
    Ok(())
}

type StoredFields = Vec<(String, FieldValue)>;
