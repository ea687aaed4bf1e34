//! All subjects on both lines of Mosquitto, running side by side.

use std::ops::Range;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result};

use super::broker::{MeasuredBroker, SETTLING};
use super::connection::Connection;
use super::meter::Cpu;
use super::scale::Scale;
use super::subject::Subject;
use super::{Bench, swarm};
use crate::brokers::Version;

/// Brokers that are compared.
pub struct Fleet {
    stands: Vec<MeasuredBroker>,
}

impl Fleet {
    /// The fleet in `place`, started if there is none.
    pub fn in_place<'a>(place: &'a mut Option<Self>, bench: &Bench) -> Result<&'a Self> {
        Ok(match place {
            Some(fleet) => fleet,
            None => place.insert(Self::start(bench)?),
        })
    }

    /// Starts them and lets every device that is to be known log in once.
    fn start(bench: &Bench) -> Result<Self> {
        println!(
            "starting a fleet: {} subjects on 2.0.11 and 2.1",
            Subject::ALL.len()
        );
        let mut stands = Vec::new();
        for version in VERSIONS {
            for subject in Subject::ALL {
                let folder = folder(bench, version, subject);
                let used = all_returning(subject, &bench.scale);
                subject.prepare(bench, &folder, used.end, used)?;
                stands.push(MeasuredBroker::start(bench, version, subject, &folder)?);
            }
        }
        for broker in &stands {
            introduce(broker, &bench.scale).with_context(|| {
                format!("{} on {}", broker.subject.title(), broker.version.name())
            })?;
        }
        thread::sleep(SETTLING);
        Ok(Self { stands })
    }

    /// Its brokers, from a different one on in each round, so that none always
    /// follows the same other.
    pub fn in_turn(&self, round: usize) -> impl Iterator<Item = &MeasuredBroker> {
        let count = self.stands.len();
        (0..count).filter_map(move |index| self.stands.get((index + round) % count))
    }

    /// Its brokers, by version and subject.
    pub fn stands(&self) -> &[MeasuredBroker] {
        &self.stands
    }

    /// The CPU that each broker used so far.
    pub fn cpu(&self) -> Result<Vec<Cpu>> {
        self.stands
            .iter()
            .map(|broker| broker.meter.cpu())
            .collect()
    }
}

/// The numbers of the devices that have logged in before anything is measured.
pub fn known(subject: Subject, scale: &Scale) -> Range<usize> {
    0..match subject {
        // Each is a slow hash.
        Subject::Chosen => KNOWN_PASSWORDS.min(scale.connects),
        Subject::Bare
        | Subject::Yes
        | Subject::Files
        | Subject::DynamicSecurity
        | Subject::Generated
        | Subject::Roles => scale.connects,
    }
}

/// The numbers of the devices that log in for the first time in this round.
pub fn fresh(subject: Subject, scale: &Scale, round: usize) -> Range<usize> {
    let each = match subject {
        Subject::Chosen => scale.first_passwords,
        Subject::Generated => scale.first_logins,
        Subject::Bare
        | Subject::Yes
        | Subject::Files
        | Subject::DynamicSecurity
        | Subject::Roles => 0,
    };
    let start = known(subject, scale).end + round * each;
    start..start + each
}

/// The numbers of the devices that are kept for storms.
pub fn stormers(subject: Subject, scale: &Scale) -> Range<usize> {
    match subject {
        Subject::Chosen => {
            let start = fresh(subject, scale, scale.rounds).start;
            start..start + 2_000
        }
        Subject::Bare
        | Subject::Yes
        | Subject::Files
        | Subject::DynamicSecurity
        | Subject::Generated
        | Subject::Roles => known(subject, scale),
    }
}

/// The numbers of the devices that logged in before their broker was started
/// and log in again in this round.
pub fn returning(subject: Subject, scale: &Scale, round: usize) -> Range<usize> {
    let each = match subject {
        Subject::Chosen => scale.first_passwords,
        Subject::Bare
        | Subject::Yes
        | Subject::Files
        | Subject::DynamicSecurity
        | Subject::Generated
        | Subject::Roles => 0,
    };
    let others = fresh(subject, scale, scale.rounds)
        .start
        .max(stormers(subject, scale).end);
    let start = others + round * each;
    start..start + each
}

/// The numbers of all of those, which are the last ones.
fn all_returning(subject: Subject, scale: &Scale) -> Range<usize> {
    let of = |round| returning(subject, scale, round).start;
    of(0)..of(scale.rounds)
}

fn folder(bench: &Bench, version: Version, subject: Subject) -> PathBuf {
    bench
        .folder
        .path()
        .join(format!("{subject:?}-{}", version.name()))
}

/// Lets each device that is to be known log in once.
fn introduce(broker: &MeasuredBroker, scale: &Scale) -> Result<()> {
    let known = known(broker.subject, scale);
    if broker.subject == Subject::Chosen {
        for index in known {
            let connect = broker.subject.login(index)?.connect();
            Connection::admitted_at_last(broker.port(), &connect)?.disconnect()?;
        }
        return Ok(());
    }
    let connects: Vec<_> = known
        .map(|index| Ok(broker.subject.login(index)?.connect()))
        .collect::<Result<_>>()?;
    let count = connects.len();
    let outcome = swarm::run(broker.port(), 10, connects.into_iter())?;
    anyhow::ensure!(
        outcome.admitted == count,
        "not all were let in: {outcome:?}, the last one: {}",
        broker.last_refusal()
    );
    Ok(())
}

/// The oldest line that is supported, and the newest.
pub const VERSIONS: [Version; 2] = [Version::V2_0_11, Version::V2_1];

/// How many devices with chosen passwords reconnect.
const KNOWN_PASSWORDS: usize = 100;
