//! What statements cost that others wait for.

use countersign_core::store::Settings;
use rusqlite::StatementStatus;
use tempfile::TempDir;

use crate::SqliteStore;
use crate::{
    applications, client_id_bindings, client_ids, credential_kind, credential_reader, credentials,
    groups, lockouts, log_position, presence, pruned_client_ids, stored_sessions, tenants, tokens,
    users,
};

/// What is looked up while a broker waits, and what goes with a tenant.
const LOOK_UPS: &[&str] = &[
    client_id_bindings::BOUND_TO,
    client_id_bindings::CLIENT_ID_OF,
    tenants::LAST_PREFIX,
    stored_sessions::RECORD,
    stored_sessions::HOLDING,
    client_ids::COUNTS,
    pruned_client_ids::PRUNED,
    client_ids::COUNT_OF_CREDENTIAL,
    client_ids::COUNT_UNAUTHENTICATED,
    client_ids::UNUSED_SINCE,
    client_ids::USED_AFTER,
    presence::IS_CONNECTED,
    presence::WITH_CLIENT_ID,
    presence::SESSION,
    log_position::STANDING,
    credential_reader::BY_NAME,
    credential_reader::BY_DIGEST,
    credential_reader::BY_ID,
    credential_kind::APPLICATION,
    groups::OF_CREDENTIAL,
    groups::ROLES,
    users::PERSON,
    users::GRANTS,
    users::RECOVERY_CODES,
    lockouts::LOCKOUT,
    tokens::KEY,
    tokens::TOKEN,
    tokens::THINGS,
    applications::REMOVE_SOME_THINGS,
    credentials::REMOVE_SOME,
];

#[test]
fn a_look_up_is_planned_once_whatever_is_bound() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    let store = SqliteStore::create(path, &Settings::default()).unwrap();
    for sql in LOOK_UPS {
        let mut statement = store.connection.prepare(sql).unwrap();
        for number in 1..5 {
            let parameters = vec![number; statement.parameter_count()];
            let mut rows = statement
                .query(rusqlite::params_from_iter(parameters))
                .unwrap();
            while rows.next().unwrap().is_some() {}
        }
        let planned_again = statement.get_status(StatementStatus::RePrepare);
        assert_eq!(planned_again, 0, "{sql}");
    }
}

#[test]
fn what_a_connect_looks_up_and_what_goes_with_a_tenant_is_never_searched_for_row_by_row() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.db");
    let store = SqliteStore::create(path, &Settings::default()).unwrap();
    for sql in LOOK_UPS {
        let mut plan = store
            .connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let parameters = vec![None::<i64>; plan.parameter_count()];
        let steps: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        // The one row that all else is joined to.
        let is_row = |step: &String| {
            step.contains("CONSTANT ROW")
                || step.starts_with("SCAN (subquery")
                || step.starts_with("CO-ROUTINE")
        };
        let is_good = |step: &String| {
            step.starts_with("SEARCH")
                || step.contains("SUBQUERY")
                || step == "CREATE BLOOM FILTER"
                || is_row(step)
        };
        assert!(
            !steps.is_empty() && steps.iter().all(is_good),
            "{sql}: {steps:?}"
        );
    }
}
