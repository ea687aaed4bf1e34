//! A commit stays, all of it or nothing, whichever process else writes and
//! however a process ends.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[cfg(test)]
mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use countersign_core::client_id::ClientIdTie;
use countersign_core::ledger::Ledger as _;
use countersign_core::presence::{PresenceEvent, SessionEnd, SessionNumber};
use countersign_core::store::rows::CredentialRows as _;
use countersign_core::store::{
    AdminStore as _, Batch, GateStore as _, Intent, Recorded, StoreErrorKind,
};
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;

use self::common::{activate, assert_consistent, create, fresh, make_tenant, mode};

#[test]
fn a_process_that_is_killed_leaves_whole_acts_and_nothing_else() {
    let test = "a_process_that_is_killed_leaves_whole_acts_and_nothing_else";
    if let Ok(path) = std::env::var(KILLED_STORE) {
        write_for_long(&path);
        return;
    }
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    let path = store.path().to_owned();
    drop(store);
    let mut before = 0;
    for round in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(KILLED_STORE, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // The child writes from here on; when it dies is left to chance.
        let deadline = Instant::now() + Duration::from_secs(10);
        while count(&path) == before && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(chance());
        child.kill().unwrap();
        child.wait().unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        let now = assert_consistent(&mut store);
        assert!(now > before, "round {round}");
        before = now;
    }
}

#[test]
fn two_writers_lose_nothing_and_keep_nobody_out() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    let other = store.reopen().unwrap();
    thread::scope(|scope| {
        for (writer, mut store) in [("a", store.reopen().unwrap()), ("b", other)] {
            scope.spawn(move || {
                for number in 0..500 {
                    create(&mut store, &format!("{writer}{number}@acme")).unwrap();
                }
            });
        }
    });
    assert_eq!(assert_consistent(&mut store), 1_000);
}

#[test]
fn a_login_gets_its_turn_while_a_long_batch_is_written() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    for number in 0..100 {
        create(&mut store, &format!("device{number}@acme")).unwrap();
    }
    let mut writer = store.reopen().unwrap();
    let ended = |number| {
        PresenceEvent::Disconnected(SessionEnd {
            began: Timestamp::from_millis(0),
            session: SessionNumber(number),
            tie: ClientIdTie([7; 32]),
            credential: None,
            at: Timestamp::from_millis(1),
            is_kept: None,
        })
    };
    let batch = Batch {
        observations: (0..20_000).map(ended).collect(),
        ..Batch::default()
    };
    let is_over = AtomicBool::new(false);
    let refused = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                writer.write_batch("b1", &batch).unwrap();
            }
        });
        let logins = (0..100).map(|number| {
            thread::sleep(Duration::from_millis(1));
            activate(&mut store, &format!("device{number}@acme"))
        });
        let refused = logins.filter(Result::is_err).count();
        is_over.store(true, Ordering::Relaxed);
        refused
    });
    // None is, unless the machine itself stands still for 20 ms.
    assert!(refused <= 10, "{refused} of 100");
    assert_consistent(&mut store);
}

#[test]
fn a_lock_that_is_never_given_back_is_waited_for_and_then_reported() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    let mut other = store.reopen().unwrap();
    let _locked = other.begin(Intent::Write).unwrap();
    let waits = |expected: Duration, error: StoreErrorKind, start: Instant| {
        assert_eq!(error, StoreErrorKind::Busy);
        assert!(start.elapsed() >= expected, "{:?}", start.elapsed());
        assert!(start.elapsed() < expected * 2, "{:?}", start.elapsed());
    };
    let start = Instant::now();
    let error = store.maintain(Timestamp::from_millis(0)).unwrap_err();
    waits(Duration::from_secs(1), error.kind(), start);
    let start = Instant::now();
    let error = store.begin(Intent::Write).map(drop).unwrap_err();
    waits(Duration::from_secs(5), error.kind(), start);
    assert!(error.to_string().contains("try again"), "{error}");
}

#[test]
fn a_backup_is_one_state_however_much_is_written_meanwhile() {
    let (mut store, directory) = fresh();
    make_tenant(&mut store);
    for number in 0..300 {
        create(&mut store, &format!("dev{number}@acme")).unwrap();
    }
    let mut writer = store.reopen().unwrap();
    let is_over = AtomicBool::new(false);
    let copies: Vec<_> = (0..3)
        .map(|number| directory.path().join(format!("{number}.db")))
        .collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                create(&mut writer, &format!("new{number}@acme")).unwrap();
                let recorded = activate(&mut writer, &format!("new{number}@acme")).unwrap();
                assert_eq!(recorded, Recorded::Done);
            }
        });
        for copy in &copies {
            let mut last = None;
            store
                .backup(copy, |progress| last = Some(progress))
                .unwrap();
            let last = last.unwrap();
            assert!(last.total > 0 && last.done == last.total, "{last:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    for copy in &copies {
        assert_eq!(mode(copy), 0o600);
        assert!(assert_consistent(&mut SqliteStore::open(copy).unwrap()) >= 300);
    }
    assert_consistent(&mut store);
}

#[test]
fn a_backup_that_fails_leaves_nothing_behind() {
    let (mut store, directory) = fresh();
    make_tenant(&mut store);
    let copy = directory.path().join("none").join("copy.db");
    assert!(store.backup(&copy, |_| {}).is_err());
    let copy = directory.path().join("copy.db");
    // Once the log is written back, the file alone counts.
    store.maintain(Timestamp::from_millis(0)).unwrap();
    std::fs::write(store.path(), "no database at all".repeat(999)).unwrap();
    let error = store.backup(&copy, |_| {}).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}");
    assert!(!copy.exists());
}

/// Creates and activates more credentials than the parent waits for.
fn write_for_long(path: &str) {
    let mut store = SqliteStore::open(path).unwrap();
    let first = count(path.as_ref());
    for number in (first..).take(100_000) {
        let name = format!("dev{number}@acme");
        create(&mut store, &name).unwrap();
        assert_eq!(activate(&mut store, &name).unwrap(), Recorded::Done);
        if number.is_multiple_of(7) {
            store.maintain(Timestamp::from_millis(0)).unwrap();
        }
    }
}

fn count(path: &Path) -> usize {
    let mut store = SqliteStore::open(path).unwrap();
    let mut transaction = store.begin(Intent::Read).unwrap();
    let count = transaction.count_credentials(&common::tenant_id()).unwrap();
    usize::try_from(count).unwrap()
}

/// Up to 40 ms.
fn chance() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_nanos(u64::from(now.subsec_nanos()) % 40_000_000)
}

const KILLED_STORE: &str = "COUNTERSIGN_TEST_KILLED_STORE";
