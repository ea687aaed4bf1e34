//! CPU of a message that comes in and that nobody subscribed to.

use std::io::{Read, Write};

use anyhow::{Context, Result};

use super::Bench;
use super::broker::SETTLING;
use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds};
use super::fleet::Fleet;
use super::meter::Cpu;
use super::subject::BASELINE;
use super::wire;

pub fn measure(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for qos in [0, 1] {
        let case = format!("{} messages a round, QoS {qos}", bench.scale.messages);
        println!("publish: {case}, {} rounds", bench.scale.rounds);
        let mut rounds = Rounds::of("publish", case);
        let mut publishers = Vec::new();
        for broker in fleet.stands() {
            let connect = broker.subject.login(0)?.connect();
            publishers.push(Connection::admitted(broker.port(), &connect)?);
        }
        std::thread::sleep(SETTLING);
        for _ in 0..bench.scale.rounds {
            for (broker, publisher) in fleet.stands().iter().zip(&mut publishers) {
                let before = broker.meter.cpu()?;
                publish(publisher, bench.scale.messages, qos)?;
                let Cpu { process, thread } = broker.meter.cpu()? - before;
                let each = |nanos: f64| nanos / 1e3 / bench.scale.messages as f64;
                let (broker, title) = (broker.version.name(), broker.subject.title());
                rounds.push(broker, title, CPU, each(process));
                rounds.push(broker, title, THREAD, each(thread));
            }
        }
        figures.extend(rounds.figures(BASELINE));
    }
    Ok(figures)
}

/// Publishes to a hundred topics in turn and waits until the broker has taken
/// all.
fn publish(publisher: &mut Connection, count: usize, qos: u8) -> Result<()> {
    let mut sent = 0;
    while sent < count {
        let block = BLOCK.min(count - sent);
        let mut bytes = Vec::new();
        for index in 0..block {
            let topic = format!("bench/data/{:02}/temperature", (sent + index) % 100);
            let id = u16::try_from(index + 1)?;
            bytes.extend(wire::publish(&topic, PAYLOAD, (qos == 1).then_some(id)));
        }
        publisher.stream.write_all(&bytes)?;
        if qos == 1 {
            let mut acks = vec![0; PUBACK * block];
            publisher
                .stream
                .read_exact(&mut acks)
                .context("a PUBACK is missing")?;
        }
        sent += block;
    }
    publisher.ping()?;
    Ok(())
}

const CPU: Quantity = Quantity::median("CPU", "µs");
const THREAD: Quantity = Quantity::median("broker thread", "µs");

/// How many messages are sent before any answer is waited for.
const BLOCK: usize = 50;

/// How long a PUBACK is (MQTT 3.1.1 §3.4).
const PUBACK: usize = 4;

const PAYLOAD: &[u8] = br#"{"temperature": 21.5, "humidity": 40, "time": 1700000000000}"#;
