//! How a connected client fares while many others connect, or try to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds, millis, percentile};
use super::fleet::{Fleet, known, stormers};
use super::login::Login;
use super::scale::Scale;
use super::stand::Stand;
use super::subject::{BASELINE, Subject};
use super::{Bench, swarm, wire};

/// While many log in: with chosen passwords, each for the first time.
pub fn during_a_storm(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    let connects = |subject: Subject, scale: &Scale| -> Result<Vec<Vec<u8>>> {
        stormers(subject, scale)
            .map(|index| Ok(subject.login(index)?.connect()))
            .collect()
    };
    let title = |subject| match subject {
        Subject::Chosen => "countersign, Argon2id, first logins",
        _ => subject.title(),
    };
    measure(bench, fleet, "storm", &title, &connects)
}

/// While many try wrong passwords for names that exist.
pub fn during_a_flood(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    let connects = |subject: Subject, scale: &Scale| -> Result<Vec<Vec<u8>>> {
        stormers(subject, scale)
            .map(|index| {
                let Login { username, .. } = subject.login(index)?;
                let password = "cs_00000000000000000000000000000000".to_owned();
                Ok(Login { username, password }.connect())
            })
            .collect()
    };
    let title = |subject| match subject {
        Subject::Chosen => "countersign, Argon2id",
        _ => subject.title(),
    };
    measure(bench, fleet, "flood", &title, &connects)
}

type Connects<'a> = &'a dyn Fn(Subject, &Scale) -> Result<Vec<Vec<u8>>>;

fn measure(
    bench: &Bench,
    fleet: &Fleet,
    name: &'static str,
    title: &dyn Fn(Subject) -> &'static str,
    connects: Connects<'_>,
) -> Result<Vec<Figure>> {
    let Scale { rounds, storm, .. } = bench.scale;
    let case = format!(
        "{IN_FLIGHT} at a time for {:.1} s a round",
        storm.as_secs_f64()
    );
    println!("{name}: {case}, {rounds} rounds");
    let mut table = Rounds::of(name, case);
    for round in 0..rounds {
        for member in fleet.in_turn(round) {
            let stand = &member.stand;
            let connects = connects(stand.subject, &bench.scale)?;
            // Each round goes on where the last one ended: who logged in then
            // is no stranger any more.
            let first = round * connects.len() / rounds;
            let bystander = Bystander::start(stand, &bench.scale)?;
            let end = Instant::now() + storm;
            let outcome = swarm::run(
                stand.port(),
                IN_FLIGHT,
                connects
                    .iter()
                    .cycle()
                    .skip(first)
                    .take_while(|_| Instant::now() < end)
                    .cloned(),
            )?;
            let pings = bystander.finish()?;
            let (version, title) = (stand.version, title(stand.subject));
            for (quantity, share) in [(P50, 0.5), (P99, 0.99), (MAX, 1.0)] {
                table.push(version, title, quantity, percentile(&pings, share));
            }
            let seconds = outcome.elapsed.as_secs_f64();
            table.push(version, title, ADMITTED, outcome.admitted as f64 / seconds);
            let refused = outcome.refused + outcome.dropped;
            table.push(version, title, REFUSED, refused as f64 / seconds);
        }
    }
    Ok(table.figures(BASELINE))
}

/// A client that sends one PINGREQ after another.
struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<f64>>>,
}

impl Bystander {
    fn start(stand: &Stand, scale: &Scale) -> Result<Self> {
        let device = known(stand.subject, scale).start;
        let connect = wire::connect("bystander", &stand.subject.login(device)?);
        let mut connection = Connection::admitted(stand.port(), &connect)?;
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
    fn finish(self) -> Result<Vec<f64>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("the bystander panicked"))?
    }
}

const P50: Quantity = Quantity::median("ping p50", "ms");
const P99: Quantity = Quantity::median("ping p99", "ms");
const MAX: Quantity = Quantity::maximum("ping max", "ms");
const ADMITTED: Quantity = Quantity::median("admitted", "/s");
const REFUSED: Quantity = Quantity::median("refused", "/s");

const IN_FLIGHT: usize = 50;
const BETWEEN: Duration = Duration::from_millis(1);
