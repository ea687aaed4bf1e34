//! How devices that log in, and a connected client, fare while the service answers 500
//! requests a second on the same store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use countersign_testkit::Version;
use serde_json::json;

use crate::crowd::{Crowd, Repeated, log_in};
use crate::figure::{Figure, Quantity, Rounds};
use crate::fleet::{MeasuredBroker, SETTLING, VERSIONS, introduce};
use crate::login;
use crate::rest::Rest;
use crate::scale::Scale;
use crate::subject::Subject;

pub fn measure(scale: &Scale, place: &Path) -> Result<Vec<Figure>> {
    // Each turn has devices of its own that never logged in, and so many that it takes
    // some time.
    let scale = Scale {
        rounds: scale.rounds * Guest::ALL.len(),
        first_logins: scale.first_logins * 5,
        ..scale.clone()
    };
    let mut known = Rounds::begin("guest", "known logins, 50 at a time, and requests");
    let mut first = Rounds::begin("guest", "first logins, 50 at a time, and requests");
    let hosts = VERSIONS.map(|version| Host::start(version, &scale, place));
    let hosts = hosts.into_iter().collect::<Result<Vec<Host>>>()?;
    thread::sleep(SETTLING);
    for nth in 0..scale.rounds {
        // In another order in each round, so that none always follows the same other.
        let round = nth / Guest::ALL.len();
        let guest = Guest::ALL[(nth + round) % Guest::ALL.len()];
        for host in &hosts {
            host.take_turn(guest, nth, &scale, [&mut known, &mut first])?;
        }
    }
    let tables = [known, first].map(|rounds| rounds.figures(Guest::None.title()));
    Ok(tables.concat())
}

/// A broker and its store.
struct Host {
    broker: MeasuredBroker,
    folder: PathBuf,
}

impl Host {
    fn start(version: Version, scale: &Scale, place: &Path) -> Result<Self> {
        let folder = place.join(format!("guest-{version}"));
        let subject = Subject::Generated;
        subject.prepare(&folder, subject.fresh(scale, scale.rounds).start, 0..0)?;
        let broker = MeasuredBroker::start(version, subject, &folder)?;
        introduce(&broker, scale)?;
        Ok(Self { broker, folder })
    }

    /// Devices that are known log in, then some that are not, while a guest asks.
    fn take_turn(
        &self,
        guest: Guest,
        nth: usize,
        scale: &Scale,
        [known, first]: [&mut Rounds; 2],
    ) -> Result<()> {
        let (broker, subject) = (&self.broker, self.broker.subject);
        let version = broker.version.name();
        let asking = guest.come(&self.folder, scale)?;
        let begun = Instant::now();
        Crowd::Storm.take_turn(broker, scale, nth, guest.title(), known)?;
        let connects = subject.connects(subject.fresh(scale, nth));
        log_in(broker, scale, connects.into_iter(), guest.title(), first)?;
        let seconds = begun.elapsed().as_secs_f64();
        let asked = asking.into_iter().map(Repeated::finish);
        let asked = asked.sum::<Result<usize>>()?;
        known.push(version, guest.title(), ASKED, asked as f64 / seconds);
        Ok(())
    }
}

/// What the service is asked for beside a broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Guest {
    /// There is none.
    None,
    /// Looks alone.
    Looks,
    /// Looks, and an act in each ten.
    Acts,
}

impl Guest {
    const ALL: [Self; 3] = [Self::None, Self::Looks, Self::Acts];

    fn title(self) -> &'static str {
        match self {
            Self::None => "no service",
            Self::Looks => "a service, 500 looks a second",
            Self::Acts => "a service, 450 looks and 50 acts a second",
        }
    }

    /// Starts a service, and those who ask it, each of whom says in the end how often.
    fn come(self, folder: &Path, scale: &Scale) -> Result<Vec<Repeated<usize>>> {
        if self == Self::None {
            return Ok(Vec::new());
        }
        let rest = Arc::new(Rest::start(folder)?);
        let askers = (0..ASKERS).map(|asker| {
            let rest = Arc::clone(&rest);
            let name = login::name(Subject::Generated.known(scale).start + asker);
            Repeated::start(move |stopped| self.ask(&rest, &name, stopped))
        });
        Ok(askers.collect())
    }

    /// Asks at a steady pace, and never faster to catch up.
    fn ask(self, rest: &Rest, name: &str, stopped: &dyn Fn() -> bool) -> Result<usize> {
        let credential = format!("credentials/{name}");
        let looks = [
            credential.as_str(),
            "credentials?limit=20",
            "clients?limit=20",
        ];
        let mut due = Instant::now();
        for number in 0..MOST_ASKED {
            if stopped() {
                return Ok(number);
            }
            if self == Self::Acts && number % 10 == 9 {
                let changes = json!({"description": format!("number {number}")});
                rest.patch(&credential, &changes)?;
            } else {
                rest.get(looks[number % looks.len()])?;
            }
            due = Instant::now().max(due + EACH);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(MOST_ASKED)
    }
}

const ASKED: Quantity = Quantity::median("requests", "/s");

const ASKERS: usize = 4;
/// 500 a second, of all askers.
const EACH: Duration = Duration::from_millis(8);
/// What one asks for in a minute, which is longer than any turn.
const MOST_ASKED: usize = 7_500;
