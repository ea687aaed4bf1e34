//! Who holds a client id is known for good before its holder is.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[expect(dead_code, reason = "each test file uses some of it")]
#[cfg(test)]
mod common;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use countersign_core::client_id::ClientId;
use countersign_core::connect::{LoginRecord, Proof, SessionChange};
use countersign_core::credential::Credential;
use countersign_core::ledger::Ledger as _;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::Holder;
use countersign_core::rule::Namespaces;
use countersign_core::store::rows::TenantRows as _;
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, Directory as _, GateStore as _, Intent, LoginEffects,
    Recorded, StoreError, all_rows,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;

use self::common::{create, fresh, make_tenant};

#[test]
fn a_client_id_that_was_taken_stays_taken_when_the_process_is_killed() {
    let test = "a_client_id_that_was_taken_stays_taken_when_the_process_is_killed";
    if let Ok(path) = std::env::var(KILLED_STORE) {
        take_for_long(Path::new(&path));
        return;
    }
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    let id = create(&mut store, "dev1@acme").unwrap();
    let path = store.path().to_owned();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(KILLED_STORE, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let taken_before = told(&path).len();
        let deadline = Instant::now() + Duration::from_secs(10);
        while told(&path).len() < taken_before + 20 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told(&path);
        assert!(told.len() > taken_before, "round {round}");
        for text in told {
            let stored = store.stored_session(&client_id(&text).tie()).unwrap();
            let holder = stored.map(|stored| stored.holder);
            assert_eq!(holder, Some(Holder::Credential(id)), "{text}");
        }
    }
    assert!(store.quick_check().unwrap().is_empty());
}

/// Takes ids as the broker would, and tells of each that is recorded.
fn take_for_long(path: &Path) {
    let mut store = SqliteStore::open(path).unwrap();
    let credential = credential(&mut store);
    let mut tell = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path.with_extension("told"))
        .unwrap();
    for number in told(path).len().. {
        let id = client_id(&format!("c{number}"));
        let recorded = record(&mut store, Some(&credential), &id, taken()).unwrap();
        assert_eq!(recorded, Recorded::Done);
        tell.write_all(format!("{id}\n").as_bytes()).unwrap();
    }
}

/// The ids of which the child told so far.
fn told(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path.with_extension("told")).unwrap_or_default();
    // The last one may be cut short.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(Into::into).collect()
}

#[test]
fn a_client_id_that_is_a_secret_is_in_no_file() {
    let (mut store, directory) = fresh();
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    let credential = credential(&mut store);
    let secret = "dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b774";
    for what in [taken(), taken()] {
        let recorded = record(&mut store, Some(&credential), &client_id(secret), what);
        assert_eq!(recorded.unwrap(), Recorded::Done);
    }
    store.maintain(Timestamp::from_millis(0)).unwrap();
    for file in fs::read_dir(&directory).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let part = &secret.as_bytes()[..12];
        assert!(!bytes.windows(part.len()).any(|window| window == part));
    }
}

#[test]
fn a_prefix_is_found_as_if_all_had_been_tried() {
    let (mut store, _directory) = fresh();
    let mut chance = Chance(7);
    for round in 0..60 {
        let mut prefixes: Vec<String> = Vec::new();
        for _ in 0..12 {
            let text = chance.text(&[1, 2, 3]);
            let meets = |other: &String| text.starts_with(&**other) || other.starts_with(&*text);
            if !prefixes.iter().any(meets) {
                prefixes.push(text);
            }
        }
        let mut transaction = store.begin(Intent::Write).unwrap();
        for tenant in all_rows(|page| transaction.tenants(page)).unwrap() {
            transaction.delete_tenant(&tenant.id).unwrap();
        }
        for (number, prefix) in prefixes.iter().enumerate() {
            let tenant = tenant(number, Some(prefix));
            transaction.put_tenant(&tenant).unwrap();
        }
        transaction.put_tenant(&tenant(99, None)).unwrap();
        transaction.commit(&[], &[]).unwrap();
        for _ in 0..100 {
            let text = chance.text(&[1, 2, 3, 4, 5]);
            let naive = prefixes
                .iter()
                .position(|prefix| text.starts_with(&**prefix));
            let found = store.tenant_by_client_id(&client_id(&text)).unwrap();
            let naive = naive.map(|number| tenant(number, None).id);
            assert_eq!(found, naive, "round {round}: {text} of {prefixes:?}");
        }
    }
}

#[test]
fn nothing_is_left_behind_of_what_is_deleted() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    connection
        .execute_batch(
            "INSERT INTO role VALUES ('acme', 'meter', NULL, 0, 0, NULL);
             INSERT INTO role_rule VALUES
                 ('acme', 'meter', 0, 'allow', 'publish', 'a', NULL, 0, NULL, 0);
             INSERT INTO credential_role VALUES (1, 'meter', 'acme');
             INSERT INTO credential_rule VALUES (1, 0, 'allow', 'publish', 'a', NULL, 0, 0);
             INSERT INTO attribute VALUES (1, 'floor', '1');
             INSERT INTO stored_session VALUES
                 (zeroblob(32), 'credential', 1, NULL, 'acme', 0, 'b1', 0, 1)",
        )
        .unwrap();
    let mut transaction = store.begin(Intent::Write).unwrap();
    transaction.delete_tenant(&common::tenant_id()).unwrap();
    transaction.commit(&[], &[]).unwrap();
    assert!(store.quick_check().unwrap().is_empty());
    for (table, rows) in [
        ("credential", 0),
        ("secret", 0),
        ("role", 0),
        ("role_rule", 0),
        ("credential_role", 0),
        ("credential_rule", 0),
        ("attribute", 0),
        ("stored_session WHERE credential IS NOT NULL", 0),
        ("stored_session", 1),
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, rows, "{table}");
    }
}

/// A login at the broker `b1`, by a credential or by nobody.
fn record(
    store: &mut SqliteStore,
    proved: Option<&Credential>,
    client_id: &ClientId,
    record: LoginRecord,
) -> Result<Recorded, StoreError> {
    let login = LoginEffects {
        broker: "b1",
        client_id,
        username: proved.map(|credential| credential.name.as_str()),
        tenant: Some(&common::tenant_id()),
        proved: proved.map(|credential| {
            let secret = credential.secrets.first().unwrap().id;
            (credential, Proof::Secret(secret))
        }),
        record,
    };
    store.record_login(&login, Timestamp::from_millis(1))
}

fn taken() -> LoginRecord {
    LoginRecord {
        session: SessionChange::Taken,
        ..LoginRecord::default()
    }
}

fn credential(store: &mut SqliteStore) -> Credential {
    let name = LoginName::parse("dev1@acme").unwrap();
    let found = store.credential(&name).unwrap().unwrap();
    Credential::clone(&found)
}

fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

fn tenant(number: usize, prefix: Option<&str>) -> Tenant {
    let id = TenantId::parse(&format!("t{number}")).unwrap();
    let namespaces = Namespaces::new([]).unwrap();
    Tenant {
        client_id_prefix: prefix.map(client_id),
        ..Tenant::new(id, namespaces, Timestamp::from_millis(0))
    }
}

/// The same numbers in every run (Knuth's MMIX generator).
struct Chance(u64);

impl Chance {
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let number = usize::try_from(self.0 >> 33).unwrap();
        *of.iter().cycle().nth(number & 0xff).unwrap()
    }

    /// A text of few different characters, which take one to four bytes each.
    fn text(&mut self, lengths: &[usize]) -> String {
        let characters = ['!', 'a', 'b', '~', 'é', 'ü', '\u{ffff}', '\u{10ffff}'];
        let length = self.pick(lengths);
        (0..length).map(|_| self.pick(&characters)).collect()
    }
}

const KILLED_STORE: &str = "COUNTERSIGN_TEST_KILLED_TAKER";
