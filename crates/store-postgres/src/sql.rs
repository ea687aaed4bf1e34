//! Statements on one connection: what is bound to them, and the rows that they find.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use countersign_sql::TableShape;
use tokio_postgres::types::ToSql;

use crate::error::Fault;
use crate::link::Link;

pub(crate) use self::cell::{CellRef, Row};
pub(crate) use self::value::{Params, ToValue, Value, params, storable};

mod cell;
mod value;

/// A connection, with the statements that were prepared on it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: Link,
    prepared: RefCell<HashMap<String, tokio_postgres::Statement>>,
    /// The shapes of the tables that followers have, once they were asked for.
    pub(crate) shapes: OnceCell<Vec<TableShape>>,
}

impl Connection {
    /// One that has prepared nothing yet.
    pub(crate) fn of(link: Link) -> Self {
        Self {
            link,
            prepared: RefCell::new(HashMap::new()),
            shapes: OnceCell::new(),
        }
    }

    /// The statement; prepared the first time that it is asked for.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement<'_>, Fault> {
        if let Some(known) = self.prepared.borrow().get(sql) {
            return Ok(Statement {
                connection: self,
                statement: known.clone(),
            });
        }
        let statement = self.link.wait_for(self.link.client.prepare(sql))?;
        let mut prepared = self.prepared.borrow_mut();
        // Those of this crate are fewer; what listings are asked for makes more.
        if prepared.len() >= STATEMENTS {
            prepared.clear();
        }
        prepared.insert(sql.to_owned(), statement.clone());
        Ok(Statement {
            connection: self,
            statement,
        })
    }

    /// Runs statements that bind nothing.
    pub(crate) fn run(&self, sql: &str) -> Result<(), Fault> {
        self.link.wait_for(self.link.client.batch_execute(sql))
    }

    /// Hands over the rows that a query finds, some at a time, until `each` says that it
    /// has seen enough. In a transaction alone.
    pub(crate) fn walk(
        &self,
        sql: &str,
        values: impl Params,
        mut each: impl FnMut(&Row) -> Result<Walk, Fault>,
    ) -> Result<(), Fault> {
        // A number for each: what `each` does may walk, too.
        let name = self.link.next_number();
        let open = format!("DECLARE walk_{name} NO SCROLL CURSOR FOR {sql}");
        let values = values.into_values();
        let statement = self.link.wait_for(self.link.client.prepare(&open))?;
        Statement {
            connection: self,
            statement,
        }
        .execute(values)?;
        let fetch = format!("FETCH {AT_ONCE} FROM walk_{name}");
        let walked = loop {
            let statement = self.link.wait_for(self.link.client.prepare(&fetch))?;
            let mut rows = Statement {
                connection: self,
                statement,
            }
            .query(())?;
            let mut count: usize = 0;
            let mut end = None;
            while let Some(row) = rows.next()? {
                count = count.saturating_add(1);
                match each(row) {
                    Ok(Walk::On) => {}
                    Ok(Walk::Enough) => end = Some(Ok(())),
                    Err(fault) => end = Some(Err(fault)),
                }
                if end.is_some() {
                    break;
                }
            }
            match end {
                Some(end) => break end,
                None if count < AT_ONCE => break Ok(()),
                None => {}
            }
        };
        match walked {
            // Of a transaction that failed, nothing is left.
            Err(fault) if fault.is_postgres() => Err(fault),
            walked => {
                self.run(&format!("CLOSE walk_{name}"))?;
                walked
            }
        }
    }
}

/// Whether a walk along rows goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Walk {
    /// The next row is wanted.
    On,
    /// No more rows are.
    Enough,
}

/// A statement that was prepared.
pub(crate) struct Statement<'c> {
    connection: &'c Connection,
    statement: tokio_postgres::Statement,
}

impl Statement<'_> {
    /// All rows that it finds.
    pub(crate) fn query(&self, values: impl Params) -> Result<Rows, Fault> {
        let values = values.into_values();
        let values: Vec<_> = values.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
        let link = &self.connection.link;
        let rows = link.wait_for(link.client.query(&self.statement, &values))?;
        Ok(Rows {
            rows: rows.into_iter().map(Row).collect(),
            next: 0,
        })
    }

    /// How many rows it changed.
    pub(crate) fn execute(&self, values: impl Params) -> Result<usize, Fault> {
        let values = values.into_values();
        let values: Vec<_> = values.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
        let link = &self.connection.link;
        let changed = link.wait_for(link.client.execute(&self.statement, &values))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// The number of the row that it adds and returns. Where it adds none, `what` is there
    /// already: the transaction goes on all the same.
    pub(crate) fn insert(&self, values: impl Params, what: &str) -> Result<i64, Fault> {
        match self.query(values)?.next()? {
            Some(row) => row.get(0),
            None => Err(taken(what)),
        }
    }

    /// The same of a row without a number.
    pub(crate) fn insert_once(&self, values: impl Params, what: &str) -> Result<(), Fault> {
        match self.execute(values)? {
            0 => Err(taken(what)),
            _ => Ok(()),
        }
    }

    /// Whether it finds a row.
    pub(crate) fn exists(&self, values: impl Params) -> Result<bool, Fault> {
        Ok(self.query(values)?.next()?.is_some())
    }

    /// What `read` reads of the first row.
    pub(crate) fn query_row<T>(
        &self,
        values: impl Params,
        read: impl FnOnce(&Row) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self.query(values)?.next()? {
            Some(row) => read(row),
            None => Err(Fault::Content("a row that is always there".into())),
        }
    }
}

/// Rows that were found.
pub(crate) struct Rows {
    rows: Vec<Row>,
    next: usize,
}

impl Rows {
    /// All of them.
    pub(crate) fn all(&self) -> &[Row] {
        &self.rows
    }

    /// The next of them.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it reads as it does where rows are fetched one by one"
    )]
    pub(crate) fn next(&mut self) -> Result<Option<&Row>, Fault> {
        let row = self.rows.get(self.next);
        self.next = self.next.saturating_add(1);
        Ok(row)
    }
}

/// Numbers, to be bound as a text that is read as an array.
pub(crate) fn array_of(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

fn taken(what: &str) -> Fault {
    Fault::Taken(format!("{what} must be unique"))
}

/// So many rows of a walk are fetched at a time.
const AT_ONCE: usize = 500;

/// So many statements stay prepared.
const STATEMENTS: usize = 256;
