//! The numbered schema: how a file is told to be ours, and brought up to date.

use std::collections::BTreeMap;

use countersign_core::hex;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::error::Fault;

/// What the header of a SQLite file says about its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileHeader {
    /// There is nothing in it, as when making it was cut short.
    Empty,
    /// It is no store of ours.
    Foreign,
    /// It is a store with a schema of this number.
    Ours(u32),
}

/// Reads what the file says it is.
pub(crate) fn header(connection: &Connection) -> Result<FileHeader, Fault> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let is_empty: bool = connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)",
        [],
        |row| row.get(0),
    )?;
    Ok(match u32::try_from(version) {
        Ok(version) if application == APPLICATION && version > 0 => FileHeader::Ours(version),
        Ok(0) if application == 0 && is_empty => FileHeader::Empty,
        Ok(_) | Err(_) => FileHeader::Foreign,
    })
}

/// Applies those of `migrations` that come after `from`, inside the running
/// transaction.
pub(crate) fn migrate(
    connection: &Connection,
    from: u32,
    migrations: &[&str],
) -> Result<(), Fault> {
    if from == 0 && migrations == MIGRATIONS {
        connection.execute_batch(ALL_AT_ONCE)?;
    } else {
        step_by_step(connection, from, migrations)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", newest(migrations))?;
    Ok(())
}

fn step_by_step(connection: &Connection, from: u32, migrations: &[&str]) -> rusqlite::Result<()> {
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    let mut steps = migrations.iter().skip(done);
    steps.try_for_each(|migration| connection.execute_batch(migration))
}

/// Fails unless the tables, indexes and triggers in the file are those that
/// the first `version` of `migrations` make.
///
/// A process that can write the file can put a trigger or a view into it that
/// does what they want when somebody else opens the store.
pub(crate) fn check(
    connection: &Connection,
    version: u32,
    migrations: &[&str],
) -> Result<(), Fault> {
    let found = objects(connection)?;
    // To make all of it takes longer than everything else that opening does.
    if migrations == MIGRATIONS
        && version == newest(migrations)
        && digest(&found) == NEWEST.trim_end()
    {
        return Ok(());
    }
    let steps = usize::try_from(version).unwrap_or(usize::MAX);
    let expected = made_by(migrations.get(..steps).unwrap_or(migrations))?;
    let wrong = found.iter().find_map(|(object, text)| {
        let why = match expected.get(object) {
            None => "which Countersign did not make",
            Some(expected) if expected != text => "which was changed",
            Some(_) => return None,
        };
        Some((object, why))
    });
    let missing = || expected.keys().find(|object| !found.contains_key(object));
    match wrong.or_else(|| Some((missing()?, "which is missing"))) {
        Some((SchemaObject { kind, name, .. }, why)) => {
            // Somebody else may have chosen it.
            let name: String = name.chars().take(LONGEST_NAME).collect();
            Err(Fault::Content(format!("its {kind} `{name}`, {why},")))
        }
        None => Ok(()),
    }
}

/// What these migrations make of an empty file.
fn made_by(migrations: &[&str]) -> Result<BTreeMap<SchemaObject, String>, Fault> {
    let model = Connection::open_in_memory()?;
    migrate(&model, 0, migrations)?;
    objects(&model)
}

/// Stands for a schema. No part can be taken for one of another.
fn digest(objects: &BTreeMap<SchemaObject, String>) -> String {
    let mut hasher = Sha256::new();
    for (SchemaObject { kind, name, table }, text) in objects {
        for part in [kind, name, table, text] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
    }
    hex::encode(&hasher.finalize())
}

/// What a schema consists of.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct SchemaObject {
    kind: String,
    name: String,
    table: String,
}

/// All that the schema consists of, each with the text that made it.
fn objects(connection: &Connection) -> Result<BTreeMap<SchemaObject, String>, Fault> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut objects = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let object = SchemaObject {
            kind: row.get(0)?,
            name: row.get(1)?,
            table: row.get(2)?,
        };
        let text: Option<String> = row.get(3)?;
        let is_sqlites = match object.kind.as_str() {
            "table" => SQLITES_TABLES.contains(&object.name.as_str()),
            "index" => text.is_none() && object.name.starts_with("sqlite_autoindex_"),
            _ => false,
        };
        if !is_sqlites {
            objects.insert(object, plain(&text.unwrap_or_default()));
        }
    }
    Ok(objects)
}

/// The text without what versions of SQLite may write differently: white space,
/// and quotes around the name of a table that was renamed.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_whitespace() && *character != '"')
        .collect()
}

const LONGEST_NAME: usize = 64;

/// What SQLite makes for itself.
const SQLITES_TABLES: [&str; 3] = ["sqlite_sequence", "sqlite_stat1", "sqlite_stat4"];

/// The number of the newest schema that this program knows.
#[must_use]
pub fn newest_schema() -> u32 {
    newest(MIGRATIONS)
}

/// The number of the schema that all of `migrations` lead to.
pub(crate) fn newest(migrations: &[&str]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// Every step from an empty file to the schema of this version.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001.sql"),
    include_str!("../migrations/0002.sql"),
    include_str!("../migrations/0003.sql"),
    include_str!("../migrations/0004.sql"),
    include_str!("../migrations/0005.sql"),
    include_str!("../migrations/0006.sql"),
    include_str!("../migrations/0007.sql"),
];

/// What all of them make of an empty file, which takes a third of the time.
const ALL_AT_ONCE: &str = include_str!("../migrations/all.sql");

/// The digest of what all of them make.
const NEWEST: &str = include_str!("../migrations/all.sha256");

/// `CSgn`, in the header of every store.
const APPLICATION: i64 = 0x4353_676e;

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty file after all steps, one after the other.
    fn stepped() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        step_by_step(&connection, 0, MIGRATIONS).unwrap();
        connection
    }

    /// The statements that make a database like this one, with its rows.
    fn statements(connection: &Connection) -> String {
        let texts = |query: &str| -> Vec<String> {
            let mut statement = connection.prepare(query).unwrap();
            let texts = statement.query_map([], |row| row.get(0)).unwrap();
            texts.map(Result::unwrap).collect()
        };
        let mut made = texts(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
             ORDER BY type = 'trigger', type = 'index', rowid",
        );
        for table in texts("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
            let values = texts(&format!(
                "SELECT group_concat('quote(\"' || name || '\")', ' || '', '' || ')
                 FROM pragma_table_info('{table}')"
            ));
            made.extend(texts(&format!(
                "SELECT 'INSERT INTO {table} VALUES (' || {} || ')' FROM {table}",
                values[0]
            )));
        }
        let head =
            "-- What all migrations make of an empty file. Written by `cargo xtask codegen`.\n";
        format!("{head}\n{};\n", made.join(";\n"))
    }

    #[test]
    fn what_all_migrations_make_at_once_is_what_they_make_step_by_step() {
        let stepped = stepped();
        let (written, hash) = (
            statements(&stepped),
            digest(&objects(&stepped).unwrap()) + "\n",
        );
        if std::env::var_os("COUNTERSIGN_WRITE_SCHEMA").is_some() {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
            std::fs::write(folder.join("all.sql"), &written).unwrap();
            std::fs::write(folder.join("all.sha256"), &hash).unwrap();
        } else {
            let way_out = "run `cargo xtask codegen --only schema`";
            assert_eq!((ALL_AT_ONCE, NEWEST), (&*written, &*hash), "{way_out}");
        }
        let at_once = Connection::open_in_memory().unwrap();
        at_once.execute_batch(&written).unwrap();
        assert_eq!(statements(&at_once), written);
        assert_eq!(objects(&at_once).unwrap(), objects(&stepped).unwrap());
    }
}
