//! An export on its way into a store: all of it in a database of its own, where
//! it is checked before anything is written.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_core::store::{Cell, ExportHeader, Intent, StoreError, TableRow};
use countersign_sql::{ColumnType, EXPORTED, LEFT_OUT, TableReader as _, TableShape, quote};
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::staging_error::StagingError;
use super::{content, insert_into, raise_sequence, sequence, shape_of};
use crate::cell::Bound;
use crate::connect::connect;
use crate::error::Fault;
use crate::schema::{self, MIGRATIONS};
use crate::sql_reader::State;
use crate::transaction_guard as guard;

/// The tables of an export, in a database without a name that is gone with this.
/// What does not fit into memory is in a file that nobody else can open.
#[derive(Debug)]
pub struct StagedTables {
    pub(super) connection: Connection,
    header: ExportHeader,
    shapes: BTreeMap<String, PreparedTable>,
}

#[derive(Debug)]
struct PreparedTable {
    shape: TableShape,
    insert: String,
    rows: u64,
}

/// What an export holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StagedSummary {
    /// How many rows.
    pub rows: u64,
    /// How many tenants.
    pub tenants: u64,
    /// How many credentials, operators not among them.
    pub credentials: u64,
    /// How many operators.
    pub operators: u64,
    /// How many roles.
    pub roles: u64,
    /// How many rules, of roles and of credentials.
    pub rules: u64,
    /// The users whose second factor's seed was left out.
    pub without_seed: Vec<String>,
    /// The keys that sign tokens whose private half was left out.
    pub without_private: Vec<String>,
}

impl StagedTables {
    /// Makes room for an export with this header.
    ///
    /// # Errors
    ///
    /// Returns [`StagingError::Header`] when it is of a schema that is not known,
    /// or has tables that are not.
    pub fn begin(header: ExportHeader) -> Result<Self, StagingError> {
        let newest = schema::newest(MIGRATIONS);
        if header.schema > newest {
            return Err(StagingError::Header(format!(
                "it has schema {} and this program knows {newest}; install the version that made it",
                header.schema
            )));
        }
        if header.schema < OLDEST {
            return Err(StagingError::Header(format!(
                "it has schema {}, and no version exports that",
                header.schema
            )));
        }
        let connection = open(header.schema).map_err(StagingError::of_store)?;
        let mut shapes = BTreeMap::new();
        for name in header.rows.keys() {
            let may_be_there = is_plain(name) && !LEFT_OUT.contains(&name.as_str());
            let shape = if may_be_there {
                shape_of(&connection, name).map_err(StagingError::of_store)?
            } else {
                None
            };
            let Some(shape) = shape else {
                return Err(StagingError::Header(
                    "it has a table that is not known, or that exports leave out".into(),
                ));
            };
            let insert = insert_into(&shape);
            let table = PreparedTable {
                shape,
                insert,
                rows: 0,
            };
            shapes.insert(name.clone(), table);
        }
        for name in header.sequences.keys() {
            if !shapes.contains_key(name)
                || !is_numbered(&connection, name).map_err(StagingError::of_store)?
            {
                return Err(StagingError::Header(
                    "it has a sequence of a table that it does not have, or that numbers no rows"
                        .into(),
                ));
            }
        }
        Ok(Self {
            connection,
            header,
            shapes,
        })
    }

    /// Adds a row, after those that it refers to.
    ///
    /// # Errors
    ///
    /// Returns [`StagingError::Row`] when its table does not have such a row.
    pub fn add(&mut self, row: &TableRow) -> Result<(), StagingError> {
        let refused = |reason: String| Err(StagingError::Row(reason));
        let Some(table) = self.shapes.get_mut(&row.table) else {
            return refused("it is of a table that the header does not name".into());
        };
        let columns = &table.shape.columns;
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            let cell = row.cells.iter().find(|(name, _)| *name == column.name);
            let Some((_, cell)) = cell else {
                return refused(format!("it has no `{}`", column.name));
            };
            if !fits(cell, column.holds) {
                return refused(format!("`{}` is of another type", column.name));
            }
            values.push(Bound(cell));
        }
        if row.cells.len() != columns.len() {
            return refused("it has a column that its table does not have".into());
        }
        let added = self
            .connection
            .prepare_cached(&table.insert)
            .and_then(|mut insert| insert.execute(params_from_iter(values)));
        match added {
            Ok(_) => {
                table.rows = table.rows.saturating_add(1);
                Ok(())
            }
            // SQLite names the columns, and no value.
            Err(rusqlite::Error::SqliteFailure(cause, text))
                if cause.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                refused(match text {
                    Some(text) => format!("a store can't hold it: {text}"),
                    None => "a store can't hold it".into(),
                })
            }
            Err(error) => Err(StagingError::of_store(error.into())),
        }
    }

    /// Checks that it is whole, brings it up to date, and checks what it says.
    ///
    /// # Errors
    ///
    /// Returns [`StagingError`] when rows are missing, or when a row says what no
    /// store says.
    pub fn complete(&mut self) -> Result<StagedSummary, StagingError> {
        for (name, told) in &self.header.rows {
            let found = self.shapes.get(name).map_or(0, |table| table.rows);
            if found != *told {
                return Err(StagingError::Header(format!(
                    "it has {found} rows of `{name}` and tells of {told}: it was cut off or changed"
                )));
            }
        }
        let connection = &self.connection;
        for (table, last) in &self.header.sequences {
            raise_sequence(connection, table, *last).map_err(StagingError::of_store)?;
        }
        if let Some(table) = used_up(connection).map_err(StagingError::of_store)? {
            return Err(StagingError::Header(format!(
                "the numbers of `{table}` are used up, or below none: no row could be added to it"
            )));
        }
        if self.header.schema < schema::newest(MIGRATIONS) {
            schema::migrate(connection, self.header.schema, MIGRATIONS)
                .map_err(StagingError::of_store)?;
        }
        guard::commit(connection).map_err(|error| StagingError::of_store(error.into()))?;
        content::check(connection)?;
        self.summary().map_err(StagingError::of_store)
    }

    fn summary(&self) -> Result<StagedSummary, Fault> {
        let count = |sql: &str| -> Result<u64, Fault> {
            let count: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        let names = |sql: &str| -> Result<Vec<String>, Fault> {
            let mut statement = self.connection.prepare(sql)?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        };
        let operators = count("SELECT count(*) FROM credential WHERE kind = 'operator'")?;
        let credentials = count("SELECT count(*) FROM credential")?;
        let rules = count("SELECT count(*) FROM role_rule")?;
        Ok(StagedSummary {
            rows: self.header.all_rows(),
            tenants: count("SELECT count(*) FROM tenant")?,
            credentials: credentials.saturating_sub(operators),
            operators,
            roles: count("SELECT count(*) FROM role")?,
            rules: rules.saturating_add(count("SELECT count(*) FROM credential_rule")?),
            without_seed: names(
                "SELECT name FROM credential JOIN person ON person.credential = credential.id
                 WHERE seed = x'' ORDER BY name",
            )?,
            without_private: names("SELECT id FROM token_key WHERE private = x'' ORDER BY id")?,
        })
    }

    /// Hands over each row, after those that it refers to.
    ///
    /// # Errors
    ///
    /// Returns what `each` fails with, and [`StoreError`] when a row can't be read.
    pub fn each_row(
        &self,
        mut each: impl FnMut(TableRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let explain = |fault: Fault| fault.while_trying(READ, Path::new("what is imported"));
        for table in EXPORTED {
            let Some(shape) = shape_of(&self.connection, table.name).map_err(explain)? else {
                continue;
            };
            let told = State(&self.connection).walk(&shape.select(quote, "true"), &[], |cells| {
                each(shape.row::<State<'_>>(cells).map_err(explain)?)
            });
            told.map_err(explain)??;
        }
        Ok(())
    }

    /// The last number that each table gave to a row, as far as it gives any.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when they can't be read.
    pub fn last_numbers(&self) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let mut numbers = Vec::new();
        for table in EXPORTED {
            let last = sequence(&self.connection, table.name);
            let last =
                last.map_err(|fault| fault.while_trying(READ, Path::new("what is imported")))?;
            numbers.extend(last.map(|last| (table.name, last)));
        }
        Ok(numbers)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &ExportHeader {
        &self.header
    }
}

/// An empty database with the schema of this number, and a transaction begun.
fn open(version: u32) -> Result<Connection, Fault> {
    let connection = connect(Path::new(""), OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.execute_batch("PRAGMA synchronous = OFF")?;
    let steps = usize::try_from(version).unwrap_or(usize::MAX);
    guard::begin(&connection, Intent::Write)?;
    schema::migrate(
        &connection,
        0,
        MIGRATIONS.get(..steps).unwrap_or(MIGRATIONS),
    )?;
    // What a new store has by itself is in the export, too.
    for table in EXPORTED {
        if shape_of(&connection, table.name)?.is_some() {
            connection.execute(&format!("DELETE FROM \"{}\"", table.name), [])?;
        }
    }
    Ok(connection)
}

/// Says whether a table gives numbers to its rows, each once.
pub(super) fn is_numbered(connection: &Connection, table: &str) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM sqlite_schema
         WHERE type = 'table' AND name = ?1 AND sql LIKE '%AUTOINCREMENT%'",
    )?;
    Ok(statement.exists([table])?)
}

/// A table whose numbers are as good as used up, which SQLite would call a full disk,
/// or that goes on from below none.
fn used_up(connection: &Connection) -> Result<Option<String>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT name FROM sqlite_sequence WHERE seq NOT BETWEEN 0 AND ?1")?;
    let mut rows = statement.query([MOST_NUMBERS])?;
    Ok(match rows.next()? {
        Some(row) => Some(row.get(0)?),
        None => None,
    })
}

/// Says whether a name is made as those of our tables, and none of SQLite's.
fn is_plain(name: &str) -> bool {
    let is_ours = |character: char| character.is_ascii_lowercase() || character == '_';
    name.chars().all(is_ours) && !name.starts_with("sqlite_")
}

pub(crate) fn fits(cell: &Cell, holds: ColumnType) -> bool {
    match cell {
        Cell::Bytes(_) => holds == ColumnType::Bytes,
        Cell::Integer(_) => holds == ColumnType::Integer,
        Cell::Null => true,
        Cell::Text(_) => holds == ColumnType::Text,
    }
}

const READ: &str = "read what is imported";

/// The schema of the first version that exports.
const OLDEST: u32 = 6;

/// What a store never comes to, and no import may bring it near to: as many numbers
/// are left behind it.
const MOST_NUMBERS: i64 = i64::MAX / 2;
