//! Turns errors of SQLite into store errors.

use std::io;
use std::path::Path;

use countersign_core::store::{StoreError, StoreErrorKind};
use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::file::directory_of;

/// Why something failed, before it is known what was tried on which file.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A stored value makes no sense. Names the place, not the value.
    Content(String),
    /// What was to be changed is not there.
    Gone(&'static str),
    /// A part of the store's files was lost meanwhile; says which.
    Lost(&'static str),
    /// SQLite could not do it.
    Sqlite(rusqlite::Error),
    /// What was to be added is there already; says what.
    Taken(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Fault {
    /// Says whether it is about one record alone, so that others may be read.
    pub(crate) fn is_of_one_record(&self) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(cause, _)) => {
                cause.code == ErrorCode::DatabaseCorrupt
            }
            Self::Content(_) | Self::Sqlite(_) | Self::Gone(_) | Self::Lost(_) | Self::Taken(_) => {
                self.wrong_value().is_some()
            }
        }
    }

    /// Says whether pages of the store made no sense.
    pub(crate) fn is_of_pages(&self) -> bool {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(cause, _)) = self else {
            return false;
        };
        matches!(
            cause.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
        )
    }

    /// What is wrong with a value that was read, if that is why. Names the place, not
    /// the value.
    pub(crate) fn wrong_value(&self) -> Option<String> {
        let what = match self {
            Self::Content(place) => format!("{place} makes no sense"),
            Self::Sqlite(
                rusqlite::Error::FromSqlConversionFailure(column, ..)
                | rusqlite::Error::IntegralValueOutOfRange(column, _)
                | rusqlite::Error::InvalidColumnType(column, ..),
            ) => format!("column {column} makes no sense"),
            Self::Sqlite(rusqlite::Error::Utf8Error(..)) => "a text is no UTF-8".into(),
            Self::Sqlite(_) | Self::Gone(_) | Self::Lost(_) | Self::Taken(_) => return None,
        };
        Some(what)
    }

    /// The error of `action` on the store at `path`.
    pub(crate) fn while_trying(self, action: &'static str, path: &Path) -> StoreError {
        let wrong = self.wrong_value().map(|what| damaged(action, path, &what));
        match self {
            Self::Content(place) => wrong.unwrap_or_else(|| damaged(action, path, &place)),
            Self::Gone(what) => StoreError::gone(action, what),
            Self::Lost(what) => lost(action, path, what),
            Self::Sqlite(error) => match wrong {
                Some(damaged) => damaged.with_source(error),
                None => of_sqlite(error, action, path),
            },
            Self::Taken(what) => {
                StoreError::new(action, StoreErrorKind::Conflict).with_detail(what)
            }
        }
    }
}

/// Refuses to have changed nothing.
pub(crate) fn found(rows: usize, what: &'static str) -> Result<(), Fault> {
    if rows == 0 {
        Err(Fault::Gone(what))
    } else {
        Ok(())
    }
}

/// An error of kind `Damaged`, with the way out.
pub(crate) fn damaged(action: &'static str, path: &Path, what: &str) -> StoreError {
    let detail = format!("`{}`: {what}; restore a backup", path.display());
    StoreError::new(action, StoreErrorKind::Damaged).with_detail(detail)
}

/// The error for a store whose file is not the one that was opened.
pub(crate) fn moved(action: &'static str, path: &Path) -> StoreError {
    lost(action, path, "was moved or replaced while in use")
}

/// The error for a store whose files are not what they were.
pub(crate) fn lost(action: &'static str, path: &Path, what: &str) -> StoreError {
    StoreError::new(action, StoreErrorKind::Unavailable).with_detail(format!(
        "`{}` {what}; once a store is there again, it is used without a restart",
        path.display()
    ))
}

/// The error for a file operation on `path` that failed.
pub(crate) fn of_io(error: io::Error, action: &'static str, path: &Path) -> StoreError {
    let shown = path.display();
    let (kind, detail) = match error.kind() {
        io::ErrorKind::AlreadyExists => (
            StoreErrorKind::Conflict,
            format!("`{shown}` exists; move it away or name another file"),
        ),
        io::ErrorKind::NotFound => (
            StoreErrorKind::Unavailable,
            format!("`{shown}`: its directory does not exist"),
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (StoreErrorKind::ReadOnly, must_be_writable(path))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (StoreErrorKind::Full, free_some_space(path))
        }
        io::ErrorKind::Other | _ => (StoreErrorKind::Unavailable, format!("`{shown}`")),
    };
    StoreError::new(action, kind)
        .with_detail(detail)
        .with_source(error)
}

fn of_sqlite(error: rusqlite::Error, action: &'static str, path: &Path) -> StoreError {
    let explained = match &error {
        rusqlite::Error::SqliteFailure(cause, text) => {
            of_code(*cause, text.as_deref(), action, path)
        }
        rusqlite::Error::InvalidQuery | _ => StoreError::new(action, StoreErrorKind::Unavailable)
            .with_detail(format!("`{}`", path.display())),
    };
    explained.with_source(error)
}

fn of_code(cause: ffi::Error, text: Option<&str>, action: &'static str, path: &Path) -> StoreError {
    let shown = path.display();
    let (kind, detail) = match cause.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            StoreErrorKind::Busy,
            format!("`{shown}` stayed locked; try again"),
        ),
        ErrorCode::DiskFull => (StoreErrorKind::Full, free_some_space(path)),
        ErrorCode::ReadOnly if cause.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
            return moved(action, path);
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            (StoreErrorKind::ReadOnly, must_be_writable(path))
        }
        ErrorCode::NotADatabase => return damaged(action, path, "it is no database"),
        ErrorCode::DatabaseCorrupt => {
            return damaged(action, path, "its pages make no sense").about_pages();
        }
        ErrorCode::CannotOpen if !path.exists() => (StoreErrorKind::Missing, make_one(path)),
        ErrorCode::CannotOpen => (
            StoreErrorKind::Unavailable,
            format!(
                "{} (SQLite keeps `-wal` and `-shm` beside it)",
                must_be_writable(path)
            ),
        ),
        ErrorCode::ConstraintViolation => match cause.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                (StoreErrorKind::Conflict, taken(text))
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => (
                StoreErrorKind::Unavailable,
                "what it belongs to is not there any more; look again".into(),
            ),
            _ => return damaged(action, path, "a value has a shape that none may have"),
        },
        ErrorCode::SystemIoFailure => (
            StoreErrorKind::Unavailable,
            format!("the disk under `{shown}` failed; see the system's log"),
        ),
        ErrorCode::Unknown | _ => (StoreErrorKind::Unavailable, format!("`{shown}`")),
    };
    StoreError::new(action, kind).with_detail(detail)
}

/// What has to be unique, out of SQLite's `UNIQUE constraint failed: t.c`.
fn taken(text: Option<&str>) -> String {
    match text.and_then(|text| text.rsplit_once(": ")) {
        Some((_, column)) => format!("`{column}` must be unique"),
        None => "it must be unique".into(),
    }
}

/// The way out when there is no store.
pub(crate) fn make_one(path: &Path) -> String {
    format!(
        "`{}` does not exist; `countersign init` makes one",
        path.display()
    )
}

/// Whoever looks at owners and modes finds them right where the file system
/// itself lets no process write.
fn must_be_writable(path: &Path) -> String {
    let directory = directory_of(path);
    let is_read_only =
        statvfs(directory).is_ok_and(|facts| facts.flags().contains(FsFlags::ST_RDONLY));
    if is_read_only {
        return format!(
            "`{}` lies on a read-only file system; mount it so that it can be written, or, under \
             systemd, allow it with `ReadWritePaths={}`",
            path.display(),
            directory.display()
        );
    }
    format!(
        "`{}` and its directory must be writable by this user",
        path.display()
    )
}

fn free_some_space(path: &Path) -> String {
    format!(
        "`{}`: free some space on its disk and try again",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(code: i32) -> StoreErrorKind {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        Fault::from(error)
            .while_trying("look", Path::new("/"))
            .kind()
    }

    #[test]
    fn each_code_of_sqlite_becomes_the_kind_that_names_its_remedy() {
        for (code, kind) in [
            (ffi::SQLITE_BUSY, StoreErrorKind::Busy),
            (ffi::SQLITE_BUSY_RECOVERY, StoreErrorKind::Busy),
            (ffi::SQLITE_LOCKED, StoreErrorKind::Busy),
            (ffi::SQLITE_FULL, StoreErrorKind::Full),
            (ffi::SQLITE_READONLY, StoreErrorKind::ReadOnly),
            (ffi::SQLITE_READONLY_DBMOVED, StoreErrorKind::Unavailable),
            (ffi::SQLITE_PERM, StoreErrorKind::ReadOnly),
            (ffi::SQLITE_NOTADB, StoreErrorKind::Damaged),
            (ffi::SQLITE_CORRUPT, StoreErrorKind::Damaged),
            (ffi::SQLITE_CANTOPEN, StoreErrorKind::Unavailable),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, StoreErrorKind::Conflict),
            (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, StoreErrorKind::Conflict),
            (
                ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
                StoreErrorKind::Unavailable,
            ),
            (ffi::SQLITE_CONSTRAINT_CHECK, StoreErrorKind::Damaged),
            (ffi::SQLITE_IOERR, StoreErrorKind::Unavailable),
            (ffi::SQLITE_NOMEM, StoreErrorKind::Unavailable),
        ] {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }

    /// Whether SQLite or our own reader finds it out.
    #[test]
    fn a_value_that_makes_no_sense_is_of_one_record_and_named_by_its_place() {
        use rusqlite::types::Type;
        for (fault, wrong) in [
            (
                Fault::Content("a stored `x`".into()),
                "a stored `x` makes no sense",
            ),
            (
                rusqlite::Error::IntegralValueOutOfRange(1, 4_611_686).into(),
                "column 1 makes no sense",
            ),
            (
                rusqlite::Error::InvalidColumnType(0, "x".into(), Type::Null).into(),
                "column 0 makes no sense",
            ),
        ] {
            assert!(fault.is_of_one_record(), "{wrong}");
            assert_eq!(fault.wrong_value().as_deref(), Some(wrong));
            let error = fault.while_trying("look", Path::new("/x.db"));
            assert_eq!(error.kind(), StoreErrorKind::Damaged);
            assert!(error.to_string().contains(wrong), "{error}");
        }
        let busy = ffi::Error::new(ffi::SQLITE_BUSY);
        let busy = Fault::from(rusqlite::Error::SqliteFailure(busy, None));
        assert!(!busy.is_of_one_record());
        assert_eq!(busy.wrong_value(), None);
    }

    #[test]
    fn an_error_names_the_file_and_the_way_out() {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), None);
        let error = Fault::from(error).while_trying("open the store", Path::new("/none/x.db"));
        assert_eq!(error.kind(), StoreErrorKind::Missing);
        assert_eq!(
            error.to_string(),
            "could not open the store: there is no store: `/none/x.db` does not exist; \
             `countersign init` makes one"
        );
    }
}
