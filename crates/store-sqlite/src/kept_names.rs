//! Names with an `@` that imports kept as they are.

use countersign_core::name::LoginName;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::row_reader::RowReader;

/// Names that imports kept, by what stands behind their `@`; or those among them
/// that are spelled like one.
pub(crate) fn under(
    connection: &Connection,
    suffix: &str,
    like: Option<&LoginName>,
    most: usize,
) -> Result<Vec<LoginName>, Fault> {
    let mut statement = connection.prepare_cached(NAMES_KEPT)?;
    let (first, last) = like.map_or(("", "\u{10ffff}"), |it| (it.as_str(), it.as_str()));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![suffix, first, last, most])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(RowReader::of(row).parsed(LoginName::parse)?);
    }
    Ok(names)
}

/// What stands behind the last `@` of a name, as the index `credential_kept_name` is
/// written.
macro_rules! suffix {
    () => {
        "substr(name, length(rtrim(name, replace(name, '@', ''))) + 1)"
    };
}

const NAMES_KEPT: &str = concat!(
    "SELECT name FROM credential
     WHERE kind = 'device' AND instr(name, '@') > 0 AND ",
    suffix!(),
    " <> tenant AND lower(",
    suffix!(),
    ") = lower(?1) AND name COLLATE NOCASE BETWEEN ?2 AND ?3
     ORDER BY name COLLATE NOCASE LIMIT ?4"
);
