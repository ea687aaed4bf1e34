//! Kicks, as seen from the side that asks; the store plays the broker.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use countersign_core::change::Change;
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::connect::{LoginRecord, Proof, SessionChange};
use countersign_core::credential::CredentialId;
use countersign_core::ledger::Ledger as _;
use countersign_core::name::LoginName;
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::store::{
    Batch, Directory as _, GateStore as _, KickTarget, LoginEffects, Recorded,
};
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::support::{Fixture, keys};

pub(crate) fn connect(store: &mut SqliteStore, session: i64, client_id: &str) {
    connect_as(store, session, client_id, None);
}

/// Has a session begin at the broker `b1`.
pub(crate) fn connect_as(
    store: &mut SqliteStore,
    session: i64,
    client_id: &str,
    credential: Option<i64>,
) {
    let presence = Presence {
        session: SessionNumber(session),
        client_id: client_id.into(),
        tie: ClientId::parse(client_id).unwrap().tie(),
        username: Some("dev1@acme".into()),
        credential: credential.map(CredentialId),
        tenant: None,
        address: Some("127.0.0.1".into()),
        protocol: 5,
        connected_at: Timestamp::from_millis(1_000),
        authenticated: true,
        listener: Some(1883),
        stored: false,
    };
    let batch = Batch {
        observations: vec![PresenceEvent::Connected(presence)],
        ..Batch::default()
    };
    store.write_batch("b1", &batch).unwrap();
}

/// Answers the next request to kick, as a broker would.
fn answer(store: &mut SqliteStore) -> KickTarget {
    let mut seen = store.last_change().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        for (seq, change) in store.changes_after(seen, 10).unwrap() {
            seen = seq;
            if let Change::KickRequested(request) = change {
                let target = store.kick_request(request).unwrap().unwrap();
                let batch = Batch {
                    kicked: vec![request],
                    ..Batch::default()
                };
                store.write_batch("b1", &batch).unwrap();
                return target;
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("nobody asked for a kick");
}

/// Logs in, as a broker would record it, and leaves a stored session behind.
fn leave_session(store: &mut SqliteStore, name: &str, client_id: &str) {
    let name = LoginName::parse(name).unwrap();
    let credential = store.credential(&name).unwrap().unwrap();
    let login = LoginEffects {
        broker: "b1",
        client_id: &ClientId::parse(client_id).unwrap(),
        username: Some(name.as_str()),
        tenant: credential.tenant.as_ref(),
        proved: Some((&credential, Proof::Secret(credential.secrets[0].id))),
        record: LoginRecord {
            activates: true,
            session: SessionChange::Taken,
            ..LoginRecord::default()
        },
    };
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    assert_eq!(store.record_login(&login, now).unwrap(), Recorded::Done);
}

#[test]
fn a_client_id_is_given_up_once() {
    let fixture = Fixture::with_credential();
    fixture.run("credential create dev2 --tenant acme").done();
    leave_session(
        &mut SqliteStore::open(fixture.store()).unwrap(),
        "dev1@acme",
        "mine",
    );
    let check = "check connect --username dev2@acme --client-id mine --json";
    assert_eq!(fixture.run(check).json()["reason"], "client-id-owned");
    let released = fixture.json("clients release mine");
    assert_eq!(released, json!({ "released": "mine" }));
    let said = fixture.run("clients release mine").refused(1);
    assert!(
        said.contains("no credential holds client id `mine`"),
        "{said}"
    );
    assert_eq!(fixture.run(check).done().json()["reason"], "ok");
    let audit = fixture.json("audit list --name mine");
    assert_eq!(audit[0]["act"], "client.release");
}

#[test]
fn clients_are_listed_with_their_keys() {
    let fixture = Fixture::with_credential();
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    let _alive = store.lock_broker("b1").unwrap();
    connect(&mut store, 7, "c1");
    let list = fixture.json("clients list");
    let client = list.as_array().unwrap().first().unwrap();
    assert_eq!(
        keys(client),
        [
            "session",
            "client_id",
            "username",
            "tenant",
            "address",
            "protocol",
            "connected_at",
            "broker",
            "authenticated",
            "listener",
        ]
    );
    assert_eq!(client["session"], "b1:7");
    assert_eq!(client["tenant"], Value::Null);
    assert_eq!(client["connected_at"], "1970-01-01T00:00:01.000Z");
    assert_eq!(client["listener"], 1883);
    assert_eq!(fixture.json("clients count"), json!({ "connected": 1 }));
    assert_eq!(
        fixture.json("clients count --tenant acme"),
        json!({ "connected": 0 })
    );
}

#[test]
fn a_kick_is_done_when_a_broker_answers() {
    let fixture = Fixture::with_credential();
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    connect(&mut store, 7, "c1");
    let session = KickTarget::Session {
        broker: "b1".into(),
        session: SessionNumber(7),
    };
    let client_id = KickTarget::ClientId(ClientIdTie::of("c1"));
    for (name, target) in [("c1", client_id), ("b1:7", session)] {
        let mut broker = SqliteStore::open(fixture.store()).unwrap();
        let asked = std::thread::scope(|scope| {
            let broker = scope.spawn(move || answer(&mut broker));
            // The broker looks at what comes after it began to look.
            std::thread::sleep(Duration::from_millis(50));
            let kicked = fixture.json(&format!("clients kick {name}"));
            assert_eq!(kicked, json!({ "kicked": name }));
            broker.join().unwrap()
        });
        assert_eq!(asked, target);
    }
}

#[test]
fn a_kick_that_nobody_answers_is_refused_after_a_second() {
    let fixture = Fixture::with_credential();
    let begun = Instant::now();
    let said = fixture.run("clients kick nobody").refused(1);
    assert!(said.contains("`nobody`"), "{said}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_watch_tells_who_is_there_who_comes_and_who_goes() {
    let fixture = Fixture::with_credential();
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    let _alive = store.lock_broker("b1").unwrap();
    connect(&mut store, 1, "c1");
    let mut child = fixture
        .command()
        .args(["clients", "list", "--watch", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> (String, String) {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        (text("event"), text("client_id"))
    };
    assert_eq!(next(), ("connected".into(), "c1".into()));
    connect(&mut store, 2, "c2");
    assert_eq!(next(), ("connected".into(), "c2".into()));
    store
        .clear_presence("b1", Timestamp::from_millis(2_000))
        .unwrap();
    assert_eq!(next(), ("disconnected".into(), "c1".into()));
    assert_eq!(next(), ("disconnected".into(), "c2".into()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn clients_are_listed_by_name_and_broker() {
    let fixture = Fixture::with_credential();
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    let _alive = store.lock_broker("b1").unwrap();
    connect(&mut store, 1, "c1");
    for (line, count) in [
        ("clients list --name dev1@acme", 1),
        ("clients list --name dev2@acme", 0),
        ("clients list --broker b1", 1),
        ("clients list --broker b2", 0),
    ] {
        assert_eq!(
            fixture.json(line).as_array().unwrap().len(),
            count,
            "{line}"
        );
    }
}
