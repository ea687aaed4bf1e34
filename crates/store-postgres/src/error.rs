//! Turns errors of PostgreSQL into store errors.
//!
//! What PostgreSQL says about an error may hold values of rows. So its words go nowhere:
//! an error tells its code, and what is to be done about it.

use core::error::Error;

use countersign_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::{DbError, SqlState};

use crate::place::Place;

/// Why something failed, before it is known what was tried on which store.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What the address names is not there any more, or is of no use; says what.
    Address(String),
    /// A stored value makes no sense. Names the place, not the value.
    Content(String),
    /// What was to be changed is not there.
    Gone(&'static str),
    /// The connection is lost, or PostgreSQL did not answer in time.
    Lost,
    /// PostgreSQL could not do it.
    Postgres(tokio_postgres::Error),
    /// What was to be added is there already; says what.
    Taken(String),
    /// The server is of this version.
    TooOld(String),
}

impl Fault {
    /// Says whether it is about one record alone, so that others may be read.
    pub(crate) fn is_of_one_record(&self) -> bool {
        matches!(self, Self::Content(_))
    }

    /// Says whether the running transaction can do nothing more.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Lost | Self::Postgres(_))
    }

    /// The error of `action` on this store.
    pub(crate) fn while_trying(self, action: &'static str, place: &Place) -> StoreError {
        let error = |kind, detail: String| StoreError::new(action, kind).with_detail(detail);
        match self {
            Self::Address(wrong) => error(StoreErrorKind::Unavailable, format!("{place}: {wrong}")),
            Self::Content(what) => error(
                StoreErrorKind::Damaged,
                format!("{place}: {what} makes no sense; restore a backup"),
            ),
            Self::Gone(what) => StoreError::gone(action, what),
            Self::Lost => error(
                StoreErrorKind::Unavailable,
                format!("{place} does not answer; once it does, it is used without a restart"),
            ),
            Self::Postgres(cause) => match cause.as_db_error() {
                Some(cause) => of_code(cause, action, place),
                None => error(StoreErrorKind::Unavailable, of_client(&cause, place)),
            },
            Self::Taken(what) => error(StoreErrorKind::Conflict, what),
            Self::TooOld(version) => error(
                StoreErrorKind::Unavailable,
                format!("{place} is of PostgreSQL {version}; this needs 14 or newer"),
            ),
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

/// The error where the connection is lost before PostgreSQL said whether it committed.
pub(crate) fn unknown(action: &'static str, place: &Place) -> StoreError {
    StoreError::new(action, StoreErrorKind::Unavailable).with_detail(format!(
        "{place} did not say whether it was done, so that it may be; look before you do it again"
    ))
}

/// Says whether PostgreSQL ends the connection with this error.
pub(crate) fn ends_connection(cause: &DbError) -> bool {
    let code = cause.code();
    code.code().starts_with("08")
        || *code == SqlState::ADMIN_SHUTDOWN
        || *code == SqlState::CRASH_SHUTDOWN
        || *code == SqlState::CANNOT_CONNECT_NOW
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}

/// What the client library says of a connection that it could not make: neither values nor
/// secrets, as nothing of the store was read.
fn of_client(cause: &tokio_postgres::Error, place: &Place) -> String {
    let mut said = cause.to_string();
    let mut next = cause.source();
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    if said.contains(NO_PASSWORD) {
        return format!("{place} asks for a password; {PASSWORDS}");
    }
    format!("{place}: {said}")
}

fn of_code(cause: &DbError, action: &'static str, place: &Place) -> StoreError {
    let code = cause.code();
    let is = |one: &SqlState| code == one;
    let (kind, detail) = if is(&SqlState::UNIQUE_VIOLATION) {
        let what = cause.constraint().unwrap_or("it");
        (StoreErrorKind::Conflict, format!("`{what}` must be unique"))
    } else if is(&SqlState::FOREIGN_KEY_VIOLATION) {
        let detail = "what it belongs to is not there any more; look again";
        (StoreErrorKind::Unavailable, detail.into())
    } else if is(&SqlState::LOCK_NOT_AVAILABLE)
        || is(&SqlState::T_R_DEADLOCK_DETECTED)
        || is(&SqlState::T_R_SERIALIZATION_FAILURE)
    {
        let detail = format!("{place} stayed locked; try again");
        (StoreErrorKind::Busy, detail)
    } else if is(&SqlState::QUERY_CANCELED) {
        let detail = format!("{place} took too long; try again");
        (StoreErrorKind::Busy, detail)
    } else if is(&SqlState::DISK_FULL) {
        let detail = format!("{place}: free some space on its disk and try again");
        (StoreErrorKind::Full, detail)
    } else if is(&SqlState::READ_ONLY_SQL_TRANSACTION) {
        let detail = format!("{place} takes no changes; name the server that does");
        (StoreErrorKind::ReadOnly, detail)
    } else if is(&SqlState::INSUFFICIENT_PRIVILEGE) {
        let detail = format!("{place}: this user may not; who made the store may");
        (StoreErrorKind::ReadOnly, detail)
    } else if is(&SqlState::CHECK_VIOLATION) || is(&SqlState::NOT_NULL_VIOLATION) {
        let detail = format!("{place}: a value has a shape that none may have");
        (StoreErrorKind::Damaged, detail)
    } else if is(&SqlState::INVALID_PASSWORD) || is(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
    {
        let detail =
            format!("{place} does not let this user in; look at its pg_hba.conf, and {PASSWORDS}");
        (StoreErrorKind::Unavailable, detail)
    } else if is(&SqlState::INVALID_CATALOG_NAME) {
        let detail = format!("there is no {place}; createdb makes one");
        (StoreErrorKind::Missing, detail)
    } else {
        let detail = format!("{place}: PostgreSQL says {}", code.code());
        (StoreErrorKind::Unavailable, detail)
    };
    StoreError::new(action, kind).with_detail(detail)
}

/// As the library says that it was given none.
const NO_PASSWORD: &str = "password missing";
const PASSWORDS: &str = "see that a file which nobody else may read has the password, and that \
    PGPASSFILE names it";
