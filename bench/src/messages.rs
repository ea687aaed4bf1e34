//! CPU of a message that comes in and that nobody subscribed to, and of one that
//! goes out to a hundred subscribers.

use std::thread;

use anyhow::{Context, Result, ensure};
use countersign_testkit::Client;
use countersign_testkit::mqtt::{Message, Packet, Protocol};

use crate::figure::{Figure, Rounds};
use crate::fleet::{Fleet, MeasuredBroker, PATIENCE, SETTLING};
use crate::scale::Scale;
use crate::subject::BASELINE;

/// Messages that come in, of QoS 0 and of QoS 1.
pub fn incoming(scale: &Scale, fleet: &Fleet) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for qos in [0, 1] {
        let case = format!("{} messages a round, QoS {qos}", scale.messages);
        let mut rounds = Rounds::begin("publish", case);
        let publisher = |broker: &MeasuredBroker| broker.admit(&broker.subject.login(0).connect());
        let mut publishers: Vec<Client> = fleet
            .brokers()
            .iter()
            .map(publisher)
            .collect::<Result<_>>()?;
        thread::sleep(SETTLING);
        for _ in 0..scale.rounds {
            for (broker, publisher) in fleet.brokers().iter().zip(&mut publishers) {
                let before = broker.meter.cpu()?;
                publish(publisher, scale.messages, qos)?;
                let used = broker.meter.cpu()? - before;
                rounds.push_cpu(broker, broker.subject.title(), used, scale.messages);
            }
        }
        figures.extend(rounds.figures(BASELINE));
    }
    Ok(figures)
}

/// Publishes to a hundred topics in turn and waits until the broker has taken
/// all.
fn publish(publisher: &mut Client, count: usize, qos: u8) -> Result<()> {
    for first in (0..count).step_by(UNANSWERED) {
        let block = UNANSWERED.min(count - first);
        let mut bytes = Vec::new();
        for index in 0..block {
            let topic = format!("bench/data/{:02}/temperature", (first + index) % 100);
            bytes.extend(message(topic, qos, u16::try_from(index + 1)?));
        }
        publisher.send_bytes(&bytes)?;
        for _ in 0..block * usize::from(qos) {
            let answer = publisher.read_packet(PATIENCE)?;
            ensure!(
                matches!(answer, Some(Packet::Puback(_))),
                "a PUBACK is missing"
            );
        }
    }
    publisher.ping(PATIENCE).map(drop)
}

/// Messages that go out.
pub fn outgoing(scale: &Scale, fleet: &Fleet) -> Result<Vec<Figure>> {
    let count = scale.fanned;
    let case = format!("{count} messages a round, each to {SUBSCRIBERS} subscribers, QoS 0");
    let mut rounds = Rounds::begin("deliver", case);
    let fan = |broker: &MeasuredBroker| Fan::open(broker, scale);
    let mut fans: Vec<Fan> = fleet.brokers().iter().map(fan).collect::<Result<_>>()?;
    thread::sleep(SETTLING);
    for _ in 0..scale.rounds {
        for (broker, fan) in fleet.brokers().iter().zip(&mut fans) {
            let before = broker.meter.cpu()?;
            fan.send(count)?;
            let used = broker.meter.cpu()? - before;
            rounds.push_cpu(broker, broker.subject.title(), used, count * SUBSCRIBERS);
        }
    }
    Ok(rounds.figures(BASELINE))
}

/// One who publishes and those who listen.
struct Fan {
    publisher: Client,
    subscribers: Vec<Client>,
}

impl Fan {
    fn open(broker: &MeasuredBroker, scale: &Scale) -> Result<Self> {
        let mut devices = broker.subject.known(scale).cycle();
        let mut join = |client_id: &str| {
            let device = devices.next().context("no device is known")?;
            broker.admit(&broker.subject.login(device).connect_as(client_id))
        };
        let publisher = join("publisher")?;
        let subscribers = (0..SUBSCRIBERS).map(|index| {
            let mut subscriber = join(&format!("subscriber{index}"))?;
            let codes = subscriber.subscribe(&[("bench/fan/#", 0)])?;
            ensure!(codes == [0], "the broker refused a subscription");
            Ok(subscriber)
        });
        Ok(Self {
            subscribers: subscribers.collect::<Result<_>>()?,
            publisher,
        })
    }

    /// Publishes, and waits after each few messages until all have them, so
    /// that the broker never has to queue.
    fn send(&mut self, count: usize) -> Result<()> {
        let message = message("bench/fan/out".to_owned(), 0, 0);
        for first in (0..count).step_by(UNHEARD) {
            let block = UNHEARD.min(count - first);
            self.publisher.send_bytes(&message.repeat(block))?;
            for subscriber in &mut self.subscribers {
                for _ in 0..block {
                    let message = subscriber.receive(PATIENCE);
                    message.context("a message is missing")?;
                }
            }
        }
        Ok(())
    }
}

fn message(topic: String, qos: u8, id: u16) -> Vec<u8> {
    let message = Message {
        topic,
        payload: br#"{"temperature": 21.5, "humidity": 40, "time": 1700000000000}"#.to_vec(),
        qos,
        id,
        ..Message::default()
    };
    message.bytes(Protocol::V311)
}

const SUBSCRIBERS: usize = 100;

/// How many messages are sent before any answer is waited for.
const UNANSWERED: usize = 50;

/// How many messages are sent before all subscribers must have them.
const UNHEARD: usize = 10;
