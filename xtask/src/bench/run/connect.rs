//! CPU and time of a login.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Bench;
use super::broker::MeasuredBroker;
use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds};
use super::fleet::{Fleet, fresh, known, returning};
use super::meter::Cpu;
use super::scale::Scale;
use super::subject::{BASELINE, Subject};
use super::swarm::{self, Outcome};
use super::window::{self, Used, Window};

pub fn measure(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for pace in [Pace::AtOnce(1), Pace::AtOnce(50), Pace::Apart] {
        let case = pace.title(&bench.scale);
        println!("connect: {case}, {} rounds", bench.scale.rounds);
        let mut turns = Turns {
            bench,
            pace,
            rounds: Rounds::of("connect", case),
            settling: Vec::new(),
            settled: Vec::new(),
        };
        for round in 0..bench.scale.rounds {
            for kind in [Kind::Known, Kind::Fresh, Kind::Returning] {
                let stands = fleet.in_turn(round);
                for broker in stands.filter(|broker| kind.is_measured(broker, pace)) {
                    turns.take(broker, kind, round)?;
                }
            }
            turns.end_round(fleet)?;
        }
        figures.extend(turns.rounds.figures(BASELINE));
    }
    Ok(figures)
}

/// How logins follow each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pace {
    /// Without a pause, so many at a time.
    AtOnce(usize),
    /// One, and a pause in which the broker sleeps. No broker has to refuse a
    /// slow hash for its budget's sake then; and whatever runs meanwhile, on the
    /// machine or elsewhere, has taken the broker's place in the caches.
    Apart,
}

impl Pace {
    fn title(self, scale: &Scale) -> String {
        match self {
            Self::AtOnce(1) => format!("{} logins a round, one after another", scale.connects),
            Self::AtOnce(many) => format!("{} logins a round, {many} at a time", scale.connects),
            Self::Apart => format!(
                "{} logins a round, {} ms apart",
                scale.first_passwords,
                PAUSE.as_millis()
            ),
        }
    }

    fn known_logins(self, scale: &Scale) -> usize {
        match self {
            Self::AtOnce(_) => scale.connects,
            Self::Apart => scale.first_passwords,
        }
    }
}

/// Who logs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Devices that did before.
    Known,
    /// Devices that never did.
    Fresh,
    /// Devices that did, but not since the broker was started.
    Returning,
}

impl Kind {
    fn is_measured(self, broker: &MeasuredBroker, pace: Pace) -> bool {
        match (self, broker.subject, pace) {
            (Self::Known, ..) => true,
            (Self::Fresh, Subject::Generated, Pace::AtOnce(1)) => true,
            (Self::Fresh | Self::Returning, Subject::Chosen, Pace::Apart) => true,
            (Self::Fresh | Self::Returning, ..) => false,
        }
    }

    fn title(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Self::Fresh, Subject::Generated) => "countersign, generated, first login",
            (Self::Fresh, Subject::Chosen) => "countersign, Argon2id, first login",
            (Self::Returning, _) => "countersign, Argon2id, first since the start",
            (_, subject) => subject.title(),
        }
    }
}

struct Turns<'a> {
    bench: &'a Bench,
    pace: Pace,
    rounds: Rounds,
    settling: Vec<Turn<'a, Window<'a>>>,
    settled: Vec<Turn<'a, Used>>,
}

/// Logins at one broker, and what they took.
struct Turn<'a, T> {
    broker: &'a MeasuredBroker,
    title: &'static str,
    logins: usize,
    took: T,
}

impl<'a> Turns<'a> {
    fn take(&mut self, broker: &'a MeasuredBroker, kind: Kind, round: usize) -> Result<()> {
        // What an earlier turn left to be written is not this one's.
        self.settle(|turn| std::ptr::eq(turn.broker, broker))?;
        let connects = self.connects(broker.subject, kind, round)?;
        let (title, logins) = (kind.title(broker.subject), connects.len());
        let mut window = Window::open(broker)?;
        match self.pace {
            Pace::AtOnce(in_flight) => {
                let outcome = swarm::run(broker.port(), in_flight, connects.into_iter())?;
                self.note(broker, title, logins, &outcome)?;
            }
            Pace::Apart => {
                for connect in &connects {
                    Connection::admitted_at_last(broker.port(), connect)?.disconnect()?;
                    std::thread::sleep(PAUSE);
                }
            }
        }
        window.work_is_done();
        self.settling.push(Turn {
            broker,
            title,
            logins,
            took: window,
        });
        Ok(())
    }

    fn connects(&self, subject: Subject, kind: Kind, round: usize) -> Result<Vec<Vec<u8>>> {
        let scale = &self.bench.scale;
        let connect = |index| Ok(subject.login(index)?.connect());
        match kind {
            Kind::Fresh => fresh(subject, scale, round).map(connect).collect(),
            Kind::Returning => returning(subject, scale, round).map(connect).collect(),
            Kind::Known => known(subject, scale)
                .cycle()
                .take(self.pace.known_logins(scale))
                .map(connect)
                .collect(),
        }
    }

    fn note(
        &mut self,
        broker: &MeasuredBroker,
        title: &str,
        logins: usize,
        outcome: &Outcome,
    ) -> Result<()> {
        let version = broker.version.name();
        let rate = logins as f64 / outcome.elapsed.as_secs_f64();
        self.rounds.push(version, title, RATE, rate);
        let refused = logins - outcome.admitted;
        if refused > 0 {
            println!(
                "  {title}: {outcome:?}, the last one: {}",
                broker.last_refusal()
            );
            self.rounds.push(version, title, REFUSED, refused as f64);
        }
        ensure!(refused * 100 <= logins, "{title}: many were refused");
        Ok(())
    }

    /// Waits for the turns that `wanted` names.
    fn settle(&mut self, wanted: impl Fn(&Turn<'_, Window<'_>>) -> bool) -> Result<()> {
        let (now, later) = std::mem::take(&mut self.settling)
            .into_iter()
            .partition(|turn| wanted(turn) || turn.took.is_settled());
        self.settling = later;
        for turn in now {
            self.settled.push(Turn {
                broker: turn.broker,
                title: turn.title,
                logins: turn.logins,
                took: turn.took.settle()?,
            });
        }
        Ok(())
    }

    /// Takes the figures of all turns, now that it is quiet.
    fn end_round(&mut self, fleet: &Fleet) -> Result<()> {
        self.settle(|_| true)?;
        let idle = window::idle(fleet)?;
        for turn in std::mem::take(&mut self.settled) {
            let stands = fleet.stands().iter().zip(&idle);
            for (_, idle) in stands.filter(|(broker, _)| std::ptr::eq(*broker, turn.broker)) {
                let Cpu { process, thread } = turn.took.beyond(*idle);
                let each = |nanos: f64| nanos / 1e3 / turn.logins as f64;
                let broker = turn.broker.version.name();
                self.rounds.push(broker, turn.title, CPU, each(process));
                self.rounds.push(broker, turn.title, THREAD, each(thread));
            }
        }
        Ok(())
    }
}

const CPU: Quantity = Quantity::median("CPU", "µs");
const THREAD: Quantity = Quantity::median("broker thread", "µs");
const RATE: Quantity = Quantity::median("logins", "/s");
/// Of logins that are right.
const REFUSED: Quantity = Quantity::maximum("refused", "a round");

const PAUSE: Duration = Duration::from_millis(100);
