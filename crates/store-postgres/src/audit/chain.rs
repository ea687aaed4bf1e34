//! Where a chain of the audit begins and ends.

use countersign_core::audit::{AuditChain, AuditHash, AuditHead, AuditHeads};

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};

/// The ends of a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChainEnds {
    /// The last row that was cut off.
    pub(super) anchor: AuditHead,
    /// The last row.
    pub(super) head: AuditHead,
    /// How many rows there are.
    pub(super) rows: i64,
    /// How many refusals are still summed up.
    pub(super) staged: i64,
}

/// The ends of this chain.
pub(super) fn ends(connection: &Connection, chain: AuditChain) -> Result<ChainEnds, Fault> {
    let statement = connection.prepare(
        "SELECT anchor, anchor_hash, head, head_hash, rows, staged FROM audit_chain
         WHERE chain = $1",
    )?;
    let mut rows = statement.query([chain.number()])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("where a chain of the audit ends".into()));
    };
    let columns = &mut RowReader::of(row);
    Ok(ChainEnds {
        anchor: read_head(columns)?,
        head: read_head(columns)?,
        rows: columns.number()?,
        staged: columns.number()?,
    })
}

/// The heads of both chains.
pub(crate) fn heads(connection: &Connection) -> Result<AuditHeads, Fault> {
    Ok(AuditHeads {
        acts: ends(connection, AuditChain::Acts)?.head,
        refusals: ends(connection, AuditChain::Refusals)?.head,
    })
}

/// How many rows a chain has.
pub(crate) fn count(connection: &Connection, chain: AuditChain) -> Result<u64, Fault> {
    Ok(u64::try_from(ends(connection, chain)?.rows).unwrap_or(0))
}

/// The number of the next row, which none ever had.
pub(super) fn next_id(connection: &Connection) -> Result<i64, Fault> {
    let statement = connection.prepare("SELECT 1 + max(head) FROM audit_chain")?;
    statement.query_row((), |row| row.get(0))
}

/// Says that so many rows were appended, and which is the last.
pub(super) fn set_head(
    connection: &Connection,
    chain: AuditChain,
    head: AuditHead,
    rows: usize,
) -> Result<(), Fault> {
    connection
        .prepare(
            "UPDATE audit_chain SET head = $2, head_hash = $3, rows = rows + $4 WHERE chain = $1",
        )?
        .execute(params![chain.number(), head.id, head.hash.0, rows])?;
    Ok(())
}

/// Says that so many rows were cut off, and which was the last of them.
pub(super) fn set_anchor(
    connection: &Connection,
    chain: AuditChain,
    anchor: AuditHead,
    rows: usize,
) -> Result<(), Fault> {
    connection
        .prepare(
            "UPDATE audit_chain SET anchor = $2, anchor_hash = $3, rows = rows - $4
             WHERE chain = $1",
        )?
        .execute(params![chain.number(), anchor.id, anchor.hash.0, rows])?;
    Ok(())
}

/// Counts refusals that are summed up from now on or, below zero, no more.
pub(crate) fn count_staged(connection: &Connection, more: i64) -> Result<(), Fault> {
    if more != 0 {
        connection
            .prepare("UPDATE audit_chain SET staged = staged + $2 WHERE chain = $1")?
            .execute(params![AuditChain::Refusals.number(), more])?;
    }
    Ok(())
}

/// Reads a row's number and its hash.
pub(super) fn read_head(columns: &mut RowReader<'_>) -> Result<AuditHead, Fault> {
    Ok(AuditHead {
        id: columns.number()?,
        hash: AuditHash(columns.hash()?),
    })
}
