//! Names with an `@` that imports kept as they are.

use countersign_core::name::LoginName;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};

/// Names that imports kept, by what stands behind their `@`; or those among them
/// that are spelled like one.
pub(crate) fn under(
    connection: &Connection,
    suffix: &str,
    like: Option<&LoginName>,
    most: usize,
) -> Result<Vec<LoginName>, Fault> {
    let statement = connection.prepare(NAMES_KEPT)?;
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
        "substring(name FROM '[^@]*$')"
    };
}

const NAMES_KEPT: &str = concat!(
    "SELECT name FROM credential
     WHERE kind = 'device' AND strpos(name, '@') > 0 AND ",
    suffix!(),
    " <> tenant AND lower(",
    suffix!(),
    ") = lower($1::text COLLATE \"C\")
         AND lower(name) BETWEEN lower($2::text COLLATE \"C\") AND lower($3::text COLLATE \"C\")
     ORDER BY lower(name) LIMIT $4"
);
