//! The change log.

use countersign_core::ban::BanId;
use countersign_core::change::{Change, ChangeLogEnds, ChangeSeq, KickRequestId};
use countersign_core::credential::CredentialId;
use countersign_core::issuer::IssuerId;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::store::StoreError;
use countersign_core::store::rows::ChangeRows;
use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, params};
use crate::transaction::{COMMIT, PostgresTransaction};

impl ChangeRows for PostgresTransaction<'_> {
    fn last_change(&mut self) -> Result<ChangeSeq, StoreError> {
        self.run(COMMIT, last)
    }

    fn last_change_at(&mut self) -> Result<Timestamp, StoreError> {
        self.run(COMMIT, last_instant)
    }

    fn append_change(&mut self, at: Timestamp, change: &Change) -> Result<(), StoreError> {
        self.run(COMMIT, |connection| append(connection, at, change))
    }

    fn cut_changes(
        &mut self,
        most: usize,
        is_old: &mut dyn FnMut(ChangeSeq, Timestamp) -> bool,
    ) -> Result<usize, StoreError> {
        self.run("cut the change log", |connection| {
            cut(connection, most, is_old)
        })
    }
}

/// Adds one entry to the log.
pub(crate) fn append(connection: &Connection, at: Timestamp, change: &Change) -> Result<(), Fault> {
    let (kind, number, tenant, group) = match change {
        Change::Ban(id) => ("ban", Some(id.0), None, None),
        Change::Credential(id) => ("credential", Some(id.0), None, None),
        Change::Everything => ("everything", None, None, None),
        Change::Group(id, group) => ("group", None, Some(id.as_str()), Some(group.as_str())),
        Change::IssuerKeys(id) => ("issuer-keys", Some(id.0), None, None),
        Change::KickRequested(id) => ("kick", Some(id.0), None, None),
        Change::Tenant(id) => ("tenant", None, Some(id.as_str()), None),
    };
    connection
        .prepare(
            "WITH next AS (
                 UPDATE log_end SET last = last + 1 WHERE log = 'change' RETURNING last)
             INSERT INTO change (seq, at, kind, number, tenant, group_path)
             SELECT last, $1::bigint, $2::text, $3::bigint, $4::text, $5::text FROM next",
        )?
        .execute(params![at.as_millis(), kind, number, tenant, group])?;
    Ok(())
}

/// The last entry of the log.
pub(crate) fn last(connection: &Connection) -> Result<ChangeSeq, Fault> {
    let statement = connection.prepare("SELECT coalesce(max(seq), 0) FROM change")?;
    Ok(ChangeSeq(statement.query_row((), |row| row.get(0))?))
}

/// When the last entry was made.
fn last_instant(connection: &Connection) -> Result<Timestamp, Fault> {
    let statement = connection
        .prepare("SELECT coalesce((SELECT at FROM change ORDER BY seq DESC LIMIT 1), 0)")?;
    Ok(Timestamp::from_millis(
        statement.query_row((), |row| row.get(0))?,
    ))
}

/// Up to `limit` entries after `seq`; see
/// [`GateStore::changes_after`](countersign_core::store::GateStore::changes_after).
pub(crate) fn after(
    connection: &Connection,
    seq: ChangeSeq,
    limit: usize,
) -> Result<Vec<(ChangeSeq, Change)>, Fault> {
    let statement = connection.prepare(
        "SELECT coalesce((SELECT min(seq) FROM change), 0),
             coalesce((SELECT max(seq) FROM change), 0)",
    )?;
    let ends = statement.query_row((), |row| {
        Ok(ChangeLogEnds {
            first: ChangeSeq(row.get(0)?),
            last: ChangeSeq(row.get(1)?),
        })
    })?;
    ends.after(seq, limit, |most| {
        let statement = connection.prepare(
            "SELECT seq, kind, number, tenant, group_path FROM change
             WHERE seq > $1 ORDER BY seq LIMIT $2",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![seq.0, most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let columns = &mut RowReader::of(row);
            let seq = ChangeSeq(columns.number()?);
            // What an entry that can't be read told of may be anything.
            found.push((seq, read(columns).unwrap_or(Change::Everything)));
        }
        Ok(found)
    })
}

/// Cuts off up to `most` of the oldest entries, as long as they are old; returns
/// how many they were.
fn cut(
    connection: &Connection,
    most: usize,
    is_old: &mut dyn FnMut(ChangeSeq, Timestamp) -> bool,
) -> Result<usize, Fault> {
    let statement = connection.prepare("SELECT seq, at FROM change ORDER BY seq LIMIT $1")?;
    let mut rows = statement.query([most])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        let seq = ChangeSeq(columns.number()?);
        if !is_old(seq, columns.instant()?) {
            break;
        }
        last = Some(seq.0);
    }
    drop(rows);
    let statement = connection.prepare("DELETE FROM change WHERE seq <= $1")?;
    match last {
        Some(last) => Ok(statement.execute([last])?),
        None => Ok(0),
    }
}

fn read(columns: &mut RowReader<'_>) -> Result<Change, Fault> {
    Ok(match columns.text()? {
        "ban" => Change::Ban(BanId(columns.number()?)),
        "credential" => Change::Credential(CredentialId(columns.number()?)),
        "everything" => Change::Everything,
        "group" => {
            columns.maybe_number()?;
            let tenant = columns.parsed(TenantId::parse)?;
            Change::Group(tenant, columns.parsed(GroupPath::parse)?)
        }
        "issuer-keys" => Change::IssuerKeys(IssuerId(columns.number()?)),
        "kick" => Change::KickRequested(KickRequestId(columns.number()?)),
        "tenant" => {
            columns.maybe_number()?;
            Change::Tenant(columns.parsed(TenantId::parse)?)
        }
        _ => return Err(columns.nonsense()),
    })
}
