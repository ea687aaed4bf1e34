//! Several connections to one database: what they see of each other, and what becomes of one
//! that is cut.

#![cfg(test)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Database, fresh};
use countersign_core::audit::{AuditCheck, AuditEntry, RefusedAct};
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::ledger::Ledger as _;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::reason::Reason;
use countersign_core::role::RoleName;
use countersign_core::store::rows::{
    AuditRows as _, ChangeRows as _, RoleRows as _, TenantRows as _,
};
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, AuditQuery, Batch, Directory as _, GateStore as _,
    Intent, Refusal, Settings, StoreError, StoreErrorKind,
};
use countersign_core::time::Timestamp;
use countersign_postgres::{Address, PostgresStore};
use countersign_testkit::postgres::Postgres;
use countersign_testkit::store_suite::tenant;

/// Makes a tenant, and says so to those who follow the log.
fn make(store: &mut PostgresStore, name: &str) -> Result<(), StoreError> {
    let mut transaction = store.begin(Intent::Write)?;
    transaction.put_tenant(&tenant(name))?;
    transaction.commit(&[], &[Change::Tenant(TenantId::parse(name).unwrap())])
}

fn has(store: &mut PostgresStore, name: &str) -> bool {
    let id = TenantId::parse(name).unwrap();
    let found = store.tenant(&id).unwrap();
    found.is_some()
}

#[test]
fn no_number_of_the_log_is_seen_before_those_before_it_are() {
    const WRITERS: i64 = 4;
    const ACTS: i64 = 25;
    let (mut store, _database) = fresh();
    let are_done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let mut writer = store.reopen().unwrap();
                scope.spawn(move || {
                    for act in 0..ACTS {
                        let at = Timestamp::from_millis(act);
                        // One that never happened takes no number.
                        let mut undone = writer.begin(Intent::Write).unwrap();
                        undone.append_change(at, &Change::Everything).unwrap();
                        drop(undone);
                        let mut done = writer.begin(Intent::Write).unwrap();
                        done.append_change(at, &Change::Everything).unwrap();
                        done.commit(&[], &[]).unwrap();
                    }
                })
            })
            .collect();
        let mut reader = store.reopen().unwrap();
        let reader = scope.spawn({
            let are_done = &are_done;
            move || {
                let mut last = 0;
                loop {
                    // Asked first: what was done by then is in the log.
                    let is_all = are_done.load(Ordering::SeqCst);
                    for (ChangeSeq(seq), _) in reader.changes_after(ChangeSeq(last), 7).unwrap() {
                        assert_eq!(seq, last + 1);
                        last = seq;
                    }
                    if is_all && last == reader.last_change().unwrap().0 {
                        return last;
                    }
                }
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        are_done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    assert_eq!(seen, WRITERS * ACTS);
    assert_eq!(store.last_change().unwrap(), ChangeSeq(seen));
}

#[test]
fn a_connection_that_was_cut_is_made_again_and_whoever_follows_is_told() {
    let (mut store, database) = fresh();
    make(&mut store, "acme").unwrap();
    let mark = store.mark().unwrap();
    assert_eq!(store.changes_after(ChangeSeq(1), 9).unwrap(), []);
    database.sql().run(CUT_ALL);
    assert!(has(&mut store, "acme"));
    assert_eq!(
        store.changes_after(ChangeSeq(1), 9).unwrap(),
        [(ChangeSeq(1), Change::Everything)]
    );
    assert_eq!(store.changes_after(ChangeSeq(1), 9).unwrap(), []);
    assert!(!store.mark().unwrap().is_of_same_files(mark));
    // An act begins on another one, too: nothing of it was done.
    database.sql().run(CUT_ALL);
    make(&mut store, "other").unwrap();
    assert!(has(&mut store, "other"));
}

#[test]
fn a_commit_that_nobody_answered_is_told_as_neither_done_nor_undone() {
    let (mut store, database) = fresh();
    let mut transaction = store.begin(Intent::Write).unwrap();
    transaction.put_tenant(&tenant("acme")).unwrap();
    database.sql().run(CUT_ALL);
    let error = transaction.commit(&[], &[]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("look before you do it again"));
    assert!(!has(&mut store, "acme"));
    // Nobody waits for its lock.
    make(&mut store, "acme").unwrap();
}

#[test]
fn a_transaction_of_which_a_step_failed_is_not_committed() {
    let (mut store, _database) = fresh();
    let mut transaction = store.begin(Intent::Write).unwrap();
    transaction.put_tenant(&tenant("acme")).unwrap();
    let gone = TenantId::parse("gone").unwrap();
    let role = RoleName::parse("none").unwrap();
    let group = GroupPath::parse("g").unwrap();
    let missing = transaction.assign_role(&gone, &role, &group).unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Unavailable, "{missing}");
    let error = transaction.commit(&[], &[]).unwrap_err();
    assert!(error.to_string().contains("nothing was done"), "{error}");
    assert!(!has(&mut store, "acme"));
}

#[test]
fn a_database_without_a_store_or_with_a_newer_one_is_told_so() {
    let (_store, database) = fresh();
    let again = PostgresStore::create(database.address(), &Settings::default()).unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Conflict);
    database
        .sql()
        .run("UPDATE countersign.store SET version = 99");
    let newer = PostgresStore::open(database.address()).unwrap_err();
    assert_eq!(newer.kind(), StoreErrorKind::Newer);
    let empty = common::SERVER.database().unwrap();
    let address = Address::parse(&common::SERVER.url(&empty)).unwrap();
    let missing = PostgresStore::open(address).unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Missing);
    let address = Address::parse(&common::SERVER.url("nowhere")).unwrap();
    let missing = PostgresStore::open(address).unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Missing);
}

#[test]
fn a_name_is_held_on_after_its_connection_was_cut() {
    let (store, database) = fresh();
    let _lock = store.lock_broker("b1").unwrap();
    database.sql().run(CUT_ALL);
    // It is taken again by itself.
    let other = database.open();
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND mode = 'ExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while database.sql().number(held) == 0 {}
    let error = other.lock_broker("b1").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
}

#[test]
fn a_store_is_used_on_once_postgresql_is_back() {
    let mut server = Postgres::start().unwrap();
    let name = server.database().unwrap();
    let address = Address::parse(&server.url(&name)).unwrap();
    let mut store = PostgresStore::create(address, &Settings::default()).unwrap();
    make(&mut store, "acme").unwrap();
    let begun = store.begin(Intent::Write).unwrap();
    server.crash().unwrap();
    drop(begun);
    let id = TenantId::parse("acme").unwrap();
    for _ in 0..2 {
        let error = store.tenant(&id).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let text = error.to_string();
        assert!(
            text.contains(&name) && !text.contains("countersign@"),
            "{text}"
        );
        assert!(make(&mut store, "lost").is_err());
    }
    server.start_again().unwrap();
    assert!(has(&mut store, "acme") && !has(&mut store, "lost"));
    make(&mut store, "other").unwrap();
    let changes = store.changes_after(ChangeSeq(1), 9).unwrap();
    assert_eq!(changes, [(ChangeSeq(2), Change::Everything)]);
}

/// Cuts all other connections to a database, and waits for the end of each.
const CUT_ALL: &str = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// What a test has to itself is given back when it passed.
#[test]
fn a_database_that_was_given_back_is_as_a_new_one() {
    let (mut store, database) = fresh();
    make(&mut store, "acme").unwrap();
    drop(store);
    drop(database);
    let database = Database::free();
    let mut store = database.open();
    assert!(!has(&mut store, "acme"));
    assert_eq!(store.last_change().unwrap(), ChangeSeq(0));
    assert_eq!(store.settings().unwrap(), Settings::default());
}

#[test]
fn the_tables_are_those_that_the_documents_list() {
    let (_store, database) = fresh();
    let documented = include_str!("../../../docs/store.md")
        .lines()
        .take_while(|line| !line.starts_with("`countersign export"))
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .filter(|name| !["hand_back", "replica"].contains(name));
    let own = ["broker_metrics", "lockout_count", "log_end", "store"];
    let mut expected: Vec<_> = documented.chain(own).collect();
    expected.sort_unstable();
    let tables = "SELECT string_agg(tablename, ' ' ORDER BY tablename COLLATE \"C\")
        FROM pg_tables WHERE schemaname = 'countersign'";
    assert_eq!(database.sql().text(tables), expected.join(" "));
}

/// However many are read at once.
#[test]
fn of_many_credentials_those_that_can_not_be_read_are_named() {
    let (mut store, database) = fresh();
    make(&mut store, "acme").unwrap();
    let sql = database.sql();
    sql.run(
        "INSERT INTO credential (id, name, tenant, scheme, state, ever_used, generation,
             client_id_rule, external_identity, created_at, updated_at)
             SELECT i, 'n' || i || '@acme', 'acme', 'basic', 'Active', 1, 1, 'any', 0, 1, 1
             FROM generate_series(1, 1200) i;
         INSERT INTO secret (credential, digest)
             SELECT i, sha256(i::text::bytea) FROM generate_series(1, 1200) i",
    );
    assert_eq!(store.unreadable_records().unwrap(), [""; 0]);
    sql.run(
        "UPDATE credential SET state = 'Other' WHERE id IN (3, 1100);
         UPDATE secret SET digest = NULL, phc = 'none' WHERE credential = 700",
    );
    let named = [3, 700, 1_100].map(|id| format!("credential `n{id}@acme` (number {id})"));
    let mut found = store.unreadable_records().unwrap();
    found.sort_by_key(String::len);
    assert_eq!(found, named);
}

#[test]
fn a_text_that_no_database_holds_breaks_neither_the_audit_nor_its_sums() {
    let (mut store, _database) = fresh();
    let refusal = Refusal {
        minute: Timestamp::from_millis(0),
        act: RefusedAct::Login,
        subject: "a\0b".into(),
        address: None,
        client_id: Some("\0".into()),
        topic: None,
        cause: Reason::UnknownName,
        about: None,
        count: 2,
    };
    let batch = Batch {
        refusals: vec![refusal.clone(), refusal],
        audit: vec![AuditEntry::done(Timestamp::from_millis(1), "x", "y", "\0")],
        ..Batch::default()
    };
    store.write_batch("b1", &batch).unwrap();
    for _ in 0..2 {
        store.tidy_up(Timestamp::from_millis(600_000)).unwrap();
        let mut look = store.begin(Intent::Read).unwrap();
        assert_eq!(
            look.verify_audit(&[]).unwrap(),
            AuditCheck::Intact { rows: 2 }
        );
        let rows = look.audit(&AuditQuery::default()).unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|row| (&*row.entry.subject, row.entry.count))
            .collect();
        assert_eq!(told, [("a\u{fffd}b", 4), ("\u{fffd}", 1)]);
    }
}
