//! Walking along the audit: what was changed, cut or left out.

use countersign_core::audit::{
    AuditChain, AuditCheck, AuditEntry, AuditHash, AuditHead, ChainPosition,
};
use countersign_core::time::Timestamp;

use super::chain::{ChainEnds, ends};
use super::{entry_columns, read};
use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Row, Walk, params};

pub(super) fn verify(connection: &Connection, expected: &[AuditHead]) -> Result<AuditCheck, Fault> {
    let mut rows: u64 = 0;
    for chain in AuditChain::ALL {
        let found = walk(connection, chain)?;
        let AuditCheck::Intact { rows: more } = found else {
            return Ok(found);
        };
        rows = rows.saturating_add(more);
    }
    if let Some(found) = staged(connection)? {
        return Ok(found);
    }
    for head in expected {
        if let Some(found) = look_for(connection, *head)? {
            return Ok(found);
        }
    }
    Ok(AuditCheck::Intact { rows })
}

/// Walks along one chain.
fn walk(connection: &Connection, chain: AuditChain) -> Result<AuditCheck, Fault> {
    let ChainEnds { anchor, head, .. } = ends(connection, chain)?;
    let (mut last, mut hash) = (anchor.id, anchor.hash);
    let mut rows: u64 = 0;
    // Rows that tell of a pruning, by what they say is gone.
    let mut told: i64 = 0;
    let mut broken = None;
    connection.walk(WALK, [chain.number()], |row| {
        let id: i64 = row.get(ID)?;
        let Some(entry) = next(row, chain, &mut hash).filter(|_| id > last) else {
            let time = row.get(TIME).ok().map(Timestamp::from_millis);
            broken = Some(AuditCheck::Broken { row: id, time });
            return Ok(Walk::Enough);
        };
        if entry.act == PRUNE {
            let is_of_schema_3 = row.get::<i64>(FORMAT)? == OF_SCHEMA_3;
            told = told.max(if is_of_schema_3 {
                id
            } else {
                pruned_to(&entry)
            });
        }
        last = id;
        rows = rows.saturating_add(1);
        Ok(Walk::On)
    })?;
    if let Some(broken) = broken {
        return Ok(broken);
    }
    if last != head.id || hash != head.hash {
        let expected = head.id;
        return Ok(AuditCheck::CutOff { last, expected });
    }
    if chain == AuditChain::Acts && anchor.id > told {
        return Ok(AuditCheck::CutAtFront { last: anchor.id });
    }
    Ok(AuditCheck::Intact { rows })
}

/// The entry of a row that follows one with `hash`, which then becomes its own.
fn next(row: &Row, chain: AuditChain, hash: &mut AuditHash) -> Option<AuditEntry> {
    let columns = &mut RowReader::of(row);
    let entry = read(columns).ok()?;
    let id = columns.number().ok()?;
    let format = columns.number().ok()?;
    let stored = columns.hash().ok()?;
    let place = match format {
        OF_SCHEMA_3 => ChainPosition::OfSchema3,
        OF_NOW => ChainPosition::In { chain, id },
        _ => return None,
    };
    *hash = entry.chained(place, hash);
    (hash.0 == stored).then_some(entry)
}

/// The last row that a pruning removed, as the row says that tells of it.
fn pruned_to(entry: &AuditEntry) -> i64 {
    let after = entry.after.as_deref().unwrap_or_default();
    let last = after.split_once(PRUNED_TO).map(|(_, rest)| rest);
    let digits = last.and_then(|rest| rest.split_once(':'));
    digits.and_then(|(id, _)| id.parse().ok()).unwrap_or(0)
}

/// Whether refusals are missing that are still summed up.
fn staged(connection: &Connection) -> Result<Option<AuditCheck>, Fault> {
    let expected = ends(connection, AuditChain::Refusals)?.staged;
    let statement = connection.prepare("SELECT coalesce(sum(count), 0)::bigint FROM refusal")?;
    let found = statement.query_row((), |row| row.get(0))?;
    Ok((found != expected).then_some(AuditCheck::Staged { found, expected }))
}

/// What is wrong with the row of a head that was kept. The chain that it is in
/// was found intact.
fn look_for(connection: &Connection, head: AuditHead) -> Result<Option<AuditCheck>, Fault> {
    let AuditHead { id: row, hash } = head;
    if head == AuditHead::START {
        return Ok(None);
    }
    let mut last: i64 = 0;
    for chain in AuditChain::ALL {
        let ends = ends(connection, chain)?;
        last = last.max(ends.head.id);
        // It was cut off, and what follows is what followed it.
        if chain == AuditChain::Refusals && ends.anchor == head {
            return Ok(None);
        }
    }
    let statement = connection.prepare("SELECT hash, chain FROM audit WHERE id = $1")?;
    let mut rows = statement.query([row])?;
    let Some(found) = rows.next()? else {
        return Ok(Some(AuditCheck::Missing { row, last }));
    };
    let columns = &mut RowReader::of(found);
    if AuditHash(columns.hash()?) != hash {
        return Ok(Some(AuditCheck::Rewritten { row }));
    }
    if columns.number()? != i64::from(AuditChain::Acts.number()) {
        return Ok(None);
    }
    let statement = connection.prepare(
        "SELECT max(id) FROM audit WHERE chain = $1 AND id > $2 AND act = $3
             AND strpos(after, $4) > 0",
    )?;
    let told_by: Option<i64> = statement.query_row(
        params![AuditChain::Acts.number(), row, PRUNE, PRUNED_TO],
        |row| row.get(0),
    )?;
    Ok(told_by.map(|told_by| AuditCheck::PrunedSince { row, told_by }))
}

const WALK: &str = concat!(
    entry_columns!(),
    ", id, format, hash FROM audit WHERE chain = $1 ORDER BY id"
);

/// Columns of [`WALK`].
const TIME: usize = 0;
const ID: usize = 12;
const FORMAT: usize = 13;

const PRUNE: &str = "audit.prune";
/// How the row of a pruning says up to where it went.
const PRUNED_TO: &str = r#""last":""#;
const OF_SCHEMA_3: i64 = 1;
const OF_NOW: i64 = 2;
