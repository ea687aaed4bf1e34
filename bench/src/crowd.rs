//! How a connected client fares while many others connect, or try to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use countersign_core::secret::HashMemory;
use countersign_testkit::Version;

use crate::figure::{Figure, Quantity, Rounds, median};
use crate::fleet::{Fleet, MeasuredBroker, PATIENCE, leave};
use crate::scale::Scale;
use crate::store::hash_of_chosen;
use crate::subject::{BASELINE, Subject};
use crate::swarm;

/// Those who crowd the broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crowd {
    /// Many log in: with chosen passwords, each for the first time.
    Storm,
    /// Many try wrong passwords for names that exist.
    Flood,
}

impl Crowd {
    fn title(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Self::Storm, Subject::Chosen) => "countersign, Argon2id, first logins",
            (Self::Flood, Subject::Chosen) => "countersign, Argon2id",
            (_, subject) => subject.title(),
        }
    }

    fn connects(self, subject: Subject, scale: &Scale) -> Vec<Vec<u8>> {
        let stormers = subject.stormers(scale);
        if self == Self::Storm {
            return subject.connects(stormers);
        }
        let wrong = |index| {
            let mut login = subject.login(index);
            login.password = "cs_00000000000000000000000000000000".to_owned();
            login.connect().bytes()
        };
        stormers.map(wrong).collect()
    }

    /// Measures it at each broker of the fleet in turns.
    pub fn measure(self, scale: &Scale, fleet: &Fleet) -> Result<Vec<Figure>> {
        let name = match self {
            Self::Storm => "storm",
            Self::Flood => "flood",
        };
        let seconds = scale.storm.as_secs_f64();
        let case = format!("{IN_FLIGHT} at a time for {seconds:.1} s a round");
        let mut rounds = Rounds::begin(name, case);
        for round in 0..scale.rounds {
            for broker in fleet.in_turn(round) {
                let title = self.title(broker.subject);
                self.take_turn(broker, scale, round, title, &mut rounds)?;
            }
        }
        Ok(rounds.figures(BASELINE))
    }

    /// Measures it at one broker, in one round of them all.
    pub fn take_turn(
        self,
        broker: &MeasuredBroker,
        scale: &Scale,
        round: usize,
        title: &str,
        rounds: &mut Rounds,
    ) -> Result<()> {
        let connects = self.connects(broker.subject, scale);
        // Each round goes on where no other has been: who logged in once is no
        // stranger any more.
        let first = round * connects.len() / scale.rounds;
        let connects = connects.iter().cycle().skip(first).cloned();
        let mut begun = None;
        // From the first on.
        let connects = connects.take_while(|_| {
            let begun: &mut Instant = begun.get_or_insert_with(Instant::now);
            begun.elapsed() < scale.storm
        });
        let per_second = log_in(broker, scale, connects, title, rounds)?;
        let version = broker.version;
        if (self, broker.subject, version) == (Self::Storm, Subject::Chosen, Version::V2_1) {
            let share = 100.0 * per_second / hashes_a_second()?;
            rounds.push(version.name(), title, OF_WORKER, share);
        }
        Ok(())
    }
}

/// Sends these CONNECTs, many at a time, while a bystander pings; returns how many are
/// answered in a second.
pub fn log_in(
    broker: &MeasuredBroker,
    scale: &Scale,
    connects: impl Iterator<Item = Vec<u8>>,
    title: &str,
    rounds: &mut Rounds,
) -> Result<f64> {
    let bystander = bystander(broker, scale)?;
    let before = broker.meter.cpu()?;
    let outcome = swarm::run(broker.port(), IN_FLIGHT, connects)?;
    let used = broker.meter.cpu()? - before;
    let pings = bystander.finish()?;

    let version = broker.version.name();
    rounds.push_times(version, title, PINGS, &pings);
    let mut push = |quantity, value| rounds.push(version, title, quantity, value);
    let refused = outcome.refused + outcome.dropped;
    let tries = (outcome.admitted + refused) as f64;
    let per_second = tries / outcome.elapsed.as_secs_f64();
    push(TRIES, per_second);
    push(REFUSED, 100.0 * refused as f64 / tries);
    push(THREAD, used.thread / 1e3 / tries);
    push(PROCESS, used.process / 1e3 / tries);
    push(RESIDENT, broker.meter.resident()?);
    Ok(per_second)
}

/// How many passwords one core checks that has nothing else to do. Countersign
/// leaves one core to the broker, so on two cores that is what it can hash.
fn hashes_a_second() -> Result<f64> {
    let (password, hash) = hash_of_chosen()?;
    let mut memory = HashMemory::default();
    let times = (0..HASHES).map(|_| {
        let start = Instant::now();
        std::hint::black_box(hash.verify_in(&password, &mut memory));
        start.elapsed().as_secs_f64()
    });
    Ok(median(&times.collect::<Vec<f64>>()).recip())
}

/// A client that sends one PINGREQ after another until it is stopped, and says how
/// long each answer took, in milliseconds.
pub fn bystander(broker: &MeasuredBroker, scale: &Scale) -> Result<Repeated<Vec<f64>>> {
    let device = broker.subject.known(scale).start;
    let mut client = broker.admit(&broker.subject.login(device).connect_as("bystander"))?;
    Ok(Repeated::start(move |stopped| {
        let mut pings = Vec::new();
        while !stopped() {
            pings.push(client.ping(PATIENCE)?.as_secs_f64() * 1e3);
            thread::sleep(BETWEEN);
        }
        leave(client)?;
        Ok(pings)
    }))
}

/// A thread that goes on until it is told to stop.
pub struct Repeated<T> {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<T>>,
}

impl<T: Send + 'static> Repeated<T> {
    /// Starts it; `act` asks now and then whether to stop.
    pub fn start(act: impl FnOnce(&dyn Fn() -> bool) -> Result<T> + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || act(&|| stopped.load(Ordering::Relaxed)));
        Self { stop, thread }
    }

    /// Stops it and returns what it came to.
    pub fn finish(self) -> Result<T> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("a thread panicked"))?
    }
}

/// Of the pings of a bystander.
pub const PINGS: [Quantity; 3] = [
    Quantity::median("ping p50", "ms"),
    Quantity::median("ping p99", "ms"),
    Quantity::maximum("ping max", "ms"),
];
const TRIES: Quantity = Quantity::median("tries", "/s");
const REFUSED: Quantity = Quantity::median("refused", "%");
const THREAD: Quantity = Quantity::median("thread", "µs a try");
const PROCESS: Quantity = Quantity::median("process", "µs a try");
/// Of the hashes that one core could have computed.
const OF_WORKER: Quantity = Quantity::median("of a core's hashes", "%");
const RESIDENT: Quantity = Quantity::maximum("resident", "MiB");

const IN_FLIGHT: usize = 50;
const HASHES: usize = 11;
const BETWEEN: Duration = Duration::from_millis(1);
