//! The audit can be shortened at its beginning, and nowhere else unnoticed.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[expect(dead_code, reason = "each test file uses some of it")]
#[cfg(test)]
mod common;

use std::time::Duration;

use countersign_core::audit::{AuditCheck, AuditEntry, AuditHead, AuditRow, RefusedAct};
use countersign_core::ledger::Ledger as _;
use countersign_core::reason::Reason;
use countersign_core::store::rows::{AuditRows as _, SettingRows as _};
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, AuditQuery, Batch, GateStore as _, Intent, Refusal,
    Settings,
};
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

use self::common::{entry, fresh};

#[test]
fn an_untouched_audit_is_intact() {
    let (mut store, _directory) = fresh();
    assert_eq!(verify(&mut store, &[]), AuditCheck::Intact { rows: 0 });
    let (mut store, _directory) = with_rows(10);
    assert_eq!(verify(&mut store, &[]), AuditCheck::Intact { rows: 10 });
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
        let (mut store, _directory) = with_rows(10);
        raw(&store, &format!("UPDATE audit SET {change} WHERE id = 4"));
        let found = verify(&mut store, &[]);
        let AuditCheck::Broken { row, time } = found else {
            panic!("{change}: {found:?}");
        };
        assert!(matches!(row, 4 | 5), "{change}: {row}");
        assert!(time.is_some());
    }
}

#[test]
fn a_row_that_is_gone_is_missed_wherever_it_was() {
    let (mut store, _directory) = with_rows(10);
    raw(&store, "DELETE FROM audit WHERE id = 10");
    let cut_off = AuditCheck::CutOff {
        last: 9,
        expected: 10,
    };
    assert_eq!(verify(&mut store, &[]), cut_off);
    for gone in [1, 5] {
        let (mut store, _directory) = with_rows(10);
        raw(&store, &format!("DELETE FROM audit WHERE id = {gone}"));
        let broken = AuditCheck::Broken {
            row: gone + 1,
            time: Some(Timestamp::from_millis(gone + 1)),
        };
        assert_eq!(verify(&mut store, &[]), broken);
    }
}

#[test]
fn a_pruned_audit_goes_on_from_its_anchor() {
    let (mut store, _directory) = with_rows(700);
    assert_eq!(prune(&mut store, 900, 601), 600);
    assert_eq!(verify(&mut store, &[]), AuditCheck::Intact { rows: 101 });
    let rows = rows(&mut store);
    assert_eq!(rows[0].entry.time, Timestamp::from_millis(601));
    assert_eq!(rows.last().unwrap().entry.act, "audit.prune");
    // All of them can go; the chain remembers.
    assert_eq!(prune(&mut store, 901, i64::MAX), 101);
    assert_eq!(verify(&mut store, &[]), AuditCheck::Intact { rows: 1 });
    raw(&store, "UPDATE audit_chain SET anchor_hash = zeroblob(32)");
    assert!(matches!(verify(&mut store, &[]), AuditCheck::Broken { .. }));
}

#[test]
fn whoever_cuts_moves_or_empties_a_chain_is_found_out() {
    let cut = "DELETE FROM audit WHERE id <= 4;
         UPDATE audit_chain SET anchor = 4, rows = 6,
             anchor_hash = (SELECT hash FROM audit WHERE id = 4) WHERE chain = 0;";
    for act in [
        "DELETE FROM audit",
        "DELETE FROM audit; DELETE FROM sqlite_sequence",
        "DELETE FROM audit WHERE id = 10",
        "DELETE FROM audit WHERE id <= 4",
        "UPDATE audit SET chain = 1 WHERE id = 4",
        "UPDATE audit SET chain = 1",
        "UPDATE audit SET format = 1 WHERE id = 4",
        "UPDATE audit SET id = id + 100",
        "DELETE FROM audit_chain WHERE chain = 0",
        "UPDATE audit_chain SET head = 9 WHERE chain = 0",
        &format!(
            "CREATE TEMP TABLE kept AS SELECT hash FROM audit WHERE id = 4; {}",
            cut.replace("FROM audit WHERE id = 4)", "FROM kept)")
        ),
    ] {
        let (mut store, _directory) = with_rows(10);
        raw(&store, act);
        let mut transaction = store.begin(Intent::Read).unwrap();
        let found = transaction.verify_audit(&[]);
        assert!(
            !matches!(found, Ok(AuditCheck::Intact { .. })),
            "{act}: {found:?}"
        );
    }
}

#[test]
fn refusals_that_vanish_before_they_are_in_the_chain_are_missed() {
    let (mut store, _directory) = fresh();
    refuse(&mut store, 0, 5);
    assert_eq!(verify(&mut store, &[]), AuditCheck::Intact { rows: 0 });
    raw(&store, "UPDATE refusal SET count = count - 1");
    let expected = AuditCheck::Staged {
        found: 4,
        expected: 5,
    };
    assert_eq!(verify(&mut store, &[]), expected);
    raw(&store, "DELETE FROM refusal");
    assert!(matches!(
        verify(&mut store, &[]),
        AuditCheck::Staged { found: 0, .. }
    ));
}

#[test]
fn refusals_are_a_chain_of_their_own_whose_oldest_rows_go() {
    let (mut store, _directory) = with_rows(3);
    let settings = Settings {
        keep_refusals: Duration::from_secs(600),
        ..Settings::default()
    };
    let mut transaction = store.begin(Intent::Write).unwrap();
    transaction.set_settings(&settings).unwrap();
    transaction.commit(&[], &[]).unwrap();
    for minute in 0..20 {
        refuse(&mut store, minute, 1);
    }
    let acts = store.audit_heads().unwrap().acts;
    store.maintain(Timestamp::from_millis(20 * 60_000)).unwrap();
    let refusals = rows(&mut store)
        .iter()
        .filter(|row| row.entry.act == "login")
        .count();
    assert_eq!(refusals, 10);
    let heads = store.audit_heads().unwrap();
    assert_eq!(heads.acts, acts);
    assert!(heads.refusals.id > acts.id);
    assert_eq!(
        verify(&mut store, &[heads.acts, heads.refusals]),
        AuditCheck::Intact { rows: 13 }
    );
}

#[test]
fn a_head_that_was_kept_shows_what_was_cut_rewritten_or_left_out() {
    let (mut store, _directory) = with_rows(10);
    let kept = store.audit_heads().unwrap().acts;
    let check = |store: &mut SqliteStore| verify(store, &[kept]);
    more_rows(&mut store, 11..=12);
    assert_eq!(check(&mut store), AuditCheck::Intact { rows: 12 });
    // Another chain that verifies by itself.
    let (mut other, _directory) = with_rows_of("cli:other", 12);
    assert_eq!(check(&mut other), AuditCheck::Rewritten { row: 10 });
    let (mut shorter, _directory) = with_rows(9);
    assert_eq!(
        check(&mut shorter),
        AuditCheck::Missing { row: 10, last: 9 }
    );
    let start = AuditHead::START;
    assert_eq!(
        verify(&mut shorter, &[start]),
        AuditCheck::Intact { rows: 9 }
    );
    prune(&mut store, 13, 5);
    assert_eq!(
        check(&mut store),
        AuditCheck::PrunedSince {
            row: 10,
            told_by: 13
        }
    );
    let later = store.audit_heads().unwrap().acts;
    assert_eq!(verify(&mut store, &[later]), AuditCheck::Intact { rows: 9 });
}

/// Prunes what is older than `before`, at `now`.
fn prune(store: &mut SqliteStore, now: i64, before: i64) -> u64 {
    let before = Timestamp::from_millis(before);
    let mut transaction = store.begin(Intent::Write).unwrap();
    let last = transaction.last_act_before(before).unwrap();
    let told = AuditEntry {
        after: Some(format!(r#"{{"before":"","last":"{last}"}}"#)),
        ..entry(now, "audit.prune", "audit")
    };
    transaction.commit(&[told], &[]).unwrap();
    store.prune_audit(last, before).unwrap()
}

fn verify(store: &mut SqliteStore, expected: &[AuditHead]) -> AuditCheck {
    let mut transaction = store.begin(Intent::Read).unwrap();
    transaction.verify_audit(expected).unwrap()
}

fn refuse(store: &mut SqliteStore, minute: i64, count: i64) {
    let refusal = Refusal {
        minute: Timestamp::from_millis(minute.saturating_mul(60_000)),
        subject: "x".into(),
        address: None,
        client_id: None,
        topic: None,
        act: RefusedAct::Login,
        about: None,
        cause: Reason::BadSecret,
        count,
    };
    let batch = Batch {
        refusals: vec![refusal],
        ..Batch::default()
    };
    store.write_batch("b1", &batch).unwrap();
}

fn rows(store: &mut SqliteStore) -> Vec<AuditRow> {
    let mut transaction = store.begin(Intent::Read).unwrap();
    transaction.audit(&AuditQuery::default()).unwrap()
}

/// A store with `count` rows, of the instants 1, 2, 3 and so on.
fn with_rows(count: i64) -> (SqliteStore, TempDir) {
    with_rows_of("cli:test", count)
}

fn with_rows_of(actor: &str, count: i64) -> (SqliteStore, TempDir) {
    let (mut store, directory) = fresh();
    let rows: Vec<_> = (1..=count)
        .map(|time| AuditEntry {
            actor: actor.into(),
            ..entry(time, "act", "subject")
        })
        .collect();
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&rows, &[])
        .unwrap();
    (store, directory)
}

fn more_rows(store: &mut SqliteStore, times: core::ops::RangeInclusive<i64>) {
    let rows: Vec<_> = times.map(|time| entry(time, "act", "subject")).collect();
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&rows, &[])
        .unwrap();
}

fn raw(store: &SqliteStore, sql: &str) {
    Connection::open(store.path())
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}
