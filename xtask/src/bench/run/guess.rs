//! How a connected client and a device that logs in fare while others guess, a
//! thousand times a second, from one address or from two hundred.

use std::collections::VecDeque;
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::Bench;
use super::broker::MeasuredBroker;
use super::bystander::Bystander;
use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds, millis, percentile};
use super::fleet::{Fleet, stormers};
use super::login::Login;
use super::subject::{BASELINE, Subject};
use super::wire;

pub fn measure(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut nth = 0;
    for guess in Guess::ALL {
        for addresses in [1, 200] {
            let case = format!("1,000 {} a second from {addresses}", guess.title());
            println!("guess: {case}, {} rounds", bench.scale.rounds);
            let mut table = Rounds::of("guess", case);
            for round in 0..bench.scale.rounds {
                let compared = |broker: &&MeasuredBroker| {
                    matches!(broker.subject, Subject::Bare | Subject::Chosen)
                };
                for broker in fleet.in_turn(round).filter(compared) {
                    take_turn(broker, bench, nth, guess, addresses, &mut table)?;
                }
                nth += 1;
            }
            figures.extend(table.figures(BASELINE));
        }
    }
    Ok(figures)
}

fn take_turn(
    broker: &MeasuredBroker,
    bench: &Bench,
    nth: usize,
    guess: Guess,
    addresses: u8,
    table: &mut Rounds,
) -> Result<()> {
    let bystander = Bystander::start(broker, &bench.scale)?;
    let flood = Flood::start(broker.port(), guess, addresses);
    thread::sleep(bench.scale.storm);
    // A device that was never here, at an address where nobody was: from the end
    // of those that storms begin with. Where the storms come from, so much failed
    // that hardly anything is checked for a while.
    let stranger = stormers(broker.subject, &bench.scale).end - 1 - nth;
    let connect = broker.subject.login(stranger)?.connect();
    let start = Instant::now();
    let address = Ipv4Addr::from_bits(STRANGERS.to_bits() + u32::try_from(nth)?);
    let connection = Connection::admitted_at_last_from(address, broker.port(), &connect)?;
    let let_in = start.elapsed();
    connection.disconnect()?;
    let tries = flood.finish()?;
    let pings = bystander.finish()?;
    let mut push = |quantity, value| {
        table.push(
            broker.version.name(),
            broker.subject.title(),
            quantity,
            value,
        );
    };
    for (quantity, share) in [(P50, 0.5), (P99, 0.99), (MAX, 1.0)] {
        push(quantity, percentile(&pings, share));
    }
    push(LET_IN, millis(let_in));
    push(TRIES, tries);
    Ok(())
}

/// What is guessed.
#[derive(Clone, Copy, Debug)]
enum Guess {
    Passwords,
    Names,
    Tokens,
}

impl Guess {
    const ALL: [Self; 3] = [Self::Passwords, Self::Names, Self::Tokens];

    fn title(self) -> &'static str {
        match self {
            Self::Passwords => "wrong passwords",
            Self::Names => "unknown names",
            Self::Tokens => "unknown tokens",
        }
    }

    fn connect(self, number: usize) -> Vec<u8> {
        let login = match self {
            Self::Passwords => Login {
                password: "wrong".to_owned(),
                ..Login::chosen(number % 100)
            },
            Self::Names => Login::chosen(9_000_000 + number % 900_000),
            Self::Tokens => {
                let token = format!("dt_{number:08x}-0000-4000-8000-000000000000");
                Login {
                    username: token.clone(),
                    password: token,
                }
            }
        };
        wire::connect(&format!("guess{number}"), &login)
    }
}

/// A thread that guesses.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<f64>>,
}

impl Flood {
    fn start(port: u16, guess: Guess, addresses: u8) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let start = Instant::now();
            let mut open = VecDeque::new();
            let mut number = 0_usize;
            while !stopped.load(Ordering::Relaxed) {
                let due = start.elapsed().as_secs_f64() * PER_SECOND;
                if (number as f64) < due {
                    let last = (number % usize::from(addresses)) as u8;
                    let address = Ipv4Addr::new(127, 0, 7, last + 1);
                    let mut connection = Connection::open_from(address, port)?;
                    connection.stream.write_all(&guess.connect(number))?;
                    open.push_back(connection);
                    // Whoever has heard nothing by then goes away.
                    if open.len() > MOST_OPEN {
                        open.pop_front();
                    }
                    number += 1;
                } else {
                    thread::sleep(Duration::from_micros(200));
                }
            }
            Ok(number as f64 / start.elapsed().as_secs_f64())
        });
        Self { stop, thread }
    }

    /// How many there were in a second.
    fn finish(self) -> Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("those who guess panicked"))?
    }
}

const P50: Quantity = Quantity::median("ping p50", "ms");
const P99: Quantity = Quantity::median("ping p99", "ms");
const MAX: Quantity = Quantity::maximum("ping max", "ms");
const LET_IN: Quantity = Quantity::maximum("another let in", "ms");
const TRIES: Quantity = Quantity::median("guesses", "/s");

const PER_SECOND: f64 = 1_000.0;
const MOST_OPEN: usize = 300;
/// The first of the addresses that devices come from.
const STRANGERS: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 1);
