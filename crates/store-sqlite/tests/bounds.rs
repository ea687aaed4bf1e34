//! Everything that a store keeps is bounded.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[expect(dead_code, reason = "each test file uses some of it")]
#[cfg(test)]
mod common;

use countersign_core::audit::{AuditEntry, RefusedAct};
use countersign_core::client_id::ClientId;
use countersign_core::connect::{LoginRecord, Proof, SessionChange};
use countersign_core::ledger::{Ledger as _, is_full_of_client_ids};
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::ownership::Holder;
use countersign_core::presence::{ClientIdUse, PresenceEvent};
use countersign_core::reason::Reason;
use countersign_core::store::rows::{AuditRows as _, CredentialRows as _, SettingRows as _};
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, AuditQuery, Batch, CredentialQuery, Directory as _,
    GateStore as _, Intent, LoginEffects, Page, Recorded, Refusal, Settings, StoreError, all_rows,
};
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;

use self::common::{create, fresh, make_tenant, tenant_id};

const DAY: i64 = 86_400_000;
const LIMIT: u32 = 3;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn raw(store: &SqliteStore, sql: &str) {
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn count(store: &SqliteStore, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// With a device `dev1`, which may have stored sessions under three client ids.
fn store() -> (SqliteStore, tempfile::TempDir) {
    let (mut store, directory) = fresh();
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    let mut transaction = store.begin(Intent::Write).unwrap();
    let settings = Settings {
        client_id_limit: LIMIT,
        ..Settings::default()
    };
    transaction.set_settings(&settings).unwrap();
    transaction.commit(&[], &[]).unwrap();
    (store, directory)
}

/// The device takes a client id for a stored session.
fn take(store: &mut SqliteStore, client_id: &str, now: i64) -> Recorded {
    let name = LoginName::parse("dev1@acme").unwrap();
    let credential = store.credential(&name).unwrap().unwrap();
    let secret = credential.secrets.first().unwrap().id;
    let login = LoginEffects {
        broker: "b1",
        client_id: &ClientId::parse(client_id).unwrap(),
        username: Some(name.as_str()),
        tenant: Some(&tenant_id()),
        proved: Some((&credential, Proof::Secret(secret))),
        record: LoginRecord {
            session: SessionChange::Taken,
            ..LoginRecord::default()
        },
    };
    store.record_login(&login, at(now)).unwrap()
}

fn is_full(store: &mut SqliteStore) -> bool {
    is_full_of_client_ids(&mut store.begin(Intent::Read).unwrap()).unwrap()
}

#[test]
fn beyond_a_million_client_ids_a_credential_has_its_limit_and_no_more_an_hour() {
    let (mut store, _directory) = store();
    for number in 0..LIMIT {
        assert_eq!(take(&mut store, &format!("a{number}"), 0), Recorded::Done);
    }
    assert_eq!(take(&mut store, "b", DAY), Recorded::Done);
    assert!(!is_full(&mut store));
    raw(&store, "UPDATE session_change SET rows = 1000000");
    assert!(is_full(&mut store));
    assert_eq!(take(&mut store, "c", 2 * DAY), Recorded::Full);
    // What it has it keeps.
    assert_eq!(take(&mut store, "b", 2 * DAY), Recorded::Done);
    // Uses without a session are not remembered any more.
    let name = LoginName::parse("dev1@acme").unwrap();
    let tie = ClientId::parse("d").unwrap().tie();
    let visit = ClientIdUse {
        tie,
        credential: store.credential(&name).unwrap().unwrap().id,
        tenant: Some(tenant_id()),
        began: at(2 * DAY),
        ended: at(2 * DAY),
    };
    let batch = Batch {
        observations: vec![PresenceEvent::Passed(visit)],
        ..Batch::default()
    };
    store.write_batch("b1", &batch).unwrap();
    assert_eq!(store.stored_session(&tie).unwrap(), None);
    assert_eq!(count(&store, "SELECT count(*) FROM stored_session"), 4);
}

#[test]
fn where_four_million_client_ids_were_pruned_no_more_are_and_their_owners_stay() {
    let (mut store, _directory) = store();
    assert_eq!(take(&mut store, "a", 0), Recorded::Done);
    raw(&store, "UPDATE session_change SET pruned = 4000000");
    assert!(is_full(&mut store));
    let rows = "SELECT count(*) FROM stored_session";
    store.maintain(at(40 * DAY)).unwrap();
    assert_eq!(count(&store, rows), 1);
    raw(&store, "UPDATE session_change SET pruned = 3999999");
    store.maintain(at(40 * DAY)).unwrap();
    assert_eq!(count(&store, rows), 0);
    // They are counted as they come and go.
    let pruned = "SELECT pruned FROM session_change";
    assert_eq!(count(&store, pruned), 4_000_000);
    assert_eq!(take(&mut store, "a", 41 * DAY), Recorded::Done);
    assert_eq!(count(&store, pruned), 3_999_999);
}

/// A client could have a session stored under it.
#[test]
fn a_client_id_whose_record_can_not_be_read_is_pruned_and_has_no_heir() {
    let (mut store, _directory) = store();
    assert_eq!(take(&mut store, "a", 0), Recorded::Done);
    let tie = ClientId::parse("a").unwrap().tie();
    raw(&store, "UPDATE stored_session SET tenant = 'A'");
    assert!(store.stored_session(&tie).is_err());
    store.maintain(at(40 * DAY)).unwrap();
    let left = store.stored_session(&tie).unwrap().unwrap();
    assert_eq!((left.holder, left.is_stored()), (Holder::Former, true));
}

#[test]
fn of_the_change_log_ten_thousand_entries_are_kept_and_those_of_a_day() {
    let (mut store, _directory) = store();
    raw(
        &store,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)
         INSERT INTO change (at, kind, number) SELECT 0, 'credential', 1 FROM n",
    );
    store.maintain(at(DAY / 2)).unwrap();
    assert!(count(&store, "SELECT count(*) FROM change") >= 10_500);
    store.maintain(at(2 * DAY)).unwrap();
    assert_eq!(count(&store, "SELECT count(*) FROM change"), 10_000);
}

#[test]
fn a_request_to_kick_is_forgotten_after_a_day() {
    let (mut store, _directory) = store();
    raw(
        &store,
        "INSERT INTO kick_request (at, client_id) VALUES (0, 'a'), (1000, 'b')",
    );
    let rows = "SELECT count(*) FROM kick_request";
    store.maintain(at(DAY)).unwrap();
    assert_eq!(count(&store, rows), 2);
    store.maintain(at(DAY + 1)).unwrap();
    assert_eq!(count(&store, rows), 1);
}

#[test]
fn of_refusals_half_a_million_are_kept_however_young_they_are() {
    let (mut store, _directory) = store();
    for minute in 0..10 {
        let refusal = Refusal {
            minute: at(minute * 60_000),
            subject: "x".into(),
            address: None,
            client_id: None,
            topic: None,
            act: RefusedAct::Login,
            about: None,
            cause: Reason::BadSecret,
            count: 1,
        };
        let batch = Batch {
            refusals: vec![refusal],
            ..Batch::default()
        };
        store.write_batch("b1", &batch).unwrap();
    }
    let rows = "SELECT count(*) FROM audit WHERE chain = 1";
    store.maintain(at(20 * 60_000)).unwrap();
    assert_eq!(count(&store, rows), 10);
    raw(
        &store,
        "UPDATE audit_chain SET rows = 500003 WHERE chain = 1",
    );
    store.maintain(at(21 * 60_000)).unwrap();
    assert_eq!(count(&store, rows), 7);
}

/// Where hardly any row is what is asked for, pages are shorter, and none is missing.
#[test]
fn a_page_looks_at_a_bounded_number_of_rows() {
    let (mut store, _directory) = store();
    raw(
        &store,
        "WITH RECURSIVE number (it) AS (VALUES (0) UNION ALL SELECT it + 1 FROM number WHERE it < 24999)
         INSERT INTO credential (name, tenant, scheme, state, ever_used, generation, client_id_rule,
                                 external_identity, created_at, updated_at, expires_at)
         SELECT printf('x%05d@acme', it), 'acme', 'basic', 'Active', 1, 1, 'any', 0, 0, 0,
                CASE WHEN it % 12000 = 11999 THEN 5 END
         FROM number;
         INSERT INTO credential_group (credential, position, path)
         SELECT id, 0, 'late' FROM credential WHERE name >= 'x20000'",
    );
    let rows: Vec<_> = (0..9_000)
        .map(|it| {
            let actor = if it == 8_999 { "cli:late" } else { "cli:early" };
            AuditEntry::done(at(it), actor, "credential.set", "x@acme")
        })
        .collect();
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&rows, &[])
        .unwrap();
    let mut look = store.begin(Intent::Read).unwrap();
    let mut pages = Vec::new();
    let ends = CredentialQuery {
        expires_before: Some(at(9)),
        ..CredentialQuery::default()
    };
    let found = all_rows(|page| {
        let listed = look.credentials(&ends, page)?;
        pages.push(listed.rows.len());
        Ok::<_, StoreError>(listed)
    });
    let names = found.unwrap().into_iter().map(|it| it.name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["x11999@acme", "x23999@acme"]);
    assert_eq!(pages, [0, 1, 1]);
    let late = CredentialQuery {
        group: Some(GroupPath::parse("late").unwrap()),
        ..CredentialQuery::default()
    };
    let first = look.credentials(&late, &Page::default()).unwrap();
    assert!(first.rows.is_empty() && first.next.is_some());
    let found = all_rows(|page| look.credentials(&late, page)).unwrap();
    assert_eq!(found.len(), 5_000);

    let of_late = AuditQuery {
        actor: Some("cli:late".into()),
        ..AuditQuery::default()
    };
    let mut pages = Vec::new();
    let found = all_rows(|page| {
        let listed = look.audit_page(&of_late, page)?;
        pages.push(listed.rows.len());
        Ok::<_, StoreError>(listed)
    });
    assert_eq!(found.unwrap().len(), 1);
    assert_eq!(pages, [0, 0, 1]);
}
