//! What a CONNECT asks about every time, in one statement.

use countersign_core::change::ChangeSeq;
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::CredentialId;
use countersign_core::store::Standing;
use rusqlite::Connection;

use crate::columns::Columns;
use crate::error::Fault;
use crate::ownership;

/// See [`GateStore::standing`](countersign_core::store::GateStore::standing).
pub(crate) fn of(connection: &Connection, client_id: &ClientIdTie) -> Result<Standing, Fault> {
    let mut statement = connection.prepare_cached(STANDING)?;
    let mut rows = statement.query([client_id.0])?;
    let Some(row) = rows.next()? else {
        return Err(Fault::Content("a row that is always there".into()));
    };
    let columns = &mut Columns::of(row);
    Ok(Standing {
        last_change: ChangeSeq(columns.number()?),
        bound_to: columns.maybe_number()?.map(CredentialId),
        stored_session: ownership::read_session(columns)?,
    })
}

/// One row, whatever is stored.
const STANDING: &str = concat!(
    "SELECT coalesce((SELECT max(seq) FROM change), 0), (",
    ownership::select_bound!(),
    "), ",
    ownership::session_columns!(),
    " FROM (SELECT 1)
         LEFT JOIN stored_session ON stored_session.client_id = ?1
         LEFT JOIN credential ON credential.id = stored_session.credential"
);

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientId;
    use countersign_core::store::{Directory, GateStore, Settings};
    use tempfile::TempDir;

    use super::*;
    use crate::open::SqliteStore;

    #[test]
    fn an_empty_store_has_a_standing_that_says_nothing() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let mut store = SqliteStore::create(path, &Settings::default()).unwrap();
        let tie = ClientId::parse("c").unwrap().tie();
        let nothing = Standing {
            last_change: store.last_change().unwrap(),
            bound_to: store.bound_to(&tie).unwrap(),
            stored_session: store.stored_session(&tie).unwrap(),
        };
        assert_eq!(store.standing(&tie).unwrap(), nothing);
        assert_eq!(nothing.stored_session, None);
    }

    #[test]
    fn nothing_is_searched_for_row_by_row() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("x.db");
        let store = SqliteStore::create(path, &Settings::default()).unwrap();
        let mut plan = store
            .connection
            .prepare(&format!("EXPLAIN QUERY PLAN {STANDING}"))
            .unwrap();
        let steps: Vec<String> = plan
            .query_map([None::<i64>], |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let scans = steps.iter().filter(|step| step.starts_with("SCAN"));
        // The one row that all else is joined to.
        let is_row = |step: &String| step.contains("CONSTANT ROW") || step.contains("subquery");
        assert!(scans.clone().all(is_row), "{steps:?}");
    }
}
