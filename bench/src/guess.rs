//! How a connected client and a device that logs in fare while others guess, a
//! thousand times a second, from one address or from two hundred.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use countersign_testkit::Connect;

use crate::crowd::{PINGS, Repeated, bystander};
use crate::figure::{Figure, Quantity, Rounds};
use crate::fleet::{Fleet, MeasuredBroker, leave};
use crate::login::Login;
use crate::scale::Scale;
use crate::subject::{BASELINE, Subject};

pub fn measure(scale: &Scale, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut nth = 0;
    for guess in [Guess::Passwords, Guess::Names, Guess::Tokens] {
        for addresses in [1, 200] {
            let case = format!("1,000 {} a second from {addresses}", guess.title());
            let mut rounds = Rounds::begin("guess", case);
            for round in 0..scale.rounds {
                let compared = |broker: &&MeasuredBroker| {
                    matches!(broker.subject, Subject::Bare | Subject::Chosen)
                };
                for broker in fleet.in_turn(round).filter(compared) {
                    take_turn(broker, scale, nth, guess, addresses, &mut rounds)?;
                }
                nth += 1;
            }
            figures.extend(rounds.figures(BASELINE));
        }
    }
    Ok(figures)
}

fn take_turn(
    broker: &MeasuredBroker,
    scale: &Scale,
    nth: usize,
    guess: Guess,
    addresses: u8,
    rounds: &mut Rounds,
) -> Result<()> {
    let bystander = bystander(broker, scale)?;
    let flood = guess.flood(broker.port(), addresses);
    thread::sleep(scale.storm);
    // A device that was never here, at an address where nobody was: from the end
    // of those that storms begin with. Where the storms come from, so much failed
    // that hardly anything is checked for a while.
    let stranger = broker.subject.stormers(scale).end - 1 - nth;
    let address = Ipv4Addr::from_bits(STRANGERS.to_bits() + u32::try_from(nth)?);
    let connect = broker.subject.login(stranger).connect().source(address);
    let start = Instant::now();
    let client = broker.admit(&connect)?;
    let let_in = start.elapsed();
    leave(client)?;
    let tries = flood.finish()?;
    let (version, title) = (broker.version.name(), broker.subject.title());
    rounds.push_times(version, title, PINGS, &bystander.finish()?);
    rounds.push(version, title, LET_IN, let_in.as_secs_f64() * 1e3);
    rounds.push(version, title, TRIES, tries);
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
    fn title(self) -> &'static str {
        match self {
            Self::Passwords => "wrong passwords",
            Self::Names => "unknown names",
            Self::Tokens => "unknown tokens",
        }
    }

    fn connect(self, number: usize) -> Connect {
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
        login.connect_as(&format!("guess{number}"))
    }

    /// Guesses until it is stopped, and says how many there were in a second.
    fn flood(self, port: u16, addresses: u8) -> Repeated<f64> {
        Repeated::start(move |stopped| {
            let start = Instant::now();
            let mut open = VecDeque::new();
            let mut number = 0_usize;
            while !stopped() {
                let due = start.elapsed().as_secs_f64() * PER_SECOND;
                if number as f64 >= due {
                    thread::sleep(Duration::from_micros(200));
                    continue;
                }
                let last = (number % usize::from(addresses)) as u8;
                let address = Ipv4Addr::new(127, 0, 7, last + 1);
                open.push_back(self.connect(number).source(address).send(port)?);
                // Whoever has heard nothing by then goes away.
                if open.len() > MOST_OPEN {
                    open.pop_front();
                }
                number += 1;
            }
            Ok(number as f64 / start.elapsed().as_secs_f64())
        })
    }
}

const LET_IN: Quantity = Quantity::maximum("another let in", "ms");
const TRIES: Quantity = Quantity::median("guesses", "/s");

const PER_SECOND: f64 = 1_000.0;
const MOST_OPEN: usize = 300;
/// The first of the addresses that devices come from.
const STRANGERS: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 1);
