//! From an administrative act to the end of the session it concerns, on a
//! broker that has nothing else to do.

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::store::{Directory, GateStore};
use countersign_sqlite::SqliteStore;
use countersign_testkit::Version;

use crate::figure::{Figure, Quantity, Rounds};
use crate::fleet::{MeasuredBroker, PATIENCE};
use crate::login;
use crate::scale::Scale;
use crate::store::{cli, file, read};
use crate::subject::Subject;

pub fn measure(scale: &Scale, place: &Path) -> Result<Vec<Figure>> {
    let case = format!(
        "how long {} sessions outlive `credential suspend`, idle broker",
        scale.kicks
    );
    let mut rounds = Rounds::begin("kick", case);
    for version in Version::ALL {
        let folder = place.join(format!("kick-{version}"));
        Subject::Generated.prepare(&folder, 1, 0..0)?;
        let broker = MeasuredBroker::start(version, Subject::Generated, &folder)?;
        let ends = (0..scale.kicks)
            .map(|round| End::bring_about(&broker, &folder, round))
            .collect::<Result<Vec<End>>>()?;
        for (title, from) in FROM {
            let since = |end: &End| end.closed - from(end);
            let times: Vec<f64> = ends.iter().map(since).collect();
            rounds.push_times(version.name(), title, TIMES, &times);
        }
        let ban = |round| outlives_ban(&broker, &folder, round);
        let times = (0..scale.kicks).map(ban).collect::<Result<Vec<f64>>>()?;
        rounds.push_times(version.name(), BAN, TIMES, &times);
    }
    let mut figures = rounds.figures("");
    for figure in &mut figures {
        figure.goal = match (figure.subject.as_str(), figure.quantity.name) {
            (EXIT | BAN, "p99") => Some(250.0),
            (COMMIT, "p99") => Some(50.0),
            _ => None,
        };
    }
    Ok(figures)
}

/// The end of one session, in milliseconds from the start of the command.
struct End {
    /// What it did was there for everybody to see.
    commit: f64,
    /// The command ended.
    exit: f64,
    /// The broker had closed the connection.
    closed: f64,
}

impl End {
    /// Connects, suspends, and sees the session end.
    fn bring_about(broker: &MeasuredBroker, folder: &Path, round: usize) -> Result<Self> {
        let name = login::name(0);
        let act = |act| read(&mut cli(folder, &format!("credential {act} {name}"))?);
        let mut client = broker.admit(&Subject::Generated.login(0).connect())?;
        // A broker looks about every 100 ms by itself; acts come at any time in
        // between.
        thread::sleep(Duration::from_millis(30 + (round as u64 * 37) % 100));
        let waiter = thread::spawn(move || {
            let closed = client.wait_closed(PATIENCE);
            closed.context("the broker did not end a session")?;
            Ok(Instant::now())
        });
        let watcher = watch_for_suspension(folder, &name)?;
        let start = Instant::now();
        act("suspend")?;
        let since = |instant: Instant| (instant - start).as_secs_f64() * 1e3;
        let end = Self {
            exit: since(Instant::now()),
            commit: since(joined(watcher)?),
            closed: since(joined(waiter)?),
        };
        act("reactivate")?;
        Ok(end)
    }
}

/// How long a session outlives the command that bans its client id, in milliseconds.
fn outlives_ban(broker: &MeasuredBroker, folder: &Path, round: usize) -> Result<f64> {
    let connect = Subject::Generated.login(0).connect_as("banned");
    let mut client = broker.admit(&connect)?;
    thread::sleep(Duration::from_millis(30 + (round as u64 * 37) % 100));
    let waiter = thread::spawn(move || {
        let closed = client.wait_closed(PATIENCE);
        closed.context("the broker did not end a banned session")?;
        Ok(Instant::now())
    });
    read(&mut cli(folder, "ban add --client-id banned")?)?;
    let exit = Instant::now();
    let closed = joined(waiter)?;
    read(&mut cli(folder, "ban remove --client-id banned")?)?;
    Ok(closed.saturating_duration_since(exit).as_secs_f64() * 1e3)
}

/// Watches for the instant from which the store shows a suspension.
fn watch_for_suspension(folder: &Path, name: &str) -> Result<JoinHandle<Result<Instant>>> {
    let mut store = SqliteStore::open(file(folder))?;
    let name = LoginName::parse_device(name)?;
    let mut mark = store.mark()?;
    Ok(thread::spawn(move || {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = Instant::now();
            ensure!(seen < end, "the store did not show the act in {PATIENCE:?}");
            let latest = store.mark()?;
            // A broker commits, too, such as who is connected.
            if latest != mark {
                mark = latest;
                let credential = store.credential(&name)?.context("the credential is gone")?;
                if credential.state == State::Suspended {
                    return Ok(seen);
                }
            }
            thread::sleep(Duration::from_micros(100));
        }
    }))
}

fn joined(thread: JoinHandle<Result<Instant>>) -> Result<Instant> {
    thread.join().map_err(|_| anyhow!("a watcher panicked"))?
}

/// Of times.
pub const TIMES: [Quantity; 3] = [
    Quantity::median("p50", "ms"),
    Quantity::median("p99", "ms"),
    Quantity::median("max", "ms"),
];

const COMMIT: &str = "from the commit";
const EXIT: &str = "from the command's exit";
const BAN: &str = "a ban of the client id, from the command's exit";

type From = fn(&End) -> f64;

const FROM: [(&str, From); 3] = [
    ("from the command's start", |_| 0.0),
    (COMMIT, |end| end.commit),
    (EXIT, |end| end.exit),
];
