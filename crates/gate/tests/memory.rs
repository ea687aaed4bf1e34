//! What a gate keeps for each connected session, and what a check takes.

#![expect(
    unsafe_code,
    reason = "an allocator that counts has to implement an unsafe trait"
)]
#![expect(clippy::unwrap_used, reason = "a test may")]

use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::store::Directory as _;
use countersign_core::store::rows::SecretRows as _;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::store::{AdminStore, AdminTransaction, Intent};
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{
    ClientRef, ConnectInfo, ConnectOutcome, Directive, Enhanced, Gate, GateConfig, Handle, TopicUse,
};
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::{Caller, Context, OsRandom};
use countersign_core::change::Change;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::secret::{Secret, SecretDigest, Verifier};

use by_hand::{ByHand, folder, new_store, settings};

#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "gate/by_hand.rs"]
mod by_hand;

/// The system's allocator, counting what is taken of it.
struct Counting;

thread_local! {
    /// How often the current thread took some. All jobs of a gate run on the
    /// thread of their test.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Bytes that it has, as they are handed out: in steps of 16, with 8 more.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn taken(layout: Layout) -> isize {
    isize::try_from(layout.size().saturating_add(8).next_multiple_of(16)).unwrap_or(0)
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to `System` unchanged, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get().saturating_add(1)));
        HELD.with(|held| held.set(held.get().wrapping_add(taken(layout))));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get().wrapping_sub(taken(layout))));
        // SAFETY: the caller got `pointer` from `alloc` above, so from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn name(index: usize) -> String {
    format!("device{index:07}@acme")
}

fn secret(index: usize) -> Secret {
    Secret::generate(u128::try_from(index).unwrap().to_le_bytes())
}

/// A store with so many credentials of generated secrets.
fn fill(store: &mut SqliteStore, count: usize) {
    let mut context = Context {
        now: NOW,
        caller: Caller::owner("cli:test"),
        random: &mut OsRandom,
    };
    let acme = TenantId::parse("acme").unwrap();
    let new = NewTenant::new(acme.clone());
    countersign_admin::run(store, &mut context, &CreateTenant(new)).unwrap();
    let new = CreateCredential(NewCredential::new(acme, "template"));
    let template = countersign_admin::run(store, &mut context, &new).unwrap();
    let template = template.described.credential;
    let mut transaction = store.begin(Intent::Write).unwrap();
    for index in 0..count {
        let credential = Credential {
            name: LoginName::parse(&name(index)).unwrap(),
            ..template.clone()
        };
        let id = transaction.add_credential(&credential).unwrap();
        let verifier = Verifier::Digest(SecretDigest::of(&secret(index)));
        transaction.add_secret(id, &verifier).unwrap();
    }
    transaction.commit(&[], &[]).unwrap();
}

fn client_id(index: usize) -> String {
    format!("client-of-device-{index:07}")
}

fn handle(index: usize) -> Handle {
    Handle(0x5555_0000_0000_usize.wrapping_add(index.wrapping_mul(0x3f0)))
}

fn connect(gate: &mut Gate<SqliteStore>, index: usize) {
    let_in(gate, index, &client_id(index), &name(index), &secret(index));
}

fn let_in(
    gate: &mut Gate<SqliteStore>,
    index: usize,
    client_id: &str,
    name: &str,
    secret: &Secret,
) {
    let mut info = ConnectInfo::new(handle(index), client_id.as_bytes());
    info.username = Some(name.as_bytes());
    info.password = Some(secret.expose());
    info.address = Some("192.0.2.1");
    let outcome = gate.connect(&info);
    assert!(
        matches!(outcome, ConnectOutcome::Admitted { .. }),
        "{outcome:?}"
    );
}

/// The memory that is held once what was noted down is written.
fn held(background: &ByHand) -> isize {
    background.write();
    HELD.with(Cell::get)
}

#[test]
fn a_session_takes_little_and_a_check_allocates_nothing() {
    const SESSIONS: usize = 3_400;
    let folder = folder();
    let path = folder.path().join("x.db");
    let mut admin = new_store(&path, &settings());
    fill(&mut admin, SESSIONS);
    let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
    let mut config = GateConfig::new(options, "bench", || NOW, || ());
    let background = ByHand::of(&mut config);
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
    // The first login changes the record, the second finds it as it stays.
    for _ in 0..2 {
        for index in 0..SESSIONS {
            connect(&mut gate, index);
            gate.disconnected(handle(index));
            gate.disconnected(handle(index));
        }
        background.write();
    }
    let before = held(&background);
    for index in 0..SESSIONS {
        connect(&mut gate, index);
    }
    let each = held(&background).wrapping_sub(before) / isize::try_from(SESSIONS).unwrap();
    println!("{each} bytes a session");
    assert!(each <= 600, "{each} bytes a session");

    let (client_id, username) = (client_id(0), name(0));
    let client = ClientRef {
        handle: handle(0),
        client_id: Some(client_id.as_bytes()),
        username: Some(username.as_bytes()),
        connected: true,
        ..ClientRef::default()
    };
    assert_eq!(allocations_of_checks(&mut gate, &client), 0);

    // A client that is away, once it was looked up.
    let stored = "stored";
    let mut info = ConnectInfo::new(handle(SESSIONS), stored.as_bytes());
    let secret = secret(0);
    info.username = Some(username.as_bytes());
    info.password = Some(secret.expose());
    info.protocol = 5;
    let outcome = gate.connect(&info);
    assert!(matches!(outcome, ConnectOutcome::Admitted { .. }));
    for _ in 0..2 {
        gate.ended(handle(SESSIONS), true);
    }
    background.write();
    let away = ClientRef {
        handle: handle(SESSIONS),
        client_id: Some(stored.as_bytes()),
        username: Some(username.as_bytes()),
        ..ClientRef::default()
    };
    let deliver = TopicUse::Deliver { topic: b"acme/a" };
    assert!(gate.check(&away, deliver).is_allowed());
    let retained = TopicUse::Publish {
        topic: b"acme/a",
        qos: 1,
        retain: true,
    };
    assert!(gate.check(&away, retained).is_allowed());
    assert_eq!(allocations_of_checks(&mut gate, &away), 0);
    let nameless = ClientRef {
        username: None,
        ..away
    };
    assert_eq!(allocations_of_checks(&mut gate, &nameless), 0);
}

#[test]
fn a_login_that_is_known_takes_memory_for_its_secret_and_its_address() {
    const DEVICES: usize = 200;
    let folder = folder();
    let path = folder.path().join("x.db");
    let mut admin = new_store(&path, &settings());
    fill(&mut admin, DEVICES);
    let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
    let mut config = GateConfig::new(options, "bench", || NOW, || ());
    let background = ByHand::of(&mut config);
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
    let mut connect_and_leave = |index: usize| {
        let (client_id, name, secret) = (client_id(index), name(index), secret(index));
        let before = ALLOCATIONS.with(Cell::get);
        let_in(&mut gate, index, &client_id, &name, &secret);
        gate.disconnected(handle(index));
        gate.disconnected(handle(index));
        ALLOCATIONS.with(Cell::get) - before
    };
    for _ in 0..3 {
        for index in 0..DEVICES {
            connect_and_leave(index);
        }
        background.write();
    }
    let mut taken: Vec<usize> = (0..DEVICES).map(connect_and_leave).collect();
    taken.sort_unstable();
    // Now and then a table grows.
    let most = taken[DEVICES * 9 / 10];
    assert!(most <= 2, "{most} times; {taken:?}");
}

/// How often memory is taken for checks on behalf of one client.
fn allocations_of_checks(gate: &mut Gate<SqliteStore>, client: &ClientRef<'_>) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    for topic in [&b"acme/a"[..], b"acme/b", b"acme/a", b"globex/a", b"#"] {
        let publish = TopicUse::Publish {
            topic,
            qos: 1,
            retain: false,
        };
        let _verdict = gate.check(client, publish);
        let _verdict = gate.check(client, TopicUse::Deliver { topic });
        let _verdict = gate.check(client, TopicUse::Subscribe { filter: topic });
    }
    ALLOCATIONS.with(Cell::get).saturating_sub(before)
}

/// More than a poll works off.
const CHANGES: usize = 20_000;

#[test]
fn however_much_changes_at_once_no_poll_works_off_all_of_it() {
    let folder = folder();
    let path = folder.path().join("x.db");
    let mut admin = new_store(&path, &settings());
    fill(&mut admin, 1);
    let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
    let mut config = GateConfig::new(options, "bench", || NOW, || ());
    let background = ByHand::of(&mut config);
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
    connect(&mut gate, 0);
    let name = LoginName::parse(&name(0)).unwrap();
    let id = admin.credential(&name).unwrap().unwrap().id;
    background.settle(&mut gate);
    // What a session uses comes last.
    let mut transaction = admin.begin(Intent::Write).unwrap();
    transaction.delete_credential(id).unwrap();
    let unused = (1..).map(|number| Change::Credential(CredentialId(id.0 + number)));
    let changes: Vec<_> = unused
        .take(CHANGES)
        .chain([Change::Credential(id)])
        .collect();
    transaction.commit(&[], &changes).unwrap();
    while background.step_of("log") && !gate.wants_poll() {}
    let mut polls = 0;
    let directives = loop {
        let directives = gate.poll();
        polls += 1;
        if !directives
            .iter()
            .all(|it| matches!(it, Directive::Log { .. }))
        {
            break directives;
        }
        assert!(gate.wants_poll(), "after {polls} polls");
    };
    assert!(
        matches!(directives[..], [Directive::Kick { .. }]),
        "{directives:?}"
    );
    // A poll takes in a thousand.
    assert!(polls >= CHANGES / 1_024, "{polls} polls");
}

const REFUSED: usize = 400;

/// As long as MQTT lets a field be.
const LONG: usize = 65_000;

#[test]
fn what_is_kept_of_logins_that_come_to_nothing_is_bounded_in_bytes_however_long_they_are() {
    let folder = folder();
    let path = folder.path().join("x.db");
    let mut admin = new_store(&path, &settings());
    fill(&mut admin, 1);
    let store = path.to_str().unwrap();
    let options = Options::parse([("store", store), ("hash_threads", "1")]).unwrap();
    let clock = Arc::new(AtomicI64::new(NOW.as_millis()));
    let read = Arc::clone(&clock);
    let now = move || Timestamp::from_millis(read.load(Ordering::SeqCst));
    let mut config = GateConfig::new(options, "bench", now, || ());
    let background = ByHand::of(&mut config);
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
    let long = vec![b'x'; LONG];
    let slowly = |gate: &mut Gate<SqliteStore>, number: usize| {
        let (client_id, name) = (format!("{number:01000}"), format!("n{number}@acme"));
        let mut info = ConnectInfo::new(handle(number), client_id.as_bytes());
        info.username = Some(name.as_bytes());
        info.password = Some(&long);
        info.address = Some("192.0.2.1");
        info.may_wait = true;
        matches!(gate.connect(&info), ConnectOutcome::Pending { .. })
    };
    // A worker has its memory from now on.
    assert!(slowly(&mut gate, 0));
    background.settle(&mut gate);
    let before = held(&background);
    for number in 0..REFUSED {
        let mut client_id = number.to_string().into_bytes();
        client_id.extend_from_slice(&long[..60_000]);
        let mut info = ConnectInfo::new(handle(10_000 + number), &client_id);
        info.protocol = 5;
        for method in [&b"other"[..], b"COUNTERSIGN-TOTP"] {
            let data = Some(&long[..]);
            let outcome = gate.connect_enhanced(&info, &Enhanced { method, data });
            assert!(matches!(outcome, ConnectOutcome::Refused { .. }));
        }
    }
    let each = (held(&background) - before) / isize::try_from(REFUSED).unwrap();
    assert!(each <= 256, "{each} bytes of a refused login");
    let before = HELD.with(Cell::get);
    let waiting = (1..=60).filter(|number| slowly(&mut gate, *number)).count();
    assert_eq!(waiting, 60);
    let each = (HELD.with(Cell::get) - before) / 60;
    assert!(each <= 8_192, "{each} bytes of a login that waits");
    // Nothing happens but that time passes.
    for _ in 0..3 {
        clock.fetch_add(61_000, Ordering::SeqCst);
        let _ended = background.settle(&mut gate);
    }
    // The tables stay as large as for so many, and what was presented is gone.
    assert!(held(&background) - before <= 32_768);
    gate.close();
}

#[test]
fn refused_logins_of_every_kind_take_no_more_memory_however_many_they_are() {
    let folder = folder();
    let path = folder.path().join("x.db");
    let mut admin = new_store(&path, &settings());
    fill(&mut admin, 1);
    let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
    let clock = Arc::new(AtomicI64::new(NOW.as_millis()));
    let read = Arc::clone(&clock);
    let now = move || Timestamp::from_millis(read.load(Ordering::SeqCst));
    let mut config = GateConfig::new(options, "bench", now, || ());
    let background = ByHand::of(&mut config);
    let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut refuse = |gate: &mut Gate<SqliteStore>, number: usize| {
        clock.fetch_add(20, Ordering::SeqCst);
        let client_id = random.text(60);
        let mut username = random.text(100);
        if random.below(2) == 0 {
            username.retain(u8::is_ascii_alphanumeric);
            let suffixes = [&b"@acme"[..], b"@mail.test", b""];
            username.extend_from_slice(suffixes[random.below(3)]);
        }
        let password = random.text(40);
        let address = format!("192.0.{}.{}", random.below(256), random.below(256));
        let mut info = ConnectInfo::new(handle(number), &client_id);
        info.username = (random.below(8) > 0).then_some(&username[..]);
        info.password = (random.below(8) > 0).then_some(&password[..]);
        info.address = (random.below(4) > 0).then_some(&address);
        let outcome = gate.connect(&info);
        assert!(matches!(outcome, ConnectOutcome::Refused { .. }));
        gate.disconnected(handle(number));
        drop(gate.poll());
        if number.is_multiple_of(100) {
            background.write();
        }
    };
    // More than any of its tables holds of what a minute brings.
    for number in 0..LOGINS {
        refuse(&mut gate, number);
    }
    let before = held(&background);
    for number in LOGINS..3 * LOGINS {
        refuse(&mut gate, number);
    }
    let more = held(&background) - before;
    assert!(
        more < 1_024 * 1_024,
        "{more} bytes of {} logins",
        2 * LOGINS
    );
    gate.close();
}

/// Xorshift (Marsaglia 2003): the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0.checked_rem(end).unwrap()).unwrap()
    }

    /// A text of what stands in names, and a little of what must not.
    fn text(&mut self, longest: u64) -> Vec<u8> {
        const CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789@.-_+#\n";
        let length = self.below(longest);
        let mut character = || *CHARACTERS.get(self.below(CHARACTERS.len() as u64)).unwrap();
        (0..length).map(|_| character()).collect()
    }
}

const LOGINS: usize = 4_000;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
