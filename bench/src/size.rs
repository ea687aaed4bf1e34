//! Start and memory as the number of credentials grows.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{Client, Version};

use crate::figure::{Figure, Quantity, Rounds};
use crate::fleet::{MeasuredBroker, PATIENCE, SETTLING, VERSIONS};
use crate::scale::Scale;
use crate::store::Sizes;
use crate::subject::{BASELINE, Subject};
use crate::swarm;

pub fn measure(scale: &Scale, place: &Path, sizes: &Sizes) -> Result<Vec<Figure>> {
    let case = format!(
        "start, memory before and after up to {LOGINS} devices logged in, their next logins"
    );
    let mut rounds = Rounds::begin("size", case);
    let entrants = entrants(scale, place, sizes)?;
    for _ in 0..scale.rounds {
        for version in VERSIONS {
            for entrant in &entrants {
                entrant
                    .start(version, &mut rounds)
                    .with_context(|| format!("{} on {version}", entrant.title))?;
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

fn entrants(scale: &Scale, place: &Path, sizes: &Sizes) -> Result<Vec<Entrant>> {
    let prepared = |subject: Subject, count: usize, title: String| -> Result<Entrant> {
        let folder = place.join(format!("{subject:?}-of-{count}"));
        subject.prepare(&folder, count, 0..0)?;
        Ok(Entrant {
            title,
            subject,
            count,
            folder,
        })
    };
    let mut entrants = vec![prepared(Subject::Bare, LOGINS, BASELINE.to_owned())?];
    entrants.extend(sizes.0.iter().map(|(count, folder)| Entrant {
        title: format!("countersign, {count}"),
        subject: Subject::Generated,
        count: *count,
        folder: folder.clone(),
    }));
    for &(subject, count) in &scale.others {
        let title = format!("{}, {count}", subject.title());
        entrants.push(prepared(subject, count, title)?);
    }
    Ok(entrants)
}

impl Entrant {
    fn start(&self, version: Version, rounds: &mut Rounds) -> Result<()> {
        let mut push = |quantity, value| rounds.push(version.name(), &self.title, quantity, value);
        let start = Instant::now();
        let broker = MeasuredBroker::launch(version, self.subject, &self.folder)?;
        let client = self.first_answer(&broker)?;
        push(READY, start.elapsed().as_secs_f64() * 1e3);
        thread::sleep(QUIET);
        push(RESIDENT, broker.meter.resident()?);
        drop(client);
        // The first time a device is read, the second is the first that it is
        // found as it stays.
        self.log_in(&broker, 2)?;
        thread::sleep(QUIET);
        push(USED, broker.meter.resident()?);
        thread::sleep(SETTLING);
        let before = broker.meter.cpu()?;
        let logins = self.log_in(&broker, NEXT_LOGINS / self.count.min(LOGINS))?;
        let used = broker.meter.cpu()? - before;
        // What a login takes of the broker's thread, of a device that was there.
        push(LOGIN, used.thread / 1e3 / logins as f64);
        Ok(())
    }

    /// Tries until the broker takes a connection, and logs in over that.
    fn first_answer(&self, broker: &MeasuredBroker) -> Result<Client> {
        let connect = self.subject.login(0).connect();
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut client) = connect.open(broker.port()) {
                client.send_bytes(&connect.bytes())?;
                ensure!(
                    client.answer(PATIENCE)?.code() == Some(0),
                    "the first login is refused"
                );
                return Ok(client);
            }
            ensure!(Instant::now() < end, "no connection within {PATIENCE:?}");
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Lets devices from all over the store log in so often, and says how many
    /// logins that were.
    fn log_in(&self, broker: &MeasuredBroker, times: usize) -> Result<usize> {
        let stride = (self.count / LOGINS).max(1);
        let numbers = (0..self.count.min(LOGINS)).map(|index| index * stride);
        let connects = self.subject.connects(numbers);
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
