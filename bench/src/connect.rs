//! CPU and time of a login.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::figure::{Figure, Quantity, Rounds};
use crate::fleet::{Fleet, MeasuredBroker, SETTLING, leave};
use crate::meter::Cpu;
use crate::scale::Scale;
use crate::subject::{BASELINE, Subject};
use crate::swarm;

pub fn measure(scale: &Scale, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for pace in [Pace::AtOnce(1), Pace::AtOnce(50), Pace::Apart] {
        let mut rounds = Rounds::begin("connect", pace.title(scale));
        for round in 0..scale.rounds {
            let mut turns: Vec<Turn<'_>> = Vec::new();
            for kind in [Kind::Known, Kind::Fresh, Kind::Returning] {
                let is_measured = |broker: &&MeasuredBroker| kind.is_measured(broker, pace);
                for broker in fleet.in_turn(round).filter(is_measured) {
                    for turn in &mut turns {
                        // What an earlier turn left to be written is not this one's.
                        turn.settle(std::ptr::eq(turn.broker, broker))?;
                    }
                    let numbers = kind.numbers(broker.subject, pace, scale, round);
                    turns.push(Turn::take(broker, kind, pace, numbers, &mut rounds)?);
                }
            }
            for turn in &mut turns {
                turn.settle(true)?;
            }
            // What each uses without any login, now that it is quiet.
            let idle = fleet.used_in(IDLE, thread::sleep)?;
            for (broker, idle) in fleet.brokers().iter().zip(idle) {
                let its = |turn: &&Turn<'_>| std::ptr::eq(turn.broker, broker);
                for turn in turns.iter().filter(its) {
                    if let Some((used, seconds)) = turn.used {
                        rounds.push_cpu(broker, turn.title, used - idle * seconds, turn.logins);
                    }
                }
            }
        }
        figures.extend(rounds.figures(BASELINE));
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
        let logins = self.known_logins(scale);
        match self {
            Self::AtOnce(1) => format!("{logins} logins a round, one after another"),
            Self::AtOnce(many) => format!("{logins} logins a round, {many} at a time"),
            Self::Apart => format!("{logins} logins a round, {} ms apart", PAUSE.as_millis()),
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

    fn numbers(self, subject: Subject, pace: Pace, scale: &Scale, round: usize) -> Vec<usize> {
        match self {
            Self::Fresh => subject.fresh(scale, round).collect(),
            Self::Returning => subject.returning(scale, round).collect(),
            Self::Known => {
                let known = subject.known(scale).cycle();
                known.take(pace.known_logins(scale)).collect()
            }
        }
    }
}

/// Logins at one broker, and the CPU from just before them until what they set
/// off is done, too.
struct Turn<'a> {
    broker: &'a MeasuredBroker,
    title: &'static str,
    logins: usize,
    before: Cpu,
    opened: Instant,
    ended: Instant,
    /// CPU, and in how many seconds; set once it has settled.
    used: Option<(Cpu, f64)>,
}

impl<'a> Turn<'a> {
    fn take(
        broker: &'a MeasuredBroker,
        kind: Kind,
        pace: Pace,
        numbers: Vec<usize>,
        rounds: &mut Rounds,
    ) -> Result<Self> {
        let (subject, logins) = (broker.subject, numbers.len());
        let title = kind.title(subject);
        let connects = subject.connects(numbers.iter().copied());
        let (before, opened) = (broker.meter.cpu()?, Instant::now());
        match pace {
            Pace::AtOnce(in_flight) => {
                let outcome = swarm::run(broker.port(), in_flight, connects.into_iter())?;
                let version = broker.version.name();
                let rate = logins as f64 / outcome.elapsed.as_secs_f64();
                rounds.push(version, title, RATE, rate);
                let refused = logins - outcome.admitted;
                if refused > 0 {
                    let last = broker.last_refusal();
                    println!("  {title}: {outcome:?}, the last one: {last}");
                    rounds.push(version, title, REFUSED, refused as f64);
                }
                ensure!(refused * 100 <= logins, "{title}: many were refused");
            }
            Pace::Apart => {
                for number in numbers {
                    leave(broker.admit(&subject.login(number).connect())?)?;
                    thread::sleep(PAUSE);
                }
            }
        }
        Ok(Self {
            broker,
            title,
            logins,
            before,
            opened,
            ended: Instant::now(),
            used: None,
        })
    }

    /// Takes its figures, if what the broker put off is done or is to be waited
    /// for.
    fn settle(&mut self, wait: bool) -> Result<()> {
        let left = SETTLING.saturating_sub(self.ended.elapsed());
        if self.used.is_none() && (wait || left.is_zero()) {
            thread::sleep(left);
            let used = self.broker.meter.cpu()? - self.before;
            self.used = Some((used, self.opened.elapsed().as_secs_f64()));
        }
        Ok(())
    }
}

const RATE: Quantity = Quantity::median("logins", "/s");
/// Of logins that are right.
const REFUSED: Quantity = Quantity::maximum("refused", "a round");

const PAUSE: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_millis(700);
