//! A broker that is measured.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Bench;
use super::meter::{Cpu, Meter};
use super::subject::Subject;
use crate::brokers::Version;
use crate::daemon::{Daemon, Fate, Port, user_line};

/// A running broker and the way it decides.
pub struct Stand {
    pub version: Version,
    pub subject: Subject,
    pub meter: Meter,
    port: Port,
    daemon: Daemon,
}

impl Stand {
    /// Starts a broker on what [`Subject::prepare`] put into `folder`, and
    /// waits until it takes connections.
    pub fn start(bench: &Bench, version: Version, subject: Subject, folder: &Path) -> Result<Self> {
        let mut stand = Self::start_unseen(bench, version, subject, folder)?;
        let ready = format!(
            "mosquitto version {} running",
            broker(bench, version)?.version
        );
        stand.daemon.wait_for_log(&ready, PATIENCE)?;
        Ok(stand)
    }

    /// Starts a broker and returns at once.
    pub fn start_unseen(
        bench: &Bench,
        version: Version,
        subject: Subject,
        folder: &Path,
    ) -> Result<Self> {
        let broker = broker(bench, version)?;
        let port = Port::reserve()?;
        // Mosquitto's own defaults, but for what it logs of every connect.
        let text = format!(
            "listener {port} 127.0.0.1\n\
             set_tcp_nodelay true\n\
             connection_messages false\n\
             log_dest stderr\n\
             log_type error\nlog_type warning\nlog_type notice\nlog_type information\n\
             {user}{decides}",
            port = port.number,
            user = user_line(),
            decides = subject.config(bench, broker, folder)?,
        );
        let config = folder.join(format!("mosquitto-{}.conf", version.name()));
        fs::write(&config, text)?;
        let log = config.with_extension("log");
        let daemon = Daemon::start(broker, &config, &log, Fate::EndsWithUs)?;
        Ok(Self {
            version,
            subject,
            meter: Meter::of(daemon.pid())?,
            port,
            daemon,
        })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port.number
    }
}

/// From just before some work until all that it set off is done.
pub struct Window<'a> {
    stand: &'a Stand,
    before: Cpu,
    opened: Instant,
    ended: Instant,
}

impl<'a> Window<'a> {
    pub fn open(stand: &'a Stand) -> Result<Self> {
        let now = Instant::now();
        Ok(Self {
            stand,
            before: stand.meter.cpu()?,
            opened: now,
            ended: now,
        })
    }

    /// The work is done, and what the broker puts off begins to settle.
    pub fn work_is_done(&mut self) {
        self.ended = Instant::now();
    }

    /// How long it has yet to settle.
    pub fn left(&self) -> Duration {
        SETTLING.saturating_sub(self.ended.elapsed())
    }

    /// Waits until it has settled and returns the CPU that was used, less what
    /// the broker uses anyway in such a time.
    pub fn settle(self, idle: Cpu) -> Result<Cpu> {
        std::thread::sleep(self.left());
        self.close(idle)
    }

    /// The same without waiting, for work that sets nothing off.
    pub fn close(self, idle: Cpu) -> Result<Cpu> {
        let used = self.stand.meter.cpu()? - self.before;
        let seconds = self.opened.elapsed().as_secs_f64();
        Ok(Cpu {
            process: used.process - idle.process * seconds,
            thread: used.thread - idle.thread * seconds,
        })
    }
}

fn broker(bench: &Bench, version: Version) -> Result<&crate::brokers::Broker> {
    bench
        .brokers
        .get(version.name())
        .with_context(|| format!("Mosquitto {} is not set up", version.name()))
}

/// Countersign writes presence and uses down at most a second late.
pub const SETTLING: Duration = Duration::from_millis(1_200);

const PATIENCE: Duration = Duration::from_secs(20);
