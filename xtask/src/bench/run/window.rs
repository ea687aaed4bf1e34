//! The CPU of some work, what a broker puts off included.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::broker::{MeasuredBroker, SETTLING};
use super::fleet::Fleet;
use super::meter::Cpu;

/// From just before some work until all that it set off is done.
pub struct Window<'a> {
    broker: &'a MeasuredBroker,
    before: Cpu,
    opened: Instant,
    ended: Instant,
}

/// The CPU used in a window.
pub struct Used {
    cpu: Cpu,
    time: Duration,
}

impl<'a> Window<'a> {
    pub fn open(broker: &'a MeasuredBroker) -> Result<Self> {
        let now = Instant::now();
        Ok(Self {
            broker,
            before: broker.meter.cpu()?,
            opened: now,
            ended: now,
        })
    }

    /// The work is done, and what the broker put off begins to be.
    pub fn work_is_done(&mut self) {
        self.ended = Instant::now();
    }

    /// Whether what the broker put off is done, too.
    pub fn is_settled(&self) -> bool {
        self.left().is_zero()
    }

    /// Waits until it is.
    pub fn settle(self) -> Result<Used> {
        thread::sleep(self.left());
        Ok(Used {
            cpu: self.broker.meter.cpu()? - self.before,
            time: self.opened.elapsed(),
        })
    }

    fn left(&self) -> Duration {
        SETTLING.saturating_sub(self.ended.elapsed())
    }
}

impl Used {
    /// What was used for the work, where the broker would have used `idle` in
    /// each second without it.
    pub fn beyond(&self, idle: Cpu) -> Cpu {
        let seconds = self.time.as_secs_f64();
        Cpu {
            process: self.cpu.process - idle.process * seconds,
            thread: self.cpu.thread - idle.thread * seconds,
        }
    }
}

/// What each broker of a fleet uses in a second in which nobody uses it.
pub fn idle(fleet: &Fleet) -> Result<Vec<Cpu>> {
    let before = fleet.cpu()?;
    let start = Instant::now();
    thread::sleep(IDLE);
    let seconds = start.elapsed().as_secs_f64();
    let used = fleet.cpu()?.into_iter().zip(before);
    Ok(used
        .map(|(after, before)| {
            let Cpu { process, thread } = after - before;
            Cpu {
                process: process / seconds,
                thread: thread / seconds,
            }
        })
        .collect())
}

const IDLE: Duration = Duration::from_millis(700);
