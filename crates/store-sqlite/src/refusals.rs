//! Refused logins, as they are summed up.

use countersign_core::ledger::{RefusalRow, RefusalRows};
use countersign_core::store::StoreError;
use countersign_core::time::Timestamp;
use rusqlite::params;

use crate::audit;
use crate::ledger::SqliteWriting;

impl RefusalRows for SqliteWriting<'_> {
    fn add_to_refusal(&mut self, row: &RefusalRow<'_>) -> Result<bool, StoreError> {
        self.run(|connection| {
            let updated = connection
                .prepare_cached(
                    "UPDATE refusal SET count = min(count, ?8) + ?7, about = ?9
                     WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4
                         AND cause = ?5 AND client_id = ?6",
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
                ])?;
            Ok(updated > 0)
        })
    }

    fn add_refusal(&mut self, row: &RefusalRow<'_>) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO refusal
                         (minute, broker, subject, address, cause, client_id, count, about)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
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
                ])?;
            Ok(())
        })
    }

    fn count_refused_client_ids(
        &mut self,
        row: &RefusalRow<'_>,
        most: usize,
    ) -> Result<usize, StoreError> {
        self.run(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM refusal
                 WHERE minute = ?1 AND broker = ?2 AND subject = ?3 AND address = ?4 AND cause = ?5
                 LIMIT ?6)",
            )?;
            let values = params![
                row.minute.as_millis(),
                row.broker,
                row.subject,
                row.address,
                row.cause.as_str(),
                most,
            ];
            Ok(statement.query_row(values, |row| row.get(0))?)
        })
    }

    fn count_named_refusals(&mut self, minute: Timestamp) -> Result<usize, StoreError> {
        self.run(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM refusal
                 WHERE minute = ?1 AND NOT (subject = ?2 AND address = '')",
            )?;
            let values = params![minute.as_millis(), RefusalRow::ALL_OTHERS];
            Ok(statement.query_row(values, |row| row.get(0))?)
        })
    }

    fn count_staged_refusals(&mut self, more: i64) -> Result<(), StoreError> {
        self.run(|connection| audit::count_staged(connection, more))
    }
}
