//! Brokers that are measured: all subjects on both lines of Mosquitto, running
//! side by side.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::mqtt::{Answer, Client, Connect};
use countersign_testkit::{Broker, Version};

use crate::meter::{Cpu, Meter};
use crate::scale::Scale;
use crate::subject::Subject;
use crate::swarm;

/// A running broker and the way it decides.
pub struct MeasuredBroker {
    pub version: Version,
    pub subject: Subject,
    pub meter: Meter,
    broker: Broker,
}

impl MeasuredBroker {
    /// Starts a broker on what [`Subject::prepare`] put into `folder`, and
    /// waits until it takes connections.
    pub fn start(version: Version, subject: Subject, folder: &Path) -> Result<Self> {
        Self::of(subject, subject.configure(version, folder)?.start()?)
    }

    /// Starts a broker and returns at once.
    pub fn launch(version: Version, subject: Subject, folder: &Path) -> Result<Self> {
        let mut broker = subject.configure(version, folder)?.prepare()?;
        broker.launch()?;
        Self::of(subject, broker)
    }

    fn of(subject: Subject, broker: Broker) -> Result<Self> {
        Ok(Self {
            version: broker.version(),
            subject,
            meter: Meter::of(broker.pid())?,
            broker,
        })
    }

    /// What Countersign last said of a login that it refused.
    pub fn last_refusal(&self) -> String {
        let log = self.broker.log();
        let line = log.lines().rfind(|line| line.contains("refused "));
        line.unwrap_or_default().to_owned()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.broker.port()
    }

    /// Connects and must be let in, at last: a broker that has hashed enough
    /// for this second refuses for a while.
    pub fn admit(&self, connect: &Connect) -> Result<Client> {
        let end = Instant::now() + PATIENCE;
        loop {
            match connect.attempt(self.port())? {
                (client, Answer::Connack(connack)) if connack.code == 0 => return Ok(client),
                (_, answer) if Instant::now() > end => {
                    bail!("the broker refused a login for {PATIENCE:?}: {answer:?}")
                }
                _ => thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// Says good-bye and waits until the broker has heard it.
pub fn leave(mut client: Client) -> Result<()> {
    client.disconnect()?;
    let closed = client.wait_closed(PATIENCE);
    closed.context("the broker did not end a session").map(drop)
}

/// Brokers that are compared.
pub struct Fleet(Vec<MeasuredBroker>);

impl Fleet {
    /// Starts them and lets every device that is to be known log in once.
    pub fn start(scale: &Scale, place: &Path) -> Result<Self> {
        println!(
            "starting a fleet: {} subjects on 2.0.11 and 2.1",
            Subject::ALL.len()
        );
        let mut brokers = Vec::new();
        for version in VERSIONS {
            for subject in Subject::ALL {
                let folder = place.join(format!("{subject:?}-{version}"));
                let used =
                    subject.returning(scale, 0).start..subject.returning(scale, scale.rounds).start;
                subject.prepare(&folder, used.end, used)?;
                brokers.push(MeasuredBroker::start(version, subject, &folder)?);
            }
        }
        for broker in &brokers {
            introduce(broker, scale)
                .with_context(|| format!("{} on {}", broker.subject.title(), broker.version))?;
        }
        thread::sleep(SETTLING);
        Ok(Self(brokers))
    }

    /// Its brokers, by version and subject.
    pub fn brokers(&self) -> &[MeasuredBroker] {
        &self.0
    }

    /// Its brokers, from a different one on in each round, so that none always
    /// follows the same other.
    pub fn in_turn(&self, round: usize) -> impl Iterator<Item = &MeasuredBroker> {
        let count = self.0.len();
        (0..count).map(move |index| &self.0[(index + round) % count])
    }

    /// The CPU that each broker uses in a second of `time`, while `act` lasts.
    pub fn used_in(&self, time: Duration, act: impl FnOnce(Duration)) -> Result<Vec<Cpu>> {
        let cpu = || self.0.iter().map(|broker| broker.meter.cpu());
        let before: Vec<Cpu> = cpu().collect::<Result<_>>()?;
        let start = Instant::now();
        act(time);
        let seconds = start.elapsed().as_secs_f64();
        let used = cpu().zip(before);
        used.map(|(after, before)| Ok((after? - before) * seconds.recip()))
            .collect()
    }
}

/// Lets each device that is to be known log in once.
pub fn introduce(broker: &MeasuredBroker, scale: &Scale) -> Result<()> {
    let known = broker.subject.known(scale);
    if broker.subject == Subject::Chosen {
        for index in known {
            leave(broker.admit(&broker.subject.login(index).connect())?)?;
        }
        return Ok(());
    }
    let connects = broker.subject.connects(known);
    let count = connects.len();
    let outcome = swarm::run(broker.port(), 10, connects.into_iter())?;
    ensure!(
        outcome.admitted == count,
        "not all were let in: {outcome:?}, the last one: {}",
        broker.last_refusal()
    );
    Ok(())
}

/// The oldest line that is supported, and the newest.
pub const VERSIONS: [Version; 2] = [Version::V2_0_11, Version::V2_1];

/// Countersign writes presence and uses down at most a second late.
pub const SETTLING: Duration = Duration::from_millis(1_200);

/// Nothing that is measured takes so long unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);
