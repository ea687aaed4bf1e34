//! A broker that is measured.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Bench;
use super::meter::Meter;
use super::subject::Subject;
use crate::brokers::Version;
use crate::daemon::{Daemon, Fate, Port, user_line};

/// A running broker and the way it decides.
pub struct MeasuredBroker {
    pub version: Version,
    pub subject: Subject,
    pub meter: Meter,
    port: Port,
    daemon: Daemon,
}

impl MeasuredBroker {
    /// Starts a broker on what [`Subject::prepare`] put into `folder`, and
    /// waits until it takes connections.
    pub fn start(bench: &Bench, version: Version, subject: Subject, folder: &Path) -> Result<Self> {
        let mut started = Self::start_unseen(bench, version, subject, folder)?;
        let ready = format!(
            "mosquitto version {} running",
            broker(bench, version)?.version
        );
        started.daemon.wait_for_log(&ready, PATIENCE)?;
        Ok(started)
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

    /// What Countersign last said of a login that it refused.
    pub fn last_refusal(&self) -> String {
        self.daemon.last_in_log("refused ").unwrap_or_default()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port.number
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
