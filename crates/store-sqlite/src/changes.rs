//! The change log.

use countersign_core::change::{Change, ChangeSeq, KickRequestId};
use countersign_core::credential::CredentialId;
use countersign_core::name::TenantId;
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::Fault;
use crate::row_reader::RowReader;

/// Adds one entry to the log.
pub(crate) fn append(connection: &Connection, at: Timestamp, change: &Change) -> Result<(), Fault> {
    let (kind, number, tenant) = match change {
        Change::Credential(id) => ("credential", Some(id.0), None),
        Change::Everything => ("everything", None, None),
        Change::KickRequested(id) => ("kick", Some(id.0), None),
        Change::Tenant(id) => ("tenant", None, Some(id.as_str())),
    };
    connection
        .prepare_cached("INSERT INTO change (at, kind, number, tenant) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at.as_millis(), kind, number, tenant])?;
    Ok(())
}

/// The last entry of the log.
pub(crate) fn last(connection: &Connection) -> Result<ChangeSeq, Fault> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM change")?;
    Ok(ChangeSeq(statement.query_row([], |row| row.get(0))?))
}

/// When the last entry was made.
pub(crate) fn last_instant(connection: &Connection) -> Result<Timestamp, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT coalesce((SELECT at FROM change ORDER BY seq DESC LIMIT 1), 0)")?;
    Ok(Timestamp::from_millis(
        statement.query_row([], |row| row.get(0))?,
    ))
}

/// Up to `limit` entries after `seq`; see
/// [`GateStore::changes_after`](countersign_core::store::GateStore::changes_after).
///
/// A follower that is ahead of the log follows another store than before, an
/// older backup say: all it knows may be wrong.
pub(crate) fn after(
    connection: &Connection,
    seq: ChangeSeq,
    limit: usize,
) -> Result<Vec<(ChangeSeq, Change)>, Fault> {
    let last = last(connection)?;
    if seq > last {
        return Ok(vec![(last, Change::Everything)]);
    }
    if seq == last || limit == 0 {
        return Ok(Vec::new());
    }
    let mut first = connection.prepare_cached("SELECT min(seq) FROM change")?;
    let first: i64 = first.query_row([], |row| row.get(0))?;
    let mut found = Vec::new();
    let before_first = first.saturating_sub(1);
    if seq.0 < before_first {
        found.push((ChangeSeq(before_first), Change::Everything));
    }
    let mut statement = connection.prepare_cached(
        "SELECT seq, kind, number, tenant FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let left = limit.saturating_sub(found.len());
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![seq.0, left])?;
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let seq = ChangeSeq(columns.number()?);
        // What an entry that can't be read told of may be anything.
        found.push((seq, read(columns).unwrap_or(Change::Everything)));
    }
    Ok(found)
}

fn read(columns: &mut RowReader<'_>) -> Result<Change, Fault> {
    Ok(match columns.text()? {
        "credential" => Change::Credential(CredentialId(columns.number()?)),
        "everything" => Change::Everything,
        "kick" => Change::KickRequested(KickRequestId(columns.number()?)),
        "tenant" => {
            columns.maybe_number()?;
            Change::Tenant(columns.parsed(TenantId::parse)?)
        }
        _ => return Err(columns.nonsense()),
    })
}
