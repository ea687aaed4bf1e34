//! How a connected client fares while many others connect, or try to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use countersign_core::secret::{Argon2Params, HashMemory, PasswordHash, Secret};

use super::broker::MeasuredBroker;
use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds, millis, percentile};
use super::fleet::{Fleet, known, stormers};
use super::scale::Scale;
use super::subject::{BASELINE, Subject};
use super::{Bench, login, swarm, wire};
use crate::brokers::Version;

/// While many log in: with chosen passwords, each for the first time.
pub fn during_a_storm(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    Crowd::Storm.measure(bench, fleet)
}

/// While many try wrong passwords for names that exist.
pub fn during_a_flood(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    Crowd::Flood.measure(bench, fleet)
}

/// Those who crowd the broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Crowd {
    Storm,
    Flood,
}

impl Crowd {
    fn name(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Flood => "flood",
        }
    }

    fn title(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Self::Storm, Subject::Chosen) => "countersign, Argon2id, first logins",
            (Self::Flood, Subject::Chosen) => "countersign, Argon2id",
            (_, subject) => subject.title(),
        }
    }

    fn connects(self, subject: Subject, scale: &Scale) -> Result<Vec<Vec<u8>>> {
        let connect = |index| {
            let mut login = subject.login(index)?;
            if self == Self::Flood {
                login.password = "cs_00000000000000000000000000000000".to_owned();
            }
            Ok(login.connect())
        };
        stormers(subject, scale).map(connect).collect()
    }

    fn measure(self, bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
        let rounds = bench.scale.rounds;
        let seconds = bench.scale.storm.as_secs_f64();
        let case = format!("{IN_FLIGHT} at a time for {seconds:.1} s a round");
        println!("{}: {case}, {rounds} rounds", self.name());
        let mut table = Rounds::of(self.name(), case);
        for round in 0..rounds {
            for broker in fleet.in_turn(round) {
                self.take_turn(broker, bench, round, &mut table)?;
            }
        }
        Ok(table.figures(BASELINE))
    }

    fn take_turn(
        self,
        broker: &MeasuredBroker,
        bench: &Bench,
        round: usize,
        table: &mut Rounds,
    ) -> Result<()> {
        let connects = self.connects(broker.subject, &bench.scale)?;
        // Each round goes on where no other has been: who logged in once is no
        // stranger any more.
        let first = round * connects.len() / bench.scale.rounds;
        let bystander = Bystander::start(broker, &bench.scale)?;
        let before = broker.meter.cpu()?;
        let end = Instant::now() + bench.scale.storm;
        let outcome = swarm::run(
            broker.port(),
            IN_FLIGHT,
            connects
                .iter()
                .cycle()
                .skip(first)
                .take_while(|_| Instant::now() < end)
                .cloned(),
        )?;
        let used = broker.meter.cpu()? - before;
        let pings = bystander.finish()?;

        let mut push = |quantity, value| {
            table.push(
                broker.version.name(),
                self.title(broker.subject),
                quantity,
                value,
            );
        };
        for (quantity, share) in [(P50, 0.5), (P99, 0.99), (MAX, 1.0)] {
            push(quantity, percentile(&pings, share));
        }
        let refused = outcome.refused + outcome.dropped;
        let tries = (outcome.admitted + refused) as f64;
        let seconds = outcome.elapsed.as_secs_f64();
        push(TRIES, tries / seconds);
        if self == Self::Storm
            && broker.subject == Subject::Chosen
            && broker.version == Version::V2_1
        {
            push(OF_WORKER, 100.0 * tries / seconds / hashes_a_second()?);
        }
        push(REFUSED, 100.0 * refused as f64 / tries);
        push(THREAD, used.thread / 1e3 / tries);
        push(RESIDENT, broker.meter.resident()?);
        Ok(())
    }
}

/// How many passwords one core checks that has nothing else to do. Countersign
/// leaves one core to the broker, so on two cores that is what it can hash.
fn hashes_a_second() -> Result<f64> {
    let password = Secret::new(login::CHOSEN.as_bytes().to_vec());
    let hash = PasswordHash::new(&password, [7; 16], Argon2Params::default())
        .context("cannot hash the password")?;
    let mut memory = HashMemory::default();
    let mut times: Vec<f64> = (0..HASHES)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(hash.verify_in(&password, &mut memory));
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    Ok(1.0 / times.get(HASHES / 2).context("nothing was hashed")?)
}

/// A client that sends one PINGREQ after another.
pub struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<f64>>>,
}

impl Bystander {
    pub fn start(broker: &MeasuredBroker, scale: &Scale) -> Result<Self> {
        let device = known(broker.subject, scale).start;
        let connect = wire::connect("bystander", &broker.subject.login(device)?);
        let mut connection = Connection::admitted(broker.port(), &connect)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut pings = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                pings.push(millis(connection.ping()?));
                thread::sleep(BETWEEN);
            }
            connection.disconnect()?;
            Ok(pings)
        });
        Ok(Self { stop, thread })
    }

    /// How long each answer took, in milliseconds.
    pub fn finish(self) -> Result<Vec<f64>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("the bystander panicked"))?
    }
}

const P50: Quantity = Quantity::median("ping p50", "ms");
const P99: Quantity = Quantity::median("ping p99", "ms");
const MAX: Quantity = Quantity::maximum("ping max", "ms");
const TRIES: Quantity = Quantity::median("tries", "/s");
const REFUSED: Quantity = Quantity::median("refused", "%");
const THREAD: Quantity = Quantity::median("thread", "µs a try");
/// Of the hashes that one core could have computed.
const OF_WORKER: Quantity = Quantity::median("of a core's hashes", "%");

const RESIDENT: Quantity = Quantity::maximum("resident", "MiB");

const IN_FLIGHT: usize = 50;
const HASHES: usize = 11;
const BETWEEN: Duration = Duration::from_millis(1);
