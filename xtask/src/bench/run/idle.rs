//! What a broker uses when nobody uses it.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::figure::{Figure, Quantity, Rounds};
use super::fleet::Fleet;
use super::subject::BASELINE;

pub fn measure(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    println!("idle: {} rounds", bench.scale.rounds);
    let mut rounds = Rounds::of("idle", "CPU in a second without any client");
    for _ in 0..bench.scale.rounds {
        let before = fleet.cpu()?;
        thread::sleep(Duration::from_secs(1));
        for ((broker, before), after) in fleet.stands().iter().zip(before).zip(fleet.cpu()?) {
            let used = after - before;
            let (broker, title) = (broker.version.name(), broker.subject.title());
            rounds.push(broker, title, CPU, used.process / 1e6);
            rounds.push(broker, title, THREAD, used.thread / 1e6);
        }
    }
    Ok(rounds.figures(BASELINE))
}

const CPU: Quantity = Quantity::median("CPU", "ms/s");
const THREAD: Quantity = Quantity::median("broker thread", "ms/s");
