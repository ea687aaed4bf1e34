//! CPU of a message that goes out to a hundred subscribers.

use std::io::{Read, Write};

use anyhow::{Context, Result};

use super::Bench;
use super::broker::{MeasuredBroker, SETTLING};
use super::connection::Connection;
use super::figure::{Figure, Quantity, Rounds};
use super::fleet::{Fleet, known};
use super::meter::Cpu;
use super::scale::Scale;
use super::subject::BASELINE;
use super::wire;

pub fn measure(bench: &Bench, fleet: &Fleet) -> Result<Vec<Figure>> {
    let scale = &bench.scale;
    let case = format!(
        "{} messages a round, each to {SUBSCRIBERS} subscribers, QoS 0",
        scale.fanned
    );
    println!("deliver: {case}, {} rounds", scale.rounds);
    let mut rounds = Rounds::of("deliver", case);
    let mut fans: Vec<Fan> = fleet
        .stands()
        .iter()
        .map(|broker| Fan::open(broker, scale))
        .collect::<Result<_>>()?;
    std::thread::sleep(SETTLING);
    for _ in 0..scale.rounds {
        for (broker, fan) in fleet.stands().iter().zip(&mut fans) {
            let before = broker.meter.cpu()?;
            fan.send(scale.fanned)?;
            let Cpu { process, thread } = broker.meter.cpu()? - before;
            let each = |nanos: f64| nanos / 1e3 / (scale.fanned * SUBSCRIBERS) as f64;
            let (broker, title) = (broker.version.name(), broker.subject.title());
            rounds.push(broker, title, CPU, each(process));
            rounds.push(broker, title, THREAD, each(thread));
        }
    }
    Ok(rounds.figures(BASELINE))
}

/// One who publishes and those who listen.
struct Fan {
    publisher: Connection,
    subscribers: Vec<Connection>,
}

impl Fan {
    fn open(broker: &MeasuredBroker, scale: &Scale) -> Result<Self> {
        let mut devices = known(broker.subject, scale).cycle();
        let mut join = |client_id: String| -> Result<Connection> {
            let device = devices.next().context("no device is known")?;
            let connect = wire::connect(&client_id, &broker.subject.login(device)?);
            Connection::admitted(broker.port(), &connect)
        };
        let publisher = join("publisher".to_owned())?;
        let subscribers = (0..SUBSCRIBERS)
            .map(|index| {
                let mut subscriber = join(format!("subscriber{index}"))?;
                subscriber.subscribe("bench/fan/#")?;
                Ok(subscriber)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            publisher,
            subscribers,
        })
    }

    /// Publishes, and waits after each few messages until all have them, so
    /// that the broker never has to queue.
    fn send(&mut self, count: usize) -> Result<()> {
        let message = wire::publish("bench/fan/out", PAYLOAD, None);
        let mut sent = 0;
        while sent < count {
            let block = BLOCK.min(count - sent);
            self.publisher.stream.write_all(&message.repeat(block))?;
            let mut received = vec![0; message.len() * block];
            for subscriber in &mut self.subscribers {
                subscriber
                    .stream
                    .read_exact(&mut received)
                    .context("a message is missing")?;
            }
            sent += block;
        }
        Ok(())
    }
}

const CPU: Quantity = Quantity::median("CPU", "µs");
const THREAD: Quantity = Quantity::median("broker thread", "µs");

const SUBSCRIBERS: usize = 100;
const BLOCK: usize = 10;
const PAYLOAD: &[u8] = br#"{"temperature": 21.5, "humidity": 40, "time": 1700000000000}"#;
