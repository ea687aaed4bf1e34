//! Connections to the file of a store, which another user may have written.

use std::io;
use std::path::{Path, PathBuf};

use countersign_core::store::{StoreError, StoreErrorKind};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::busy_timeout::busy_handler;
use crate::error::{Fault, damaged, lost, make_one, of_io};
use crate::file::{COMPANIONS, beside, directory_of};
use crate::schema::{self, FileHeader, MIGRATIONS};

/// Fails unless there is a store's file, with nothing but files beside it.
pub(crate) fn check_files(path: &Path, action: &'static str) -> Result<(), StoreError> {
    let file = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                StoreError::new(action, StoreErrorKind::Missing).with_detail(make_one(path))
            );
        }
        Err(error) => return Err(of_io(error, action, path)),
        Ok(file) => file,
    };
    if !file.is_file() {
        return Err(unusable(path, "is not a file", action));
    }
    // SQLite would keep its log beside the file that a link leads to, and brokers
    // their locks beside the link.
    if path.is_symlink() {
        let why = "is a symbolic link; name the file that it leads to";
        return Err(unusable(path, why, action));
    }
    // A link leads elsewhere, and a pipe keeps whoever opens it waiting.
    for suffix in COMPANIONS {
        if let Ok(companion) = beside(path, suffix).symlink_metadata()
            && !companion.is_file()
        {
            let why = format!("has a `{suffix}` beside it that is not a file; remove that");
            return Err(unusable(path, &why, action));
        }
    }
    Ok(())
}

pub(crate) fn unusable(path: &Path, why: &str, action: &'static str) -> StoreError {
    StoreError::new(action, StoreErrorKind::Unavailable)
        .with_detail(format!("`{}` {why}", path.display()))
}

/// Opens a store that is there and has the newest schema.
pub(crate) fn connect_to_newest(
    path: &Path,
    action: &'static str,
) -> Result<Connection, StoreError> {
    let explain = |fault: Fault| fault.while_trying(action, path);
    check_files(path, action)?;
    let connection = connect(path, OpenFlags::empty()).map_err(explain)?;
    let newest = schema::newest(MIGRATIONS);
    match schema::header(&connection).map_err(explain)? {
        FileHeader::Ours(version) if version == newest => {
            schema::check(&connection, version, MIGRATIONS).map_err(explain)?;
            if !connection
                .is_readonly(MAIN_DB)
                .map_err(|error| explain(error.into()))?
            {
                use_log(&connection).map_err(explain)?;
            }
            Ok(connection)
        }
        FileHeader::Ours(_) | FileHeader::Empty | FileHeader::Foreign => Err(lost(
            action,
            path,
            "was replaced by something else than a store of this version",
        )),
    }
}

/// Checks that nothing stands where SQLite would keep its log beside a new file.
pub(crate) fn check_no_left_overs(path: &Path, action: &'static str) -> Result<(), StoreError> {
    for companion in COMPANIONS.map(|suffix| beside(path, suffix)) {
        if companion.symlink_metadata().is_ok() {
            return Err(
                StoreError::new(action, StoreErrorKind::Conflict).with_detail(format!(
                    "`{}` is left over from another store; move it away",
                    companion.display()
                )),
            );
        }
    }
    Ok(())
}

/// Opens a file with all that holds for each connection.
pub(crate) fn connect(path: &Path, more: OpenFlags) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(busy_handler))?;
    harden(&connection)?;
    // Else a plan may depend on what is bound, and a statement that is kept is
    // planned again each time that something else is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(connection)
}

/// Leaves out what a store has no use for. Another user may have written the
/// file, and what SQLite can't do it can't be made to do.
fn harden(connection: &Connection) -> Result<(), Fault> {
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    ] {
        connection.set_db_config(setting, value)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, TRIGGER_DEPTH)?;
    Ok(())
}

/// Sees to it that the file is in WAL mode.
pub(crate) fn use_log(connection: &Connection) -> Result<(), Fault> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        Ok(())
    } else {
        Err(Fault::Content("the journal mode of the file".into()))
    }
}

/// The path as it stays right when the process changes its directory, with
/// the directory's own links resolved and the file's name as it was given.
pub(crate) fn absolute(path: &Path, action: &'static str) -> Result<PathBuf, StoreError> {
    let directory = directory_of(path)
        .canonicalize()
        .map_err(|error| of_io(error, action, path))?;
    match path.file_name() {
        Some(name) => Ok(directory.join(name)),
        None => Err(damaged(action, path, "it names no file")),
    }
}

/// Far above the largest row of an audit.
const LONGEST_VALUE: i32 = 64 * 1024 * 1024;

/// A trigger of ours changes what has no trigger; foreign keys count, too.
const TRIGGER_DEPTH: i32 = 16;

/// Above what all of the statements in this crate need.
const STATEMENTS: usize = 128;
