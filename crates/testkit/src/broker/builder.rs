//! What a broker is to be, before it starts.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::port::Port;
use super::process::{self, Process};
use super::{Broker, StartFailure, Version};
use crate::artifacts;

/// A broker that is about to start.
///
/// It has a folder and at least one port already, so that options may name
/// them.
#[derive(Debug)]
pub struct Builder {
    version: Version,
    dir: TempDir,
    lines: Vec<String>,
    plugins: Vec<String>,
    listeners: Vec<Listener>,
    env: Vec<(String, String)>,
    user: String,
    log_types: Vec<String>,
    stays: bool,
    whole: Option<String>,
}

/// One `listener` of mosquitto.conf.
#[derive(Debug)]
struct Listener {
    port: Port,
    lines: Vec<String>,
}

impl Builder {
    /// A broker with one listener and nothing else.
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            dir: tempfile::Builder::new()
                .prefix("countersign-broker-")
                .tempdir()
                .unwrap(),
            lines: Vec::new(),
            plugins: Vec::new(),
            listeners: vec![Listener {
                port: Port::reserve(),
                lines: Vec::new(),
            }],
            env: Vec::new(),
            user: ROOT.to_owned(),
            log_types: vec!["all".to_owned()],
            stays: false,
            whole: None,
        }
    }

    /// Adds a line to mosquitto.conf, before any listener.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a line to the listener added last, at first the one that is always
    /// there.
    #[must_use]
    pub fn listener_line(mut self, line: impl Into<String>) -> Self {
        self.listeners.last_mut().unwrap().lines.push(line.into());
        self
    }

    /// Adds another listener on 127.0.0.1.
    #[must_use]
    pub fn listener(mut self) -> Self {
        self.listeners.push(Listener {
            port: Port::reserve(),
            lines: Vec::new(),
        });
        self
    }

    /// Loads a plugin; options that follow are its own.
    #[must_use]
    pub fn plugin(mut self, path: impl AsRef<Path>) -> Self {
        self.plugins
            .push(format!("plugin {}", path.as_ref().display()));
        self
    }

    /// Adds `plugin_opt_NAME VALUE` to the plugin added last.
    #[must_use]
    pub fn plugin_option(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.plugins.push(format!("plugin_opt_{name} {value}"));
        self
    }

    /// Keeps sessions and retained messages over a restart, also over `kill -9`.
    #[must_use]
    pub fn persistent(self) -> Self {
        let location = format!("persistence_location {}/", self.dir().display());
        self.line("persistence true")
            .line(location)
            .line("autosave_on_changes true")
            .line("autosave_interval 1")
    }

    /// Sets a variable of the broker's process.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Lets the broker drop to this user, who is given the folder; without it,
    /// a broker started by root stays root.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Logs lines of these types and not of all.
    #[must_use]
    pub fn log_types(mut self, types: &[&str]) -> Self {
        self.log_types = types.iter().map(|kind| (*kind).to_owned()).collect();
        self
    }

    /// Lets the broker run on when our process ends, whatever ends it, a Ctrl-C
    /// too. Without [`Broker::leave`] it is ended all the same.
    #[must_use]
    pub fn stays(mut self) -> Self {
        self.stays = true;
        self
    }

    /// Writes this as mosquitto.conf, and nothing else but where the log goes
    /// and who the broker is.
    #[must_use]
    pub fn whole(mut self, text: impl Into<String>) -> Self {
        self.whole = Some(text.into());
        self
    }

    /// The port of the first listener.
    pub fn port(&self) -> u16 {
        self.port_of(0)
    }

    /// The port of the listener added `index`th, the first one being 0.
    pub fn port_of(&self, index: usize) -> u16 {
        self.listeners[index].port.number()
    }

    /// The broker's folder, which is gone with it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the broker and waits until it takes connections. One that ends
    /// instead is an error that holds its log.
    pub fn start(self) -> Result<Broker> {
        let mut broker = self.prepare()?;
        broker.start()?;
        Ok(broker)
    }

    /// Starts a broker that must refuse to start.
    pub fn start_expecting_failure(self) -> Result<StartFailure> {
        let version = self.version;
        let mut broker = self.prepare()?;
        match broker.start() {
            Ok(()) => bail!(
                "Mosquitto {version} started, and should not have\n{}",
                broker.log()
            ),
            Err(error) => match error.downcast::<StartFailure>() {
                Ok(failure) => Ok(failure),
                Err(error) => Err(error),
            },
        }
    }

    /// Writes mosquitto.conf and starts nothing yet.
    pub fn prepare(self) -> Result<Broker> {
        let command = artifacts::broker(self.version)?;
        let config = self.dir().join("mosquitto.conf");
        fs::write(&config, self.config())?;
        if self.user != ROOT {
            process::give(self.dir(), &self.user)?;
        }
        let (program, first) = command
            .command
            .split_first()
            .context("the command is empty")?;
        let mut args: Vec<String> = first.to_vec();
        args.extend(["-c".to_owned(), config.display().to_string()]);
        let mut env: Vec<(String, String)> = command.env.into_iter().collect();
        env.extend(self.env);
        Ok(Broker {
            version: self.version,
            ready: format!("mosquitto version {} running", command.version),
            process: Process::new(
                program.clone(),
                args,
                env,
                self.dir.path().join("broker.log"),
                self.stays,
            ),
            ports: self
                .listeners
                .into_iter()
                .map(|listener| listener.port)
                .collect(),
            dir: self.dir,
        })
    }

    /// What mosquitto.conf is going to say.
    pub fn config(&self) -> String {
        let mut lines = vec!["log_dest stderr".to_owned()];
        lines.extend(self.log_types.iter().map(|kind| format!("log_type {kind}")));
        if process::we_are_root() {
            lines.push(format!("user {}", self.user));
        }
        if let Some(text) = &self.whole {
            lines.push(text.clone());
            return lines.join("\n");
        }
        lines.extend(self.lines.iter().cloned());
        for (index, listener) in self.listeners.iter().enumerate() {
            lines.push(format!("listener {} 127.0.0.1", listener.port.number()));
            if index == 0 {
                // Below a listener, so that `per_listener_settings` finds an owner.
                lines.extend(self.plugins.iter().cloned());
            }
            lines.extend(listener.lines.iter().cloned());
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

const ROOT: &str = "root";
