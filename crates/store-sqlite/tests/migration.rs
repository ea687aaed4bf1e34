//! A store that an older version made answers as it did, once it is up to date.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;
#[cfg(test)]
#[path = "common/schema_3.rs"]
mod schema_3;

use std::path::Path;

use countersign_core::audit::{AuditCheck, AuditHash, ChainPosition};
use countersign_core::client_id::ClientId;
use countersign_core::kind::Kind;
use countersign_core::lifecycle::State;
use countersign_core::lockout::{Lockout, LockoutPolicy};
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::ownership::Holder;
use countersign_core::role::RoleName;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::{AuditRows as _, CredentialRows as _, RoleRows as _};
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, CredentialQuery, Directory as _, GateStore as _,
    Intent, Recorded, StoreErrorKind, all_rows,
};
use countersign_sqlite::SqliteStore;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use self::common::{activate, create, entry, tenant_id};
use self::schema_3::{open_as_a_broker_does, write_schema_3};

#[test]
fn a_store_of_schema_1_answers_alike_under_the_newest() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("countersign.db");
    write_schema_1(&path);

    let mut store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.schema_version().unwrap(), 7);
    assert!(store.quick_check().unwrap().is_empty());
    let copy = Connection::open(directory.path().join("countersign.db.v1.bak")).unwrap();
    let version: i64 = copy
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);

    let device = store.credential(&name("dev1@acme")).unwrap().unwrap();
    assert!(matches!(device.kind, Kind::Device));
    assert_eq!(device.state, State::Inactive);
    assert_eq!(device.secrets.len(), 1);
    assert_eq!(device.secrets[0].hint, None);
    assert_eq!(device.roles, [RoleName::parse("meter").unwrap()]);
    let tenant = device.tenant.as_ref().unwrap();
    assert!(
        store
            .role_named(tenant, &device.roles[0])
            .unwrap()
            .is_some()
    );
    assert_eq!(device.attributes["floor"], "2");
    let digest = SecretDigest::of(&Secret::new(b"secret of dev1@acme".to_vec()));
    let by_digest = store.credential_by_digest(&digest).unwrap().unwrap();
    assert_eq!(by_digest.id, device.id);
    let operator = store.credential(&name("root")).unwrap().unwrap();
    assert!(operator.is_operator());
    let client_id = ClientId::parse("c").unwrap();
    let stored = store.stored_session(&client_id.tie()).unwrap().unwrap();
    assert_eq!(stored.holder, Holder::Credential(device.id));
    let tenant = store.tenant(&tenant_id()).unwrap().unwrap();
    assert_eq!(tenant.lockout, None);
    let settings = store.settings().unwrap();
    assert_eq!(settings.argon2.to_string(), "m=8,t=1,p=1");
    assert_eq!(settings.lockout, LockoutPolicy::default());
    let email = name("jane@mail.test");
    assert_eq!(store.lockout(&email).unwrap(), Lockout::default());
    assert_eq!(store.last_change().unwrap().0, 1);

    // And it goes on from there.
    create(&mut store, "dev2@acme").unwrap();
    assert_eq!(activate(&mut store, "dev1@acme").unwrap(), Recorded::Done);
    assert_eq!(store.last_change().unwrap().0, 2);
    assert_eq!(
        store
            .begin(Intent::Read)
            .unwrap()
            .verify_audit(&[])
            .unwrap(),
        AuditCheck::Intact { rows: 3 }
    );
    let mut transaction = store.begin(Intent::Read).unwrap();
    let listed = all_rows(|page| transaction.credentials(&Default::default(), page)).unwrap();
    assert_eq!(listed.len(), 2);
    let operators = all_rows(|page| transaction.operators(page)).unwrap();
    assert_eq!(operators.len(), 1);
    let users = all_rows(|page| transaction.users(page)).unwrap();
    assert!(users.is_empty());
    assert_eq!(transaction.count_credentials(&tenant_id()).unwrap(), 2);
}

#[test]
fn a_store_is_left_as_it_is_while_an_older_broker_lives() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("countersign.db");
    let brokers = ["edge", "never/seen"].map(|name| {
        let other = SqliteStore::create(&path, &Default::default()).unwrap();
        let claim = other.lock_broker(name).unwrap();
        drop(other);
        std::fs::remove_file(&path).unwrap();
        claim
    });
    write_schema_3(&path);
    let in_use = open_as_a_broker_does(&path);
    let before = std::fs::read(&path).unwrap();
    let files = names_in(directory.path());

    let said = refusal(&path);
    assert!(said.contains("stop "), "{said}");
    assert!(said.contains("broker `edge`"), "{said}");
    assert!(
        said.contains("the first one brings the store up to date"),
        "{said}"
    );
    let [edge, unseen] = brokers;
    drop(edge);
    let said = refusal(&path);
    // It has no session that would tell its name.
    assert!(said.contains("restart the broker that holds `"), "{said}");
    assert!(said.contains("countersign.db-broker-"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(names_in(directory.path()), files);

    drop((unseen, in_use));
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.schema_version().unwrap(), 7);
    let upgraded = store.upgraded().unwrap();
    let copy = directory.path().canonicalize().unwrap();
    let copy = copy.join("countersign.db.v3.bak");
    assert_eq!((upgraded.from, upgraded.to), (3, 7));
    assert_eq!(upgraded.copy, copy);
    let said = upgraded.to_string();
    assert!(
        said.contains(&format!("`{}` is a copy", copy.display())),
        "{said}"
    );
    assert!(said.contains("The way back"), "{said}");
    // The names are free again, and there is nothing left to be told.
    store.lock_broker("edge").unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap().upgraded(), None);
}

#[test]
fn the_way_back_leads_back() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("countersign.db");
    write_schema_3(&path);
    let mut store = SqliteStore::open(&path).unwrap();
    let copy = store.upgraded().unwrap().copy.clone();
    store
        .begin(Intent::Write)
        .unwrap()
        .commit(&[], &[])
        .unwrap();
    drop(store);
    for suffix in ["-wal", "-shm"] {
        // A store that is closed may have nothing beside it.
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    std::fs::rename(copy, &path).unwrap();
    let connection = Connection::open(&path).unwrap();
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 3);
    drop(connection);
    assert_eq!(
        SqliteStore::open(&path).unwrap().schema_version().unwrap(),
        7
    );
}

#[test]
fn a_lock_that_cannot_be_looked_at_counts_as_held() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("countersign.db");
    write_schema_3(&path);
    std::fs::create_dir(directory.path().join("countersign.db-broker-00")).unwrap();
    let said = refusal(&path);
    assert!(said.contains("countersign.db-broker-00`"), "{said}");
    // Another store's locks are of no concern.
    std::fs::remove_dir(directory.path().join("countersign.db-broker-00")).unwrap();
    std::fs::create_dir(directory.path().join("other.db-broker-00")).unwrap();
    SqliteStore::open(&path).unwrap();
}

#[test]
fn the_one_group_of_before_is_the_first_of_several() {
    let directory = TempDir::new().unwrap();
    let groups = "UPDATE credential SET group_path = 'DM.X' WHERE id = 7;
         UPDATE credential SET generation = 4 WHERE id = 7;
         INSERT INTO change (at, kind, number) VALUES (1, 'credential', 7);";
    let path_of = |schema: u32| directory.path().join(format!("{schema}.db"));
    for schema in [3, 6] {
        write_schema_3(&path_of(schema));
    }
    let connection = Connection::open(path_of(6)).unwrap();
    for step in [
        include_str!("../migrations/0004.sql"),
        include_str!("../migrations/0005.sql"),
        include_str!("../migrations/0006.sql"),
        "PRAGMA user_version = 6;",
    ] {
        connection.execute_batch(step).unwrap();
    }
    drop(connection);
    for schema in [3, 6] {
        let path = path_of(schema);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(groups).unwrap();
        drop(connection);
        let mut store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.upgraded().unwrap().from, schema);
        assert_eq!(store.schema_version().unwrap(), 7);
        assert!(store.quick_check().unwrap().is_empty());
        // No session has to be judged again.
        assert_eq!(store.last_change().unwrap().0, 1);
        let device = store.credential(&name("dev1@acme")).unwrap().unwrap();
        assert_eq!(device.generation.0, 4);
        let group = |path| GroupPath::parse(path).unwrap();
        assert_eq!(device.groups, [group("DM.X")]);
        let root = store.credential(&name("root")).unwrap().unwrap();
        assert!(root.groups.is_empty());
        let mut transaction = store.begin(Intent::Write).unwrap();
        let query = CredentialQuery {
            group: Some(group("DM")),
            ..CredentialQuery::default()
        };
        let listed = all_rows(|page| transaction.credentials(&query, page)).unwrap();
        assert_eq!(listed.len(), 1);
        let mut moved = listed.into_iter().next().unwrap();
        moved.join(&group("A")).unwrap();
        transaction.update_credential(&moved).unwrap();
        let role = RoleName::parse("ops").unwrap();
        assert!(
            transaction
                .assign_role(&tenant_id(), &role, &group("DM"))
                .unwrap()
        );
        transaction.commit(&[], &[]).unwrap();
        let device = store.credential(&name("dev1@acme")).unwrap().unwrap();
        assert_eq!(device.groups, [group("DM.X"), group("A")]);
        assert_eq!(
            store.roles_of_group(&tenant_id(), &group("DM")).unwrap(),
            [role]
        );
    }
}

/// A store says that it is damaged if its tables and triggers are not those that its
/// migrations make, so a change of one would take away every store made before.
#[test]
fn a_migration_that_stores_were_made_by_stays_as_it_is() {
    let migrations = [
        (
            include_str!("../migrations/0001.sql"),
            "aedb36022688421ab8667c00af629cacbbcefe2923a9bb61d5c73aba995e06bb",
        ),
        (
            include_str!("../migrations/0002.sql"),
            "c5063b4e47c560dd960ace0d7fa9f0b5b8d7804bd094fe8db138b6f813305ccd",
        ),
        (
            include_str!("../migrations/0003.sql"),
            "f3ce6b7a1704dee8a2032e05afb3aac0377c1b1be18be604f86fec0226bf49db",
        ),
        (
            include_str!("../migrations/0004.sql"),
            "248dbc0eca4ea8df8ff54d9f37cad61df09046205cb908f154d3e545ca90f226",
        ),
        (
            include_str!("../migrations/0005.sql"),
            "f2f48c0230e40f4982d0bba02ec7c424cc9ad36f45016d8a85331db82e5f69f8",
        ),
        (
            include_str!("../migrations/0006.sql"),
            "e1da328221262b3489ab84669c490c5ae0777b5f4cc5ba8e0552625ca5fe83c2",
        ),
    ];
    for (text, digest) in migrations {
        let found = Sha256::digest(text.as_bytes());
        let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, digest, "put the change into a new migration: {text}");
    }
}

#[track_caller]
fn refusal(path: &Path) -> String {
    let error = SqliteStore::open(path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Older);
    let said = error.to_string();
    assert!(
        said.contains("has schema 3, and this version needs 7"),
        "{said}"
    );
    assert!(!said.contains('\n'), "{said}");
    said
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = directory.read_dir().unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What a version that knew no people left behind.
fn write_schema_1(path: &Path) {
    countersign_sqlite::create_private(path).unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(include_str!("../migrations/0001.sql"))
        .unwrap();
    connection
        .execute_batch(
            "PRAGMA application_id = 0x4353676e;
             PRAGMA user_version = 1;
             INSERT INTO setting VALUES ('argon2', 'm=8,t=1,p=1'), ('client_id_hold', '1500');
             INSERT INTO tenant VALUES ('acme', 'required', 'strict', NULL, 0);
             INSERT INTO namespace VALUES ('acme', 0, 'acme/#');
             INSERT INTO role VALUES ('acme', 'meter', NULL, 1);
             INSERT INTO credential
                 (id, name, tenant, scheme, state, ever_used, generation, client_id_rule,
                  external_identity, created_at, updated_at)
             VALUES (7, 'dev1@acme', 'acme', 'basic', 'Inactive', 0, 1, 'any', 0, 1, 1),
                    (8, 'root', NULL, 'basic', 'Active', 1, 1, 'any', 0, 1, 1);
             INSERT INTO credential_role VALUES (7, 'meter', 'acme');
             INSERT INTO attribute VALUES (7, 'floor', '2');
             INSERT INTO change (at, kind, number) VALUES (1, 'credential', 7);",
        )
        .unwrap();
    let secret = Secret::new(b"secret of dev1@acme".to_vec());
    connection
        .execute(
            "INSERT INTO secret (credential, digest) VALUES (7, ?1)",
            [SecretDigest::of(&secret).as_bytes()],
        )
        .unwrap();
    let client_id = ClientId::parse("c").unwrap().tie();
    connection
        .execute(
            "INSERT INTO stored_session VALUES (?1, 'credential', 7, 'dev1@acme', 'acme', 1, 'b1')",
            [client_id.0],
        )
        .unwrap();
    let row = entry(1, "credential.create", "dev1@acme");
    let hash = row.chained(ChainPosition::OfSchema3, &AuditHash::START);
    connection
        .execute(
            "INSERT INTO audit (time, actor, act, subject, outcome, count, after, hash)
             VALUES (1, 'cli:test', 'credential.create', 'dev1@acme', 'done', 1, ?1, ?2)",
            rusqlite::params![row.after, hash.0],
        )
        .unwrap();
}

fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}
