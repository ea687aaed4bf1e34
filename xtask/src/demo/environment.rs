//! What the demo stands on: a folder for the store, and a broker.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::brokers::Broker;
use crate::daemon::{Daemon, Fate, Port, command, user_line};

/// A folder, a port, and how to start the broker in it.
pub struct Environment {
    broker: Broker,
    release: PathBuf,
    port: Port,
    folder: TempDir,
}

impl Environment {
    /// A site whose plugin and program are in the folder `release`.
    pub fn new(broker: Broker, release: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("countersign-demo-")
            .tempdir()?;
        Ok(Self {
            broker,
            release: release.to_owned(),
            port: Port::reserve()?,
            folder,
        })
    }

    /// What the demo's commands find in their environment.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let path = env::var("PATH").unwrap_or_default();
        [
            ("PATH", format!("{}:{path}", self.release.display())),
            ("COUNTERSIGN_STORE", self.store().display().to_string()),
        ]
    }

    /// The lines that give another shell the same environment.
    pub fn exports(&self) -> [String; 2] {
        [
            format!("export PATH=\"{}:$PATH\"", self.release.display()),
            format!("export COUNTERSIGN_STORE={}", self.store().display()),
        ]
    }

    /// The arguments that lead any of Mosquitto's clients to the broker.
    pub fn address(&self) -> String {
        format!("-h 127.0.0.1 -p {}", self.port.number)
    }

    /// The version of the broker, by its own words.
    pub fn version(&self) -> &str {
        &self.broker.version
    }

    /// The command that starts the broker, as one would type it.
    pub fn start_line(&self) -> Result<String> {
        let command = command(&self.broker, &self.config())?;
        let variables = self
            .broker
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let program = command.get_program().to_string_lossy();
        let words = command.get_args().map(|word| word.to_string_lossy());
        Ok(variables
            .chain([program.into_owned()])
            .chain(words.map(|word| word.into_owned()))
            .collect::<Vec<_>>()
            .join(" "))
    }

    /// Writes the broker's configuration and returns where it is.
    pub fn write_config(&self) -> Result<PathBuf> {
        let plugin = self.release.join("libmosquitto_countersign.so");
        let text = format!(
            "listener {port} 127.0.0.1\n\
             allow_anonymous true\n\
             plugin {plugin}\n\
             plugin_opt_store {store}\n\
             log_dest stderr\n\
             log_type warning\n\
             log_type error\n\
             log_type notice\n\
             log_type information\n\
             log_type subscribe\n\
             {user}",
            port = self.port.number,
            plugin = plugin.display(),
            store = self.store().display(),
            user = user_line(),
        );
        fs::write(self.config(), text)?;
        Ok(self.config())
    }

    /// Starts the broker and waits until it takes connections.
    pub fn start(&self, fate: Fate) -> Result<Daemon> {
        let mut daemon = Daemon::start(&self.broker, &self.config(), &self.log(), fate)?;
        let ready = format!("mosquitto version {} running", self.broker.version);
        daemon.wait_for_log(&ready, Duration::from_secs(20))?;
        Ok(daemon)
    }

    /// Where the broker's log is.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    /// The folder of all this.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Removes the folder.
    pub fn remove(self) -> Result<()> {
        let path = self.folder.path().to_owned();
        self.folder
            .close()
            .with_context(|| format!("cannot remove {}", path.display()))
    }

    /// Leaves the folder behind.
    pub fn leave(self) {
        let _path = self.folder.keep();
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("countersign.db")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("mosquitto.conf")
    }
}
