//! What a check costs through the C interface, beside the same check in Rust.
//!
//! `cargo bench -p countersign-tests --bench capi`, after
//! `cargo xtask dist target/dist`. Rounds are taken in turns, and medians told.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use countersign::core::options::Options;
use countersign::core::rule::{Action, Pattern, Rule};
use countersign::core::store::Settings;
use countersign::sqlite::SqliteStore;
use countersign::{ClientRef, ConnectInfo, ConnectOutcome, Gate, GateConfig, Handle, TopicUse};
use countersign_testkit::artifacts::workspace;
use countersign_tests::Login;
use countersign_tests::maker::Maker;

const ROUNDS: u32 = 2_000_000;
const TURNS: usize = 9;
const TOPIC: &[u8] = b"acme/plant/line/temperature";

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db");
    SqliteStore::create(&store, &Settings::default()).unwrap();
    let pattern = Pattern::parse("acme/#").unwrap();
    let (_, login) = Maker::new(&store).operator("speed", vec![Rule::allow(Action::Both, pattern)]);
    let program = compiled(folder.path());
    let (mut in_rust, mut in_c) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        in_rust.push(rust(&store, &login));
        in_c.push(c(&program, &store, &login));
    }
    let (in_rust, in_c) = (median(in_rust), median(in_c));
    println!(
        "check, Rust {in_rust:.1} ns, C {in_c:.1} ns, {:.1} ns more",
        in_c - in_rust
    );
}

fn rust(store: &Path, login: &Login) -> f64 {
    let options = Options::parse([("store", store.to_str().unwrap())]).unwrap();
    let config = GateConfig::new(options, "speed-rust", || SystemTime::now().into(), || ());
    let mut gate = Gate::open(SqliteStore::open(store).unwrap(), config).unwrap();
    let mut info = ConnectInfo::new(Handle(1), b"sensor-1");
    info.username = Some(login.username.as_bytes());
    info.password = Some(login.secret.as_bytes());
    assert!(matches!(
        gate.connect(&info),
        ConnectOutcome::Admitted { .. }
    ));
    let start = cpu();
    for _ in 0..ROUNDS {
        let peer = ClientRef {
            handle: Handle(1),
            client_id: Some(black_box(b"sensor-1")),
            username: Some(black_box(login.username.as_bytes())),
            connected: true,
            ..ClientRef::default()
        };
        let usage = TopicUse::Publish {
            topic: black_box(TOPIC),
            qos: 1,
            retain: false,
        };
        assert!(gate.check(&peer, usage).is_allowed());
    }
    let taken = cpu() - start;
    gate.close();
    taken / f64::from(ROUNDS)
}

/// The time that this thread has computed, in nanoseconds; other programs'
/// does not count.
fn cpu() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn c(program: &Path, store: &Path, login: &Login) -> f64 {
    let output = Command::new(program)
        .arg(store)
        .args([&login.username, &login.secret, &ROUNDS.to_string()])
        .env("LD_LIBRARY_PATH", prefix().join("lib"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().unwrap()
}

fn compiled(folder: &Path) -> PathBuf {
    let program = folder.join("speed");
    let compiled = Command::new("gcc")
        .args(["-std=c11", "-D_GNU_SOURCE", "-O2"])
        .arg(workspace().join("tests/capi/speed.c"))
        .arg(format!("-I{}", prefix().join("include").display()))
        .arg(format!("-L{}", prefix().join("lib").display()))
        .args(["-lcountersign", "-o"])
        .arg(&program)
        .status()
        .unwrap();
    assert!(compiled.success());
    program
}

fn prefix() -> PathBuf {
    workspace().join("target/dist")
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
