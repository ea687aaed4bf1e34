//! A store that is made of a backup.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use countersign_core::ledger::Ledger as _;
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::store::Batch;
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;

use crate::support::Fixture;

/// A store with a credential that is connected, and a backup of it.
fn backed_up() -> (Fixture, String) {
    let fixture = Fixture::with_credential();
    let presence = Presence {
        session: SessionNumber(1),
        client_id: "c".into(),
        tie: countersign_core::client_id::ClientIdTie::of("c"),
        username: Some("dev1@acme".into()),
        credential: None,
        tenant: None,
        address: None,
        protocol: 5,
        connected_at: Timestamp::from_millis(1_000),
        authenticated: true,
        listener: None,
        stored: false,
    };
    let batch = Batch {
        observations: vec![PresenceEvent::Connected(presence)],
        ..Batch::default()
    };
    let mut store = SqliteStore::open(fixture.store()).unwrap();
    store.write_batch("b1", &batch).unwrap();
    drop(store);
    let backup = fixture.directory.path().join("backup.db");
    let backup = backup.to_str().unwrap().to_owned();
    fixture.run(&format!("backup {backup}")).done();
    (fixture, backup)
}

#[test]
fn a_restored_store_has_what_was_backed_up_and_nobody_is_connected_to_it() {
    let (fixture, backup) = backed_up();
    let restored = Fixture::empty();
    let ran = restored.run(&format!("restore {backup} --json")).done();
    assert_eq!(ran.json(), serde_json::json!({ "path": restored.store() }));
    assert_eq!(restored.files(), ["store.db"]);
    let mode = restored.store().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for line in ["credential list", "tenant list", "settings show"] {
        assert_eq!(restored.json(line), fixture.json(line), "{line}");
    }
    let connected = |fixture: &Fixture| fixture.json("clients list --all");
    assert_eq!(connected(&fixture).as_array().unwrap().len(), 1);
    assert_eq!(connected(&restored).as_array().unwrap().len(), 0);
    let audit = restored.json("audit list");
    let last = audit.as_array().unwrap().last().unwrap();
    assert_eq!(last["act"], "store.restore");
    restored.run("audit verify").done();
    let text = Fixture::empty().run(&format!("restore {backup}")).done();
    assert!(
        text.stdout.contains("put the key file of the store"),
        "{text:?}"
    );
}

#[test]
fn what_is_no_backup_is_refused_and_nothing_is_left_behind() {
    let (fixture, backup) = backed_up();
    let said = fixture.run(&format!("restore {backup}")).refused(1);
    assert!(said.contains("exists already"), "{said}");
    let bytes = fs::read(&backup).unwrap();
    let half = bytes.get(..bytes.len() / 2).unwrap();
    for (content, needle) in [
        (&b"a letter"[..], "is no backup of a store"),
        (half, "is no backup of a store"),
        (b"", "is empty"),
    ] {
        let other = Fixture::empty();
        let file = other.directory.path().join("file");
        fs::write(&file, content).unwrap();
        let said = other.run(&format!("restore {}", file.display())).refused(1);
        assert!(said.contains(needle), "{said}");
        assert_eq!(other.files(), ["file"]);
    }
    let other = Fixture::empty();
    let file = other.directory.path().join("file");
    fs::copy(&backup, &file).unwrap();
    fs::write(other.directory.path().join("file-wal"), "rest").unwrap();
    let said = other.run(&format!("restore {}", file.display())).refused(1);
    assert!(said.contains("a part of it is in"), "{said}");
    other.run("restore nowhere").refused(1);
    assert_eq!(other.files(), ["file", "file-wal"]);
}
