//! Start and memory as the number of credentials grows.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::broker::{MeasuredBroker, SETTLING};
use super::connection::{Connection, PATIENCE};
use super::figure::{Figure, Quantity, Rounds, millis};
use super::fleet::VERSIONS;
use super::store::Sizes;
use super::subject::{BASELINE, Subject};
use super::{Bench, swarm};
use crate::brokers::Version;

pub fn measure(bench: &Bench, sizes: &Sizes) -> Result<Vec<Figure>> {
    let case = format!(
        "start, memory before and after up to {LOGINS} devices logged in, their next logins"
    );
    println!("size: {case}, {} rounds", bench.scale.rounds);
    let entrants = entrants(bench, sizes)?;
    let mut rounds = Rounds::of("size", case);
    for _ in 0..bench.scale.rounds {
        for version in VERSIONS {
            for entrant in &entrants {
                let seen = entrant
                    .start(bench, version)
                    .with_context(|| format!("{} on {}", entrant.title, version.name()))?;
                rounds.push(version.name(), &entrant.title, READY, seen.ready);
                rounds.push(version.name(), &entrant.title, RESIDENT, seen.resident);
                rounds.push(version.name(), &entrant.title, USED, seen.used);
                rounds.push(version.name(), &entrant.title, LOGIN, seen.login);
            }
        }
    }
    Ok(rounds.figures(BASELINE))
}

/// A subject with so many logins.
struct Entrant {
    title: String,
    subject: Subject,
    count: usize,
    folder: PathBuf,
}

/// What was seen of one start.
struct Seen {
    ready: f64,
    resident: f64,
    used: f64,
    /// What a login takes of the broker's thread, of a device that was there.
    login: f64,
}

fn entrants(bench: &Bench, sizes: &Sizes) -> Result<Vec<Entrant>> {
    let entrant = |subject: Subject, count: usize, folder: &Path| Entrant {
        title: match subject {
            Subject::Bare => subject.title().to_owned(),
            Subject::Generated => format!("countersign, {count}"),
            _ => format!("{}, {count}", subject.title()),
        },
        subject,
        count,
        folder: folder.to_owned(),
    };
    let prepared = |subject: Subject, count: usize| -> Result<Entrant> {
        let folder = bench.folder.path().join(format!("{subject:?}-of-{count}"));
        subject.prepare(bench, &folder, count, 0..0)?;
        Ok(entrant(subject, count, &folder))
    };
    let mut entrants = vec![prepared(Subject::Bare, LOGINS)?];
    entrants.extend(
        sizes
            .iter()
            .map(|(count, folder)| entrant(Subject::Generated, count, folder)),
    );
    for (subject, count) in &bench.scale.others {
        entrants.push(prepared(*subject, *count)?);
    }
    Ok(entrants)
}

impl Entrant {
    fn start(&self, bench: &Bench, version: Version) -> Result<Seen> {
        let start = Instant::now();
        let broker = MeasuredBroker::start_unseen(bench, version, self.subject, &self.folder)?;
        let connection = self.first_answer(&broker)?;
        let ready = millis(start.elapsed());
        thread::sleep(QUIET);
        let resident = broker.meter.resident()?;
        drop(connection);
        // The first time a device is read, the second is the first that it is
        // found as it stays.
        self.log_in(&broker, 2)?;
        thread::sleep(QUIET);
        let used = broker.meter.resident()?;
        thread::sleep(SETTLING);
        let before = broker.meter.cpu()?;
        let logins = self.log_in(&broker, NEXT_LOGINS / self.count.min(LOGINS))?;
        let login = (broker.meter.cpu()? - before).thread / 1e3 / logins as f64;
        Ok(Seen {
            ready,
            resident,
            used,
            login,
        })
    }

    /// Tries until the broker takes a connection, and logs in over that.
    fn first_answer(&self, broker: &MeasuredBroker) -> Result<Connection> {
        let connect = self.subject.login(0)?.connect();
        let end = Instant::now() + PATIENCE;
        loop {
            match Connection::open(broker.port()) {
                Ok(mut connection) => {
                    ensure!(
                        connection.log_in(&connect)? == 0,
                        "the first login is refused"
                    );
                    return Ok(connection);
                }
                Err(_) => {
                    ensure!(Instant::now() < end, "no connection within {PATIENCE:?}");
                    thread::sleep(Duration::from_micros(200));
                }
            }
        }
    }

    /// Lets devices from all over the store log in so often, and says how many
    /// logins that were.
    fn log_in(&self, broker: &MeasuredBroker, times: usize) -> Result<usize> {
        let stride = (self.count / LOGINS).max(1);
        let connects: Vec<_> = (0..self.count.min(LOGINS))
            .map(|index| Ok(self.subject.login(index * stride)?.connect()))
            .collect::<Result<_>>()?;
        let count = connects.len() * times;
        let outcome = swarm::run(broker.port(), 1, connects.into_iter().cycle().take(count))?;
        ensure!(
            outcome.admitted == count,
            "not all were let in: {outcome:?}"
        );
        Ok(count)
    }
}

const READY: Quantity = Quantity::median("first CONNACK", "ms");
const RESIDENT: Quantity = Quantity::median("resident", "MiB");
const USED: Quantity = Quantity::median("after logins", "MiB");

const LOGIN: Quantity = Quantity::median("a known login", "µs");

const LOGINS: usize = 500;
const NEXT_LOGINS: usize = 3_000;
const QUIET: Duration = Duration::from_millis(100);
