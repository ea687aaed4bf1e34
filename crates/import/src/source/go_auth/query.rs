//! Queries that may read and nothing else, for some time each.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_core::given::one_line;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};

/// Opens a database for reading, in defensive mode.
pub(super) fn open(path: &Path, timer: &Timer) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.authorizer(Some(|context: AuthContext<'_>| {
        let reads = matches!(
            context.action,
            AuthAction::Function { .. }
                | AuthAction::Read { .. }
                | AuthAction::Recursive
                | AuthAction::Select
        );
        if reads {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }))?;
    let timer = timer.clone();
    connection.progress_handler(BETWEEN_LOOKS, Some(move || timer.is_over()))?;
    Ok(connection)
}

/// Says when a query has taken too long, or all have given too much.
#[derive(Clone)]
pub(super) struct Timer {
    begun: Instant,
    limit: Duration,
    /// When the query has to be done, in milliseconds since.
    ends: Arc<AtomicU64>,
    /// So many bytes of text all queries may still give.
    left: Arc<AtomicU64>,
}

impl Timer {
    pub(super) fn start(limit: Duration) -> Self {
        let begun = Instant::now();
        let timer = Self {
            begun,
            limit,
            ends: Arc::default(),
            left: Arc::new(AtomicU64::new(MOST_BYTES)),
        };
        timer.restart();
        timer
    }

    /// Gives the next query all of its time.
    fn restart(&self) {
        let ends = self.passed().saturating_add(in_milliseconds(self.limit));
        self.ends.store(ends, Ordering::Relaxed);
    }

    /// Takes note of a text that was given; says whether it is not too much.
    fn takes(&self, text: &str) -> bool {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let left = self.left.load(Ordering::Relaxed).checked_sub(length);
        self.left.store(left.unwrap_or_default(), Ordering::Relaxed);
        left.is_some()
    }

    fn is_over(&self) -> bool {
        self.passed() >= self.ends.load(Ordering::Relaxed)
    }

    fn passed(&self) -> u64 {
        in_milliseconds(self.begun.elapsed())
    }

    /// Why something failed: SQLite's own words, which name tables and columns
    /// and no values.
    pub(super) fn reason(&self, error: &rusqlite::Error) -> String {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                format!("takes longer than {:?}", self.limit)
            }
            Some(ErrorCode::AuthorizationForStatementDenied) => "may read and nothing else".into(),
            _ => format!("failed: {}", one_line(&error.to_string())),
        }
    }
}

/// What a query is asked with.
pub(super) enum Parameter<'a> {
    Number(i64),
    Text(&'a str),
}

/// What a query answers.
pub(super) enum Value {
    Null,
    Number(i64),
    Other,
    Text(Box<str>),
}

impl Value {
    pub(super) fn text(self) -> Result<Box<str>, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Number(number) => Ok(number.to_string().into()),
            Self::Null | Self::Other => Err("gives a value that is not a text".into()),
        }
    }

    pub(super) fn optional_text(self) -> Result<Option<Box<str>>, String> {
        match self {
            Self::Null => Ok(None),
            Self::Number(_) | Self::Other | Self::Text(_) => self.text().map(Some),
        }
    }

    pub(super) fn count(self) -> Result<i64, String> {
        match self {
            Self::Null => Ok(0),
            Self::Number(number) => Ok(number),
            Self::Other | Self::Text(_) => Err("gives a value that is not an integer".into()),
        }
    }
}

/// Runs a query and takes its first rows, so many at most; where `too_many` is
/// not empty, a further row is an error with these words.
pub(super) fn run(
    timer: &Timer,
    statement: &mut Statement<'_>,
    parameters: &[Parameter<'_>],
    most: usize,
    too_many: &'static str,
) -> Result<Vec<Value>, String> {
    let mut is_too_long = false;
    let mut run = || -> rusqlite::Result<Option<Vec<Value>>> {
        timer.restart();
        // A query may leave the later ones out.
        let wanted = statement.parameter_count();
        for (index, parameter) in (1..=wanted).zip(parameters) {
            match parameter {
                Parameter::Number(number) => statement.raw_bind_parameter(index, number)?,
                Parameter::Text(text) => statement.raw_bind_parameter(index, text)?,
            }
        }
        let mut rows = statement.raw_query();
        let mut values = Vec::new();
        while let Some(row) = rows.next()? {
            if values.len() >= most {
                return Ok(too_many.is_empty().then_some(values));
            }
            values.push(match row.get_ref(0)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Number(number),
                ValueRef::Text(text) => match core::str::from_utf8(text) {
                    Ok(text) if !timer.takes(text) => {
                        is_too_long = true;
                        return Ok(None);
                    }
                    Ok(text) if !text.contains('\0') => Value::Text(text.into()),
                    _ => Value::Other,
                },
                ValueRef::Blob(_) | ValueRef::Real(_) => Value::Other,
            });
        }
        Ok(Some(values))
    };
    match run() {
        Ok(Some(values)) => Ok(values),
        Ok(None) if is_too_long => Err(TOO_LONG.into()),
        Ok(None) => Err(format!("gives too much: {too_many}")),
        Err(error) => Err(timer.reason(&error)),
    }
}

fn in_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// In instructions of SQLite's machine.
const BETWEEN_LOOKS: i32 = 10_000;
/// So many bytes of text all queries of a database may give, as a file may hold.
const MOST_BYTES: u64 = 256 * 1_024 * 1_024;
const TOO_LONG: &str = "gives, with the queries before it, more than 256 MiB";
/// In bytes.
const LONGEST_VALUE: i32 = 1 << 20;
