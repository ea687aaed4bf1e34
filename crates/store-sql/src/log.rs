//! The log of what followers are told.

use countersign_core::store::Cell;
use countersign_core::time::Timestamp;

use crate::columns::Columns;
use crate::reader::SqlReader;

/// The number and the stamp of the last change that followers are told of; zeros where there
/// is none.
///
/// # Errors
///
/// Returns the store's fault when it can't be read.
pub fn last_object_change<R: SqlReader>(reader: &R) -> Result<(i64, i64), R::Fault> {
    let sql = "SELECT seq, stamp FROM object_change ORDER BY seq DESC LIMIT 1";
    let mut rows = reader.rows(sql, &[])?.into_iter();
    Ok(match rows.next().map(Columns::of) {
        Some(mut row) => (row.number::<R>()?, row.number::<R>()?),
        None => (0, 0),
    })
}

/// The number of the first change that followers are still told of; 0 where there is none.
///
/// # Errors
///
/// Returns the store's fault when it can't be read.
pub fn first_object_change<R: SqlReader>(reader: &R) -> Result<i64, R::Fault> {
    let sql = "SELECT seq FROM object_change ORDER BY seq LIMIT 1";
    let mut rows = reader.rows(sql, &[])?.into_iter();
    let first = rows.next().map(|row| Columns::of(row).number::<R>());
    Ok(first.transpose()?.unwrap_or(0))
}

/// The number of the last of up to `most` oldest changes that were made before `before`, all
/// before it, too; none where there is no such one. The last change of all is never one.
///
/// # Errors
///
/// Returns the store's fault when it can't be read.
pub fn last_to_cut<R: SqlReader>(
    reader: &R,
    before: Timestamp,
    most: usize,
) -> Result<Option<i64>, R::Fault> {
    let (end, _) = last_object_change(reader)?;
    let most = Cell::Integer(i64::try_from(most).unwrap_or(i64::MAX));
    let sql = "SELECT seq, at FROM object_change ORDER BY seq LIMIT ?1";
    let mut last = None;
    for mut row in reader.rows(sql, &[most])?.into_iter().map(Columns::of) {
        let (seq, at) = (row.number::<R>()?, row.number::<R>()?);
        if at >= before.as_millis() || seq >= end {
            break;
        }
        last = Some(seq);
    }
    Ok(last)
}
