//! The audit can be shortened at its beginning, and nowhere else unnoticed.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[expect(dead_code, reason = "each test file uses some of it")]
#[cfg(test)]
mod common;

use countersign_core::store::{AdminStore as _, AdminTransaction as _, AuditQuery, Intent};
use countersign_core::time::Timestamp;
use countersign_sqlite::{AuditCheck, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use self::common::{entry, fresh};

#[test]
fn an_untouched_audit_is_intact() {
    let (store, _directory) = fresh();
    assert_eq!(
        store.verify_audit().unwrap(),
        AuditCheck::Intact { rows: 0 }
    );
    let (store, _directory) = with_rows(10);
    assert_eq!(
        store.verify_audit().unwrap(),
        AuditCheck::Intact { rows: 10 }
    );
}

#[test]
fn whatever_is_changed_in_a_row_breaks_the_chain_there() {
    for change in [
        "time = time + 1",
        "actor = 'cli:somebody'",
        "act = 'x'",
        "subject = ''",
        "outcome = 'refused'",
        "outcome = 'neither'",
        "cause = 'expired'",
        "address = ''",
        "count = 2",
        "before = ''",
        "after = NULL",
        "hash = zeroblob(32)",
        "hash = x''",
        "id = 100",
    ] {
        let (store, _directory) = with_rows(10);
        raw(&store, &format!("UPDATE audit SET {change} WHERE id = 4"));
        match store.verify_audit().unwrap() {
            AuditCheck::Broken { row, time } => {
                assert!(matches!(row, 4 | 5), "{change}: {row}");
                assert!(time.is_some());
            }
            AuditCheck::Intact { .. } | AuditCheck::CutOff { .. } => panic!("{change}"),
        }
    }
}

#[test]
fn a_row_that_is_gone_is_missed_wherever_it_was() {
    let (store, _directory) = with_rows(10);
    raw(&store, "DELETE FROM audit WHERE id = 10");
    let cut_off = AuditCheck::CutOff {
        last: 9,
        expected: 10,
    };
    assert_eq!(store.verify_audit().unwrap(), cut_off);
    for gone in [1, 5] {
        let (store, _directory) = with_rows(10);
        raw(&store, &format!("DELETE FROM audit WHERE id = {gone}"));
        let broken = AuditCheck::Broken {
            row: gone + 1,
            time: Some(Timestamp::from_millis(gone + 1)),
        };
        assert_eq!(store.verify_audit().unwrap(), broken);
    }
}

#[test]
fn a_pruned_audit_goes_on_from_its_anchor() {
    let (mut store, _directory) = with_rows(700);
    let told = entry(900, "audit.prune", "audit");
    let removed = store
        .prune_audit(Timestamp::from_millis(601), &told)
        .unwrap();
    assert_eq!(removed, 600);
    assert_eq!(
        store.verify_audit().unwrap(),
        AuditCheck::Intact { rows: 101 }
    );
    let mut transaction = store.begin(Intent::Read).unwrap();
    let rows = transaction.audit(&AuditQuery::default()).unwrap();
    drop(transaction);
    assert_eq!(
        (rows[0].time, rows.last().unwrap()),
        (Timestamp::from_millis(601), &told)
    );
    // All of them can go; the chain remembers.
    let later = entry(901, "audit.prune", "audit");
    assert_eq!(
        store
            .prune_audit(Timestamp::from_millis(i64::MAX), &later)
            .unwrap(),
        101
    );
    assert_eq!(
        store.verify_audit().unwrap(),
        AuditCheck::Intact { rows: 1 }
    );
    raw(&store, "UPDATE audit_anchor SET hash = zeroblob(32)");
    assert!(matches!(
        store.verify_audit().unwrap(),
        AuditCheck::Broken { .. }
    ));
}

/// A store with `count` rows, of the instants 1, 2, 3 and so on.
fn with_rows(count: i64) -> (SqliteStore, TempDir) {
    let (mut store, directory) = fresh();
    let rows: Vec<_> = (1..=count)
        .map(|time| entry(time, "act", "subject"))
        .collect();
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&rows, &[])
        .unwrap();
    (store, directory)
}

fn raw(store: &SqliteStore, sql: &str) {
    Connection::open(store.path())
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}
