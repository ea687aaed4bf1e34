//! The schemes that were added to the built-in ones, and who uses which.

use std::collections::BTreeMap;

use countersign_core::name::TenantId;
use countersign_core::scheme::{FieldValue, Scheme, SchemeName, Schemes};
use rusqlite::{Connection, params};

use crate::columns::Columns;
use crate::error::Fault;
use crate::writing::found;

/// All schemes, built in and added.
pub(crate) fn all(connection: &Connection) -> Result<Schemes, Fault> {
    let damage = || Fault::Content("a stored scheme".into());
    let mut schemes = Schemes::built_in();
    for (name, fields) in fields(connection)? {
        let scheme = Scheme::from_fields(fields).map_err(|_| damage())?;
        if scheme.name().as_str() != name {
            return Err(damage());
        }
        schemes.add(scheme).map_err(|_| damage())?;
    }
    Ok(schemes)
}

/// Adds a scheme.
pub(crate) fn add(connection: &Connection, scheme: &Scheme) -> Result<(), Fault> {
    all(connection)?
        .add(scheme.clone())
        .map_err(|error| Fault::Taken(error.to_string()))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO scheme_field (scheme, key, position, kind, value) VALUES (?1, ?2, ?3, ?4, ?5)",
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
pub(crate) fn remove(connection: &Connection, name: &SchemeName) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached("DELETE FROM scheme_field WHERE scheme = ?1")?;
    found(statement.execute([name.as_str()])?, "the scheme")
}

/// The tenants with a credential of this scheme.
///
/// It goes from one tenant to the next, not from one credential to the next.
pub(crate) fn users(connection: &Connection, name: &SchemeName) -> Result<Vec<TenantId>, Fault> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE user (tenant) AS (
             SELECT min(tenant) FROM credential WHERE scheme = ?1
             UNION ALL
             SELECT (SELECT min(tenant) FROM credential
                     WHERE scheme = ?1 AND tenant > user.tenant)
             FROM user WHERE user.tenant IS NOT NULL)
         SELECT tenant FROM user WHERE tenant IS NOT NULL",
    )?;
    let mut rows = statement.query([name.as_str()])?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        tenants.push(Columns::of(row).parsed(TenantId::parse)?);
    }
    Ok(tenants)
}

/// The schemes that credentials of this tenant were made by.
pub(crate) fn used_by(
    connection: &Connection,
    tenant: &TenantId,
) -> Result<Vec<SchemeName>, Fault> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE used (scheme) AS (
             SELECT min(scheme) FROM credential
             UNION ALL
             SELECT (SELECT min(scheme) FROM credential WHERE scheme > used.scheme)
             FROM used WHERE used.scheme IS NOT NULL)
         SELECT scheme FROM used
         WHERE EXISTS (SELECT 1 FROM credential
                       WHERE credential.scheme = used.scheme AND tenant = ?1)",
    )?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut schemes = Vec::new();
    while let Some(row) = rows.next()? {
        schemes.push(Columns::of(row).parsed(SchemeName::parse)?);
    }
    Ok(schemes)
}

/// The fields of each stored scheme.
fn fields(connection: &Connection) -> Result<BTreeMap<String, Vec<(String, FieldValue)>>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT scheme, key, kind, value FROM scheme_field ORDER BY scheme, key, position",
    )?;
    let mut rows = statement.query([])?;
    let mut schemes: BTreeMap<String, Vec<(String, FieldValue)>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let columns = &mut Columns::of(row);
        let fields = schemes.entry(columns.text()?.into()).or_default();
        let key = columns.text()?;
        let value = match columns.text()? {
            "flag" => FieldValue::Flag(columns.parsed(str::parse)?),
            "list" => {
                let text = columns.text()?.into();
                match fields.last_mut() {
                    Some((last, FieldValue::List(texts))) if last == key => {
                        texts.push(text);
                        continue;
                    }
                    Some(_) | None => FieldValue::List(vec![text]),
                }
            }
            "number" => FieldValue::Number(columns.parsed(str::parse)?),
            "text" => FieldValue::Text(columns.text()?.into()),
            _ => return Err(columns.nonsense()),
        };
        fields.push((key.into(), value));
    }
    Ok(schemes)
}
