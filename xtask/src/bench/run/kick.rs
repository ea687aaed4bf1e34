//! From an administrative act to the end of the session it concerns, on a
//! broker that has nothing else to do.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use countersign_admin::credential::{self, CredentialError};
use countersign_admin::{Context, OsRandom};
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_sqlite::SqliteStore;

use super::Bench;
use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds, percentile};
use super::login;
use super::stand::Stand;
use super::store::{cli, file, now};
use super::subject::Subject;
use crate::brokers::Version;
use crate::command::read;

pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let case = format!("{} sessions each way, on an idle broker", bench.scale.kicks);
    println!("kick: {case}");
    let mut rounds = Rounds::of("kick", case);
    for version in Version::ALL {
        let folder = bench.folder.path().join(format!("kick-{}", version.name()));
        Subject::Generated.prepare(bench, &folder, 1)?;
        let stand = Stand::start(bench, version, Subject::Generated, &folder)?;
        let samples = Samples::take(bench, &stand, &folder)?;
        for (title, values) in samples.rows() {
            for (quantity, share) in [(P50, 0.5), (P99, 0.99), (MAX, 1.0)] {
                rounds.push(version, title, quantity, percentile(values, share));
            }
        }
    }
    let mut figures = rounds.figures("");
    for figure in &mut figures {
        figure.goal = match (figure.subject.as_str(), figure.quantity.name) {
            (FROM_EXIT, "p99") => Some(250.0),
            (FROM_CALL, "p99") => Some(50.0),
            _ => None,
        };
    }
    Ok(figures)
}

/// How long sessions lived on, in milliseconds; less than nothing when one
/// ended before the act's caller was answered.
#[derive(Default)]
struct Samples {
    from_start: Vec<f64>,
    from_exit: Vec<f64>,
    from_call: Vec<f64>,
    from_return: Vec<f64>,
}

impl Samples {
    fn take(bench: &Bench, stand: &Stand, folder: &Path) -> Result<Self> {
        let mut samples = Self::default();
        let name = LoginName::parse_device(&login::name(0))?;
        let mut store = SqliteStore::open(file(folder))?;
        for round in 0..bench.scale.kicks {
            // A broker looks up every 100 ms by itself; acts come at any time in
            // between.
            thread::sleep(Duration::from_millis(20 + (round as u64 * 37) % 100));
            let mut suspend = cli(bench, folder, &["credential", "suspend", name.as_str()]);
            let [start, exit, end] = ended_by(stand, || read(&mut suspend).map(drop))?;
            samples.from_start.push(since(start, end));
            samples.from_exit.push(since(exit, end));
            act(&mut store, &name, credential::reactivate)?;

            thread::sleep(Duration::from_millis(20 + (round as u64 * 61) % 100));
            let [call, back, end] =
                ended_by(stand, || act(&mut store, &name, credential::suspend))?;
            samples.from_call.push(since(call, end));
            samples.from_return.push(since(back, end));
            act(&mut store, &name, credential::reactivate)?;
        }
        Ok(samples)
    }

    fn rows(&self) -> [(&'static str, &[f64]); 4] {
        [
            ("from the command's start", &self.from_start),
            (FROM_EXIT, &self.from_exit),
            (FROM_CALL, &self.from_call),
            ("from the call's return, synced", &self.from_return),
        ]
    }
}

type Act = fn(&mut SqliteStore, &Context<'_>, &LoginName) -> Result<Credential, CredentialError>;

fn act(store: &mut SqliteStore, name: &LoginName, act: Act) -> Result<()> {
    let context = Context {
        now: now(),
        actor: "bench",
        random: &mut OsRandom,
    };
    act(store, &context, name)?;
    Ok(())
}

/// Connects, acts, and returns when the act began, when it was done, and when
/// the session ended.
fn ended_by(stand: &Stand, act: impl FnOnce() -> Result<()>) -> Result<[Instant; 3]> {
    let connect = Subject::Generated.login(0)?.connect();
    let mut connection = Connection::admitted(stand.port(), &connect)?;
    // The login itself is written down by then, and the broker asleep.
    thread::sleep(Duration::from_millis(30));
    let waiter = thread::spawn(move || connection.wait_closed());
    let start = Instant::now();
    act()?;
    let done = Instant::now();
    let end = waiter
        .join()
        .map_err(|_| anyhow!("the one who waits panicked"))??;
    Ok([start, done, end])
}

fn since(earlier: Instant, later: Instant) -> f64 {
    let after = later.saturating_duration_since(earlier).as_secs_f64();
    let before = earlier.saturating_duration_since(later).as_secs_f64();
    (after - before) * 1e3
}

const P50: Quantity = Quantity::median("p50", "ms");
const P99: Quantity = Quantity::median("p99", "ms");
const MAX: Quantity = Quantity::median("max", "ms");

const FROM_EXIT: &str = "from the command's exit";
/// The commit lies within the call, so that this is no less than from there.
const FROM_CALL: &str = "from the library's call";
