//! How soon replicas have what is done at the centre, and what followers cost it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use countersign_admin::credential::{ReactivateCredential, SuspendCredential};
use countersign_admin::{Caller, Context};
use countersign_core::name::LoginName;
use countersign_core::scheme::{RandomError, RandomSource};
use countersign_core::store::ReplicaPlace;
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use countersign_testkit::Cli;
use countersign_testkit::tools::Background;
use serde_json::Value;

use crate::act::NO_BROKER;
use crate::centre::{Centre, Lies};
use crate::figure::{Figure, Quantity, Rounds};
use crate::http::HttpClient;
use crate::kick::TIMES;
use crate::login;
use crate::meter::Meter;
use crate::rest::Rest;
use crate::scale::Scale;
use crate::store::file;

pub fn measure(scale: &Scale, place: &Path, lies: Lies) -> Result<Vec<Figure>> {
    let mut figures = snapshot(scale, &place.join("snapshot"), lies)?;
    figures.extend(acts(scale, &place.join("followed"), lies)?);
    Ok(figures)
}

/// From the start of `follow` to a whole replica.
fn snapshot(scale: &Scale, place: &Path, lies: Lies) -> Result<Vec<Figure>> {
    let case = format!("a snapshot of {} credentials", scale.followed);
    let mut rounds = Rounds::begin(lies.name(), case);
    let centre = Centre::make(lies, place, scale.followed)?;
    let rest = Rest::of(&centre.cli)?;
    let before = rest.meter.cpu()?;
    let start = Instant::now();
    let replica = Replica::start(&centre, &rest, place, "first")?;
    let meter = Meter::of(replica.process.pid())?;
    let (mut of_centre, mut of_follow) = (0.0_f64, 0.0_f64);
    while replica.place()?.is_none() {
        of_centre = of_centre.max(rest.meter.resident()?);
        of_follow = of_follow.max(meter.resident()?);
        ensure!(
            start.elapsed() < LONGEST_SNAPSHOT,
            "{}",
            replica.process.stderr()
        );
        thread::sleep(Duration::from_millis(20));
    }
    let took = start.elapsed();
    let mut push = |who, quantity, value| rounds.push(NO_BROKER, who, quantity, value);
    push("snapshot", TIME, took.as_secs_f64());
    push(
        "`serve`",
        SECONDS,
        (rest.meter.cpu()? - before).process / 1e9,
    );
    push("`serve`", RESIDENT, of_centre);
    push("`follow`", SECONDS, meter.cpu()?.process / 1e9);
    push("`follow`", RESIDENT, of_follow);
    let mut figures = rounds.figures("");
    for figure in &mut figures {
        figure.goal = (figure.quantity == TIME).then_some(LONGEST_SNAPSHOT_WANTED);
    }
    Ok(figures)
}

/// Acts at a steady rate, without followers, with real ones, and with many that only ask.
fn acts(scale: &Scale, place: &Path, lies: Lies) -> Result<Vec<Figure>> {
    let case = format!(
        "{RATE} acts a second for {} s on {DEVICES} credentials; lag is from the commit",
        scale.followed_for.as_secs()
    );
    let mut rounds = Rounds::begin(lies.name(), case);
    let centre = Centre::make(lies, place, DEVICES)?;
    let rest = Rest::of(&centre.cli)?;
    let alone = Acts::run(&rest, &centre, scale.followed_for)?;
    alone.push(&mut rounds, "no follower");

    let replicas: Vec<Replica> = (0..REAL)
        .map(|number| Replica::start(&centre, &rest, place, &format!("real-{number}")))
        .collect::<Result<_>>()?;
    for replica in &replicas {
        replica.wait()?;
    }
    let is_over = AtomicBool::new(false);
    let (real, seen) = thread::scope(|scope| {
        let watcher = scope.spawn(|| replicas[0].watch(&is_over));
        let done = Acts::run(&rest, &centre, scale.followed_for);
        thread::sleep(SETTLED);
        is_over.store(true, Ordering::Relaxed);
        Ok::<_, anyhow::Error>((done?, joined(watcher)?))
    })?;
    let title = format!("{REAL} followers");
    real.push(&mut rounds, &title);
    real.push_lags(&mut rounds, &title, &[seen])?;
    for replica in replicas {
        centre.cli.json(&["follower", "delete", &replica.name]);
    }

    let secrets: Vec<String> = (0..SIMULATED)
        .map(|number| new_follower(&centre, &format!("simulated-{number}")))
        .collect::<Result<_>>()?;
    let is_over = &AtomicBool::new(false);
    let address = rest.address();
    let (many, seen) = thread::scope(|scope| {
        let asking: Vec<_> = secrets
            .iter()
            .map(|secret| scope.spawn(move || ask(address, secret, is_over)))
            .collect();
        thread::sleep(SETTLED);
        let done = Acts::run(&rest, &centre, scale.followed_for);
        thread::sleep(SETTLED);
        is_over.store(true, Ordering::Relaxed);
        let seen: Result<Vec<_>> = asking.into_iter().map(joined).collect();
        Ok::<_, anyhow::Error>((done?, seen?))
    })?;
    let title = format!("{SIMULATED} followers that only ask");
    many.push(&mut rounds, &title);
    many.push_lags(&mut rounds, &title, &seen)?;

    let mut figures = rounds.figures("");
    for figure in &mut figures {
        let is_lag = figure.subject.ends_with(LAG) && figure.quantity.name == "p99";
        figure.goal = is_lag.then_some(LONGEST_LAG);
    }
    Ok(figures)
}

/// Makes a follower; returns its secret.
fn new_follower(centre: &Centre, name: &str) -> Result<String> {
    let made = centre.cli.json(&["follower", "create", name]);
    let secret = made["secret"].as_str().context("no secret was told")?;
    Ok(secret.to_owned())
}

/// A store that `countersign follow` keeps.
struct Replica {
    name: String,
    process: Background,
    store: PathBuf,
}

impl Replica {
    fn start(centre: &Centre, rest: &Rest, place: &Path, name: &str) -> Result<Self> {
        let folder = place.join(name);
        fs::create_dir_all(&folder)?;
        let secret = folder.join("secret");
        fs::write(&secret, new_follower(centre, name)?)?;
        let source = format!("http://{}", rest.address());
        let secret = secret.to_str().context("a folder without a name")?;
        let follow = ["follow", "--source", &source, "--token-file", secret];
        Ok(Self {
            name: name.to_owned(),
            process: Cli::new(file(&folder)).tool(&follow).background()?,
            store: file(&folder),
        })
    }

    /// Up to where it has followed; none before it is whole.
    fn place(&self) -> Result<Option<ReplicaPlace>> {
        let store = SqliteStore::open_as_it_is(&self.store);
        let Ok(store) = store else {
            return Ok(None);
        };
        Ok(store.replica()?.and_then(|state| state.place))
    }

    fn wait(&self) -> Result<()> {
        let end = Instant::now() + LONGEST_SNAPSHOT;
        while self.place()?.is_none() {
            ensure!(Instant::now() < end, "{}", self.process.stderr());
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// When it had followed up to where.
    fn watch(&self, is_over: &AtomicBool) -> Result<Vec<(i64, Instant)>> {
        let store = SqliteStore::open_as_it_is(&self.store)?;
        let mut seen: Vec<(i64, Instant)> = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let now = Instant::now();
            let state = store.replica()?.context("it is no replica any more")?;
            let place = state.place.context("it has no place any more")?;
            if seen.last().is_none_or(|(last, _)| *last != place.seq) {
                seen.push((place.seq, now));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(seen)
    }
}

/// Asks for changes as a follower does, and throws them away.
fn ask(address: SocketAddr, secret: &str, is_over: &AtomicBool) -> Result<Vec<(i64, Instant)>> {
    let mut client = HttpClient::new(address)?;
    let mut get = |path: &str| -> Result<Value> {
        let request = format!(
            "GET /replication/v1/{path} HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: Bearer {secret}\r\n\r\n"
        );
        let (status, body) = client.send(request.as_bytes())?;
        ensure!(status == 200, "{path}: {status} {body}");
        Ok(serde_json::from_str(&body)?)
    };
    let place_of = |answer: &Value| -> Result<ReplicaPlace> {
        let place = answer["place"].as_str().context("no place was told")?;
        Ok(place.parse()?)
    };
    let mut place = place_of(&get("snapshot")?)?;
    let mut seen = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        place = place_of(&get(&format!("changes?after={place}&wait=1"))?)?;
        seen.push((place.seq, Instant::now()));
        thread::sleep(BETWEEN);
    }
    Ok(seen)
}

/// What acts came to.
struct Acts {
    /// How long each took, in milliseconds.
    times: Vec<f64>,
    /// When each was committed.
    committed: Vec<Instant>,
    /// The CPU of the service meanwhile, in nanoseconds.
    cpu: f64,
    took: Duration,
}

impl Acts {
    /// Suspends credentials and lets them in again, at a steady rate.
    fn run(rest: &Rest, centre: &Centre, long: Duration) -> Result<Self> {
        let mut store = centre.open()?;
        let count = long.as_secs() * RATE;
        let (mut times, mut committed) = (Vec::new(), Vec::new());
        let before = rest.meter.cpu()?;
        let start = Instant::now();
        for number in 0..count {
            let due = start + Duration::from_secs(number) / RATE as u32;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // Each is suspended, then reactivated.
            let name = login::name(number as usize / 2 % DEVICES);
            let name = LoginName::parse_device(&name)?;
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis();
            let mut context = Context {
                now: Timestamp::from_millis(i64::try_from(now)?),
                caller: Caller::owner("cli:bench"),
                random: &mut Unneeded,
            };
            let begun = Instant::now();
            if number % 2 == 0 {
                countersign_admin::run(&mut store, &mut context, &SuspendCredential(name))?;
            } else {
                countersign_admin::run(&mut store, &mut context, &ReactivateCredential(name))?;
            }
            committed.push(Instant::now());
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Self {
            times,
            committed,
            cpu: (rest.meter.cpu()? - before).process,
            took: start.elapsed(),
        })
    }

    fn push(&self, rounds: &mut Rounds, title: &str) {
        let count = self.times.len() as f64;
        rounds.push(NO_BROKER, title, DONE, count / self.took.as_secs_f64());
        rounds.push(NO_BROKER, title, CPU, self.cpu / 1e3 / count);
        rounds.push_times(NO_BROKER, &format!("{title}, an act"), TIMES, &self.times);
    }

    /// Adds from each commit to each of those who saw it, or something later.
    fn push_lags(
        &self,
        rounds: &mut Rounds,
        title: &str,
        seen: &[Vec<(i64, Instant)>],
    ) -> Result<()> {
        let mut lags = Vec::new();
        for seen in seen {
            let last = seen.last().context("nothing was seen")?.0;
            let first = last - i64::try_from(self.committed.len())?;
            for (number, committed) in (1..).zip(&self.committed) {
                let found = seen.partition_point(|(seq, _)| *seq < first + number);
                let (_, at) = seen.get(found).context("an act was not seen")?;
                lags.push(at.saturating_duration_since(*committed).as_secs_f64() * 1e3);
            }
        }
        rounds.push_times(NO_BROKER, &format!("{title}{LAG}"), TIMES, &lags);
        Ok(())
    }
}

/// The acts here need no secret and no salt.
struct Unneeded;

impl RandomSource for Unneeded {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}

const TIME: Quantity = Quantity::median("time", "s");
const SECONDS: Quantity = Quantity::median("CPU", "s");
const RESIDENT: Quantity = Quantity::maximum("resident", "MiB");
const CPU: Quantity = Quantity::median("CPU of `serve` for an act", "µs");
const DONE: Quantity = Quantity::median("acts", "/s");

/// How titles of lags end.
const LAG: &str = ", lag";
/// In milliseconds.
const LONGEST_LAG: f64 = 500.0;
/// In seconds.
const LONGEST_SNAPSHOT_WANTED: f64 = 60.0;
const LONGEST_SNAPSHOT: Duration = Duration::from_secs(600);
/// Acts a second.
const RATE: u64 = 500;
const DEVICES: usize = 10_000;
const REAL: usize = 20;
const SIMULATED: usize = 100;
/// What was done by then is seen by everybody.
const SETTLED: Duration = Duration::from_secs(3);
/// So long `follow` rests between two requests, at least.
const BETWEEN: Duration = Duration::from_millis(15);
