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
        let cpu = || -> Result<Vec<_>> {
            let members = fleet.members().iter();
            members.map(|member| member.stand.meter.cpu()).collect()
        };
        let before = cpu()?;
        thread::sleep(Duration::from_secs(1));
        for ((member, before), after) in fleet.members().iter().zip(before).zip(cpu()?) {
            let used = after - before;
            let (version, title) = (member.stand.version, member.stand.subject.title());
            rounds.push(version, title, CPU, used.process / 1e6);
            rounds.push(version, title, THREAD, used.thread / 1e6);
        }
    }
    Ok(rounds.figures(BASELINE))
}

const CPU: Quantity = Quantity::median("CPU", "ms/s");
const THREAD: Quantity = Quantity::median("broker thread", "ms/s");
