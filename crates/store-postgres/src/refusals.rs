//! Refused logins and denied uses of topics, as they are summed up.

use core::time::Duration;

use countersign_core::audit::{AuditEntry, AuditRow, RefusedAct};
use countersign_core::reason::Reason;
use countersign_core::store::rows::{RefusalRow, RefusalRows};
use countersign_core::store::{AuditQuery, StoreError};
use countersign_core::time::Timestamp;

use crate::sql::{Connection, params, storable};
use sha2::{Digest as _, Sha256};

use crate::audit::count_staged;
use crate::audit::part::{Part, admitted};
use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::transaction::PostgresTransaction;

impl RefusalRows for PostgresTransaction<'_> {
    fn add_to_refusal(&mut self, row: &RefusalRow<'_>) -> Result<bool, StoreError> {
        self.run("write refusals", |connection| {
            let updated = connection
                .prepare(
                    "UPDATE refusal SET count = least(count, $4) + $3, about = $5
                     WHERE minute = $1 AND key = $2",
                )?
                .execute(params![
                    row.minute.as_millis(),
                    key(row),
                    row.count,
                    // The sum of two whole numbers must stay one.
                    i64::MAX.saturating_sub(row.count.max(0)),
                    row.about,
                ])?;
            Ok(updated > 0)
        })
    }

    fn add_refusal(&mut self, row: &RefusalRow<'_>) -> Result<(), StoreError> {
        self.run("write refusals", |connection| {
            connection
                .prepare(
                    "INSERT INTO refusal
                         (minute, broker, subject, address, cause, client_id, count, about,
                          act, topic, key)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                )?
                .execute(params![
                    row.minute.as_millis(),
                    row.broker,
                    row.subject,
                    row.address,
                    row.cause.as_str(),
                    row.client_id,
                    row.count,
                    row.about,
                    row.act.as_str(),
                    row.topic,
                    key(row),
                ])?;
            Ok(())
        })
    }

    fn count_refused_client_ids(
        &mut self,
        row: &RefusalRow<'_>,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.run("write refusals", |connection| {
            let statement = connection.prepare(
                "SELECT count(*) FROM (SELECT 1 FROM refusal
                 WHERE minute = $1 AND broker = $2 AND subject = $3 AND address = $4 AND cause = $5
                     AND act = $7 AND topic = $8
                 LIMIT $6) AS found",
            )?;
            let values = params![
                row.minute.as_millis(),
                row.broker,
                row.subject,
                row.address,
                row.cause.as_str(),
                most,
                row.act.as_str(),
                row.topic,
            ];
            statement.query_row(values, |row| row.get(0))
        })
    }

    fn count_named_refusals(
        &mut self,
        minute: Timestamp,
        are_uses: bool,
    ) -> Result<usize, StoreError> {
        self.run("write refusals", |connection| {
            let statement = connection.prepare(
                "SELECT count(*) FROM refusal
                 WHERE minute = $1 AND NOT (subject = $2 AND address = '')
                     AND (act <> $3) = ($4::bigint <> 0)",
            )?;
            let values = params![
                minute.as_millis(),
                RefusalRow::ALL_OTHERS,
                RefusedAct::Login.as_str(),
                are_uses,
            ];
            statement.query_row(values, |row| row.get(0))
        })
    }

    fn count_staged_refusals(&mut self, more: i64) -> Result<(), StoreError> {
        self.run("count refusals", |connection| {
            count_staged(connection, more)
        })
    }

    fn staged_refusals(&mut self, most: usize) -> Result<Vec<AuditRow>, StoreError> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        self.run("read the sums of refusals", |connection| {
            let mut sums = staged(connection, &AuditQuery::default(), Part::Newest(most))?;
            sums.sort_by_cached_key(AuditRow::key);
            Ok(sums)
        })
    }

    fn take_refusals(
        &mut self,
        last: Timestamp,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.run("take refusals", |connection| take(connection, last, most))
    }
}

/// Stands for all that tells a row from others of its minute.
fn key(row: &RefusalRow<'_>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [
        row.broker,
        row.subject,
        row.address,
        row.cause.as_str(),
        row.client_id,
        row.topic,
        row.act.as_str(),
    ] {
        let part = storable(part);
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(&*part);
    }
    hasher.finalize().into()
}

/// Removes up to `most` sums of refusals of minutes that start no later than
/// `last`; returns what the audit says of them.
fn take(connection: &Connection, last: Timestamp, most: usize) -> Result<Vec<AuditEntry>, Fault> {
    let statement = connection.prepare(concat!(
        refusal_columns!(),
        " WHERE minute <= $1
         ORDER BY minute, broker, subject, address, cause, client_id, topic, act LIMIT $2"
    ))?;
    let mut rows = statement.query(params![last.as_millis(), most])?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next()? {
        let refusal = read_refusal(&mut RowReader::of(row))?;
        taken.push((refusal.entry(), key(&refusal)));
    }
    let remove = connection.prepare("DELETE FROM refusal WHERE minute = $1 AND key = $2")?;
    for (entry, key) in &taken {
        remove.execute(params![entry.time.as_millis(), key])?;
    }
    Ok(taken.into_iter().map(|(entry, _)| entry).collect())
}

/// The refusals still summed up that `query` asks for.
pub(crate) fn staged(
    connection: &Connection,
    query: &AuditQuery,
    part: Part<'_>,
) -> Result<Vec<AuditRow>, Fault> {
    // A sum is dated at the start of its minute and reaches to its end.
    let after = query.since.map(|since| since.minus(MINUTE).as_millis());
    let sought = PageQuery::of(concat!(refusal_columns!(), " WHERE true"))
        .when("minute > ?", after)
        .when("subject = ?", query.subject.as_deref().map(text));
    let (sql, values) = part.of(sought, ["minute", SUM, LAST_NUMBER]);
    admitted(connection, query, part, (&sql, values), |columns| {
        Ok(AuditRow {
            id: None,
            entry: read_refusal(columns)?.entry(),
        })
    })
}

fn read_refusal<'row>(columns: &mut RowReader<'row>) -> Result<RefusalRow<'row>, Fault> {
    Ok(RefusalRow {
        minute: columns.instant()?,
        broker: columns.text()?,
        subject: columns.text()?,
        address: columns.text()?,
        cause: columns.parsed(parse_reason)?,
        client_id: columns.text()?,
        topic: columns.text()?,
        act: columns.parsed(parse_act)?,
        about: columns.maybe_text()?,
        count: columns.number()?,
    })
}

/// Reads a reason by its word.
pub(crate) fn parse_reason(text: &str) -> Result<Reason, ()> {
    let mut all = Reason::ALL.iter();
    all.find(|reason| reason.as_str() == text)
        .copied()
        .ok_or(())
}

fn parse_act(text: &str) -> Result<RefusedAct, ()> {
    let mut all = RefusedAct::ALL.into_iter();
    all.find(|act| act.as_str() == text).ok_or(())
}

/// What [`read_refusal`] reads.
macro_rules! refusal_columns {
    () => {
        "SELECT minute, broker, subject, address, cause, client_id, topic, act, about, count
         FROM refusal"
    };
}
use refusal_columns;

/// [`AuditKey::sum`](countersign_core::audit::AuditKey::sum) of a refusal.
const SUM: &str = "'broker:' || broker || chr(1) || subject || chr(1) || address || chr(1)
     || cause || chr(1) || client_id || chr(1) || topic || chr(1) || act";

/// The number of what has none. As an expression, for a number alone is a column
/// where rows are put into order.
const LAST_NUMBER: &str = "abs(9223372036854775807)";

const MINUTE: Duration = Duration::from_secs(60);
