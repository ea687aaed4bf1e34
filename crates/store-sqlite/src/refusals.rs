//! Refused logins and denied uses of topics, as they are summed up.

use core::time::Duration;

use countersign_core::audit::{AuditEntry, AuditRow, RefusedAct};
use countersign_core::reason::Reason;
use countersign_core::store::rows::{RefusalRow, RefusalRows};
use countersign_core::store::{AuditQuery, StoreError};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, params, params_from_iter};

use crate::audit::count_staged;
use crate::audit::part::{FoundRows, Part, admitted};
use crate::error::Fault;
use crate::page_query::{PageQuery, text};
use crate::row_reader::RowReader;
use crate::transaction::SqliteTransaction;

impl RefusalRows for SqliteTransaction<'_> {
    fn add_to_refusal(&mut self, row: &RefusalRow<'_>) -> Result<bool, StoreError> {
        self.run("write refusals", |connection| {
            let updated = connection
                .prepare_cached(
                    "UPDATE refusal SET count = min(count, ?8) + ?7, about = ?9
                     WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4
                         AND cause = ?5 AND client_id = ?6 AND act = ?10 AND topic = ?11",
                )?
                .execute(params![
                    row.minute.as_millis(),
                    row.broker,
                    row.subject,
                    row.address,
                    row.cause.as_str(),
                    row.client_id,
                    row.count,
                    // The sum of two whole numbers must stay one.
                    i64::MAX.saturating_sub(row.count.max(0)),
                    row.about,
                    row.act.as_str(),
                    row.topic,
                ])?;
            Ok(updated > 0)
        })
    }

    fn add_refusal(&mut self, row: &RefusalRow<'_>) -> Result<(), StoreError> {
        self.run("write refusals", |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO refusal
                         (minute, broker, subject, address, cause, client_id, count, about,
                          act, topic)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM refusal
                 WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4 AND cause = ?5
                     AND act = ?7 AND topic = ?8
                 LIMIT ?6)",
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
            Ok(statement.query_row(values, |row| row.get(0))?)
        })
    }

    fn count_named_refusals(
        &mut self,
        minute: Timestamp,
        are_uses: bool,
    ) -> Result<usize, StoreError> {
        self.run("write refusals", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM refusal
                 WHERE minute = ?1 AND NOT (subject = ?2 AND address = '')
                     AND (act <> ?3) = ?4",
            )?;
            let values = params![
                minute.as_millis(),
                RefusalRow::ALL_OTHERS,
                RefusedAct::Login.as_str(),
                are_uses,
            ];
            Ok(statement.query_row(values, |row| row.get(0))?)
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
            let mut sums = staged(connection, &AuditQuery::default(), Part::Newest(most))?.rows;
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

/// Removes up to `most` sums of refusals of minutes that start no later than
/// `last`; returns what the audit says of them.
fn take(connection: &Connection, last: Timestamp, most: usize) -> Result<Vec<AuditEntry>, Fault> {
    let mut statement = connection.prepare_cached(concat!(
        refusal_columns!(),
        " WHERE minute <= ?1
         ORDER BY minute, broker, subject, address, cause, client_id, topic, act LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![last.as_millis(), most])?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next()? {
        let refusal = read_refusal(&mut RowReader::of(row))?;
        taken.push((refusal.entry(), refusal.broker.to_owned()));
    }
    let mut remove = connection.prepare_cached(
        "DELETE FROM refusal
         WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4 AND cause = ?5
             AND client_id = ?6 AND topic = ?7 AND act = ?8",
    )?;
    for (entry, broker) in &taken {
        remove.execute(params![
            entry.time.as_millis(),
            broker,
            entry.subject,
            entry.address.as_deref().unwrap_or(""),
            entry.cause.map(Reason::as_str),
            entry.client_id.as_deref().unwrap_or(""),
            entry.topic.as_deref().unwrap_or(""),
            entry.act,
        ])?;
    }
    Ok(taken.into_iter().map(|(entry, _)| entry).collect())
}

/// The refusals still summed up that `query` asks for.
pub(crate) fn staged(
    connection: &Connection,
    query: &AuditQuery,
    part: Part<'_>,
) -> Result<FoundRows, Fault> {
    // A sum is dated at the start of its minute and reaches to its end.
    let after = query.since.map(|since| since.minus(MINUTE).as_millis());
    let sought = PageQuery::of(concat!(refusal_columns!(), " WHERE true"))
        .when("minute > ?", after)
        .when("subject = ?", query.subject.as_deref().map(text));
    let (sql, values) = part.of(sought, ["minute", SUM, LAST_NUMBER]);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query(params_from_iter(values))?;
    admitted(connection, query, part, rows, |columns| {
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
const SUM: &str = "'broker:' || broker || char(1) || subject || char(1) || address || char(1)
     || cause || char(1) || client_id || char(1) || topic || char(1) || act";

/// The number of what has none. As an expression, for a number alone is a column
/// where rows are put into order.
const LAST_NUMBER: &str = "abs(9223372036854775807)";

const MINUTE: Duration = Duration::from_secs(60);
