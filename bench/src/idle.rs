//! What a broker uses when nobody uses it.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::figure::{Figure, Quantity, Rounds};
use crate::fleet::Fleet;
use crate::scale::Scale;
use crate::subject::BASELINE;

pub fn measure(scale: &Scale, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut rounds = Rounds::begin("idle", "CPU in a second without any client");
    for _ in 0..scale.rounds {
        let used = fleet.used_in(Duration::from_secs(1), thread::sleep)?;
        for (broker, used) in fleet.brokers().iter().zip(used) {
            let (broker, title) = (broker.version.name(), broker.subject.title());
            rounds.push(broker, title, CPU, used.process / 1e6);
            rounds.push(broker, title, THREAD, used.thread / 1e6);
        }
    }
    Ok(rounds.figures(BASELINE))
}

const CPU: Quantity = Quantity::median("CPU", "ms/s");
const THREAD: Quantity = Quantity::median("broker thread", "ms/s");
