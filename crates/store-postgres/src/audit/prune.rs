//! Cutting off the oldest rows of a chain; what is left still verifies.

use countersign_core::audit::{AuditChain, AuditHead};
use countersign_core::time::Timestamp;

use super::chain::{ends, read_head, set_anchor};
use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Walk, params};

/// The last row of a chain before the first that is not older than `before`;
/// where the chain was cut, if there is none.
pub(super) fn last_before(
    connection: &Connection,
    chain: AuditChain,
    before: Timestamp,
) -> Result<AuditHead, Fault> {
    let mut last = ends(connection, chain)?.anchor;
    connection.walk(OLDEST, params![chain.number(), i64::MAX], |row| {
        let columns = &mut RowReader::of(row);
        let head = read_head(columns)?;
        if columns.instant()? >= before {
            return Ok(Walk::Enough);
        }
        last = head;
        Ok(Walk::On)
    })?;
    Ok(last)
}

/// Removes up to `most` of the oldest rows, as long as they are old, and moves
/// the anchor there; returns how many they were.
pub(super) fn cut(
    connection: &Connection,
    chain: AuditChain,
    most: usize,
    is_old: &mut dyn FnMut(i64, Timestamp) -> bool,
) -> Result<usize, Fault> {
    let statement = connection.prepare(OLDEST)?;
    let mut rows = statement.query(params![chain.number(), most])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let head = read_head(columns)?;
        if !is_old(head.id, columns.instant()?) {
            break;
        }
        last = Some(head);
    }
    let Some(last) = last else {
        return Ok(0);
    };
    let removed = connection
        .prepare("DELETE FROM audit WHERE chain = $1 AND id <= $2")?
        .execute(params![chain.number(), last.id])?;
    set_anchor(connection, chain, last, removed)?;
    Ok(removed)
}

const OLDEST: &str = "SELECT id, hash, time FROM audit WHERE chain = $1 ORDER BY id LIMIT $2";
