//! How others fare while a tenant publishes more than it may: the time from a message of
//! QoS 1 to its PUBACK, of a client in a tenant without limits.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use countersign_testkit::mqtt::{Message, Protocol};
use countersign_testkit::{Client, Connect, Version};

use crate::figure::{Figure, Rounds};
use crate::fleet::{MeasuredBroker, PATIENCE, SETTLING};
use crate::kick::TIMES;
use crate::scale::Scale;
use crate::store::{cli, read};
use crate::subject::Subject;

pub fn measure(scale: &Scale, place: &Path) -> Result<Vec<Figure>> {
    let count = scale.messages / 10;
    let case = format!("{count} messages of QoS 1, each once the one before was taken");
    let mut rounds = Rounds::begin("limited", case);
    for version in Version::ALL {
        let folder = place.join(format!("limited-{version}"));
        Subject::Generated.prepare(&folder, 1, 0..0)?;
        let run = |line: &str| read(&mut cli(&folder, line)?);
        run("tenant create noisy")?;
        let noisy = run("credential create n --tenant noisy --json")?;
        let noisy: serde_json::Value = serde_json::from_str(&noisy)?;
        let text = |key: &str| {
            noisy[key]
                .as_str()
                .context("the program gave no credential")
        };
        let broker = MeasuredBroker::start(version, Subject::Generated, &folder)?;
        let mut publisher = broker.admit(&Subject::Generated.login(0).connect())?;
        let connect = Connect::v311("noisy").login(text("username")?, text("secret")?);
        let mut noisy = broker.admit(&connect)?;
        for _ in 0..scale.rounds {
            for (title, act) in TURNS {
                if let Some(act) = act {
                    run(act)?;
                    thread::sleep(SETTLING);
                }
                let times = if act.is_some() {
                    beside(&mut noisy, || time_each(&mut publisher, count))?
                } else {
                    time_each(&mut publisher, count)?
                };
                rounds.push_times(version.name(), title, TIMES, &times);
            }
        }
    }
    Ok(rounds.figures(ALONE))
}

/// Measures while another client publishes without pause.
fn beside<T: Send>(noisy: &mut Client, measured: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let block = message("noisy/data", 0, 0).repeat(AT_ONCE);
            while !over.load(Ordering::SeqCst) {
                noisy.send_bytes(&block)?;
                // The broker has read them all.
                noisy.ping(PATIENCE)?;
            }
            Ok(())
        });
        let measured = measured();
        over.store(true, Ordering::SeqCst);
        let flooded: Result<()> = flood.join().map_err(|_| anyhow!("the flood panicked"))?;
        flooded?;
        measured
    })
}

/// Milliseconds from each message to its PUBACK.
fn time_each(publisher: &mut Client, count: usize) -> Result<Vec<f64>> {
    let each = |_| {
        let start = Instant::now();
        publisher.send_bytes(&message("bench/data", 1, 1))?;
        let answer = publisher.read_packet(PATIENCE)?;
        answer.context("a PUBACK is missing")?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    (0..count).map(each).collect()
}

fn message(topic: &str, qos: u8, id: u16) -> Vec<u8> {
    let message = Message {
        topic: topic.into(),
        payload: br#"{"temperature": 21.5, "humidity": 40, "time": 1700000000000}"#.to_vec(),
        qos,
        id,
        ..Message::default()
    };
    message.bytes(Protocol::V311)
}

const ALONE: &str = "alone";

/// Beside whom, and what is done before.
const TURNS: [(&str, Option<&str>); 3] = [
    (ALONE, None),
    (
        "beside a tenant that publishes without a limit",
        Some("limit clear --tenant noisy"),
    ),
    (
        "beside one that publishes more than its limit",
        Some("limit set --tenant noisy --messages-per-second 10"),
    ),
];

/// So many messages are sent before any is waited for.
const AT_ONCE: usize = 50;
