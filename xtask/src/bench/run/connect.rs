//! CPU and time of a login.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds};
use super::fleet::{Fleet, Member, fresh, known};
use super::meter::Cpu;
use super::scale::Scale;
use super::stand::Window;
use super::subject::{BASELINE, Subject};
use super::{Bench, swarm};

pub fn measure(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for in_flight in [1, 50] {
        let case = match in_flight {
            1 => format!("{} logins a round, one after another", bench.scale.connects),
            many => format!("{} logins a round, {many} at a time", bench.scale.connects),
        };
        println!("connect: {case}, {} rounds", bench.scale.rounds);
        let mut turns = Turns {
            bench,
            in_flight,
            rounds: Rounds::of("connect", case),
            settling: Vec::new(),
        };
        for round in 0..bench.scale.rounds {
            for member in fleet.in_turn(round) {
                for kind in Kind::of(member.stand.subject, in_flight) {
                    turns.take(member, *kind, round)?;
                }
            }
            turns.settle(|_| true)?;
        }
        figures.extend(turns.rounds.figures(BASELINE));
    }
    Ok(figures)
}

/// Who logs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Devices that did before.
    Known,
    /// Devices that never did.
    Fresh,
}

impl Kind {
    /// Those that are measured of a subject.
    fn of(subject: Subject, in_flight: usize) -> &'static [Self] {
        match subject {
            Subject::Generated | Subject::Chosen if in_flight == 1 => &[Self::Known, Self::Fresh],
            _ => &[Self::Known],
        }
    }

    fn title(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Self::Fresh, Subject::Generated) => "countersign, generated, first login",
            (Self::Fresh, Subject::Chosen) => "countersign, Argon2id, first login",
            (_, subject) => subject.title(),
        }
    }
}

struct Turns<'a> {
    bench: &'a Bench,
    in_flight: usize,
    rounds: Rounds,
    settling: Vec<Settling<'a>>,
}

/// A turn whose broker still writes down what happened in it.
struct Settling<'a> {
    member: &'a Member,
    title: &'static str,
    window: Window<'a>,
    logins: usize,
}

impl<'a> Turns<'a> {
    fn take(&mut self, member: &'a Member, kind: Kind, round: usize) -> Result<()> {
        // What an earlier turn left to be written is not this one's.
        self.settle(|settling| std::ptr::eq(settling.member, member))?;
        let stand = &member.stand;
        let connects = connects(stand.subject, &self.bench.scale, kind, round)?;
        let logins = connects.len();
        let mut window = Window::open(stand)?;
        let title = kind.title(stand.subject);
        if (kind, stand.subject) == (Kind::Fresh, Subject::Chosen) {
            // At a pace at which no broker has to refuse for its budget's sake.
            for connect in &connects {
                Connection::admitted_at_last(stand.port(), connect)?.disconnect()?;
                std::thread::sleep(PACE);
            }
        } else {
            let outcome = swarm::run(stand.port(), self.in_flight, connects.into_iter())?;
            ensure!(
                outcome.admitted == logins,
                "{title}: not all were let in: {outcome:?}"
            );
            let rate = logins as f64 / outcome.elapsed.as_secs_f64();
            self.rounds.push(stand.version, title, RATE, rate);
        }
        window.work_is_done();
        self.settling.push(Settling {
            member,
            title,
            window,
            logins,
        });
        Ok(())
    }

    /// Waits for the turns that `wanted` names and takes their figures.
    fn settle(&mut self, wanted: impl Fn(&Settling<'_>) -> bool) -> Result<()> {
        let (now, later) = std::mem::take(&mut self.settling)
            .into_iter()
            .partition(|settling| wanted(settling) || settling.window.left().is_zero());
        self.settling = later;
        for settling in now {
            let Settling {
                member,
                title,
                window,
                logins,
            } = settling;
            let Cpu { process, thread } = window.settle(member.idle)?;
            let each = |nanos: f64| nanos / 1e3 / logins as f64;
            let version = member.stand.version;
            self.rounds.push(version, title, CPU, each(process));
            self.rounds.push(version, title, THREAD, each(thread));
        }
        Ok(())
    }
}

fn connects(subject: Subject, scale: &Scale, kind: Kind, round: usize) -> Result<Vec<Vec<u8>>> {
    let connect = |index| Ok(subject.login(index)?.connect());
    match kind {
        Kind::Fresh => fresh(subject, scale, round).map(connect).collect(),
        Kind::Known => known(subject, scale)
            .cycle()
            .take(scale.connects)
            .map(connect)
            .collect(),
    }
}

const CPU: Quantity = Quantity::median("CPU", "µs");
const THREAD: Quantity = Quantity::median("broker thread", "µs");
const RATE: Quantity = Quantity::median("logins", "/s");

const PACE: Duration = Duration::from_millis(100);
