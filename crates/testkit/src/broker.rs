//! A real Mosquitto in a folder and on ports of its own.

mod port;
mod process;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use self::port::Port;
use self::process::Process;
use crate::artifacts;

/// The Mosquittos that Countersign is held to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// Debian bookworm's.
    V2_0_11,
    /// bookworm-backports'.
    V2_0_21,
    /// The newest 2.1 that sid has.
    V2_1,
}

impl Version {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V2_0_11, Self::V2_0_21, Self::V2_1];

    /// Whether it is of the 2.0 line, which can't wait for a verdict and does
    /// not tell a plugin the listener.
    pub fn is_2_0(self) -> bool {
        self != Self::V2_1
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V2_0_11 => "2.0.11",
            Self::V2_0_21 => "2.0.21",
            Self::V2_1 => "2.1",
        })
    }
}

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
    whole: Option<String>,
}

/// One `listener` of mosquitto.conf.
#[derive(Debug)]
struct Listener {
    port: Port,
    lines: Vec<String>,
}

impl Builder {
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
        broker.spawn()?;
        Ok(broker)
    }

    /// Starts a broker that must refuse to start.
    pub fn start_expecting_failure(self) -> Result<StartFailure> {
        let version = self.version;
        let mut broker = self.prepare()?;
        match broker.spawn() {
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

    fn prepare(self) -> Result<Broker> {
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
        let mut lines = vec!["log_dest stderr".to_owned(), "log_type all".to_owned()];
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

/// A broker that refused to start.
#[derive(Debug)]
pub struct StartFailure {
    /// What it exited with; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All that it said.
    pub log: String,
}

impl fmt::Display for StartFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the broker ended with {:?} at start\n{}",
            self.code, self.log
        )
    }
}

impl std::error::Error for StartFailure {}

/// A running broker, killed when dropped.
#[derive(Debug)]
pub struct Broker {
    version: Version,
    /// The last line it logs before its main loop.
    ready: String,
    // Dropped in this order: the broker ends before its folder does.
    process: Process,
    ports: Vec<Port>,
    dir: TempDir,
}

impl Broker {
    /// A broker with one listener and nothing else.
    pub fn builder(version: Version) -> Builder {
        Builder {
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
            whole: None,
        }
    }

    /// Which Mosquitto it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The port of its first listener.
    pub fn port(&self) -> u16 {
        self.port_of(0)
    }

    /// The port of the listener added `index`th, the first one being 0.
    pub fn port_of(&self, index: usize) -> u16 {
        self.ports[index].number()
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> u32 {
        self.process.pid().expect("the broker does not run")
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its folder, which is gone with it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its mosquitto.conf, which a test may change before a restart.
    pub fn config(&self) -> PathBuf {
        self.dir().join("mosquitto.conf")
    }

    /// All that it said, over restarts too.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What it said after its log was `mark` bytes long.
    pub fn log_since(&self, mark: usize) -> String {
        self.process.log_since(mark)
    }

    /// How long its log is.
    pub fn log_mark(&self) -> usize {
        self.process.log_mark()
    }

    /// Waits until the log holds `needle` and returns the line.
    pub fn wait_for_log(&self, needle: &str, deadline: Duration) -> Result<String> {
        self.wait_for_log_since(0, needle, deadline)
    }

    /// The same, looking only at what came after `mark`.
    pub fn wait_for_log_since(
        &self,
        mark: usize,
        needle: &str,
        deadline: Duration,
    ) -> Result<String> {
        self.process.wait_for_log(mark, needle, deadline)
    }

    /// Sends SIGHUP and waits until the broker takes notice.
    pub fn reload(&self) -> Result<()> {
        let mark = self.log_mark();
        self.process.signal(libc::SIGHUP)?;
        self.wait_for_log_since(mark, "Reloading config.", process::PATIENCE)?;
        Ok(())
    }

    /// Stops it from running until [`Broker::thaw`].
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(libc::SIGSTOP)
    }

    /// Lets it run again.
    pub fn thaw(&self) -> Result<()> {
        self.process.signal(libc::SIGCONT)
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.process.signal(libc::SIGTERM)?;
        self.process.wait()
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill_9(&mut self) -> Result<()> {
        self.process.signal(libc::SIGKILL)?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again, in the same folder and on the same ports; one that
    /// still runs is stopped first.
    pub fn restart(&mut self) -> Result<()> {
        if self.is_running() {
            self.stop()?;
        }
        self.spawn()
    }

    fn spawn(&mut self) -> Result<()> {
        let mark = self.log_mark();
        self.process.spawn()?;
        // Looking at the log and not at the port leaves no connection behind for
        // a plugin to see.
        let waited = self
            .process
            .wait_for_log(mark, &self.ready, process::PATIENCE);
        if self.process.is_running() {
            return waited.map(drop);
        }
        let code = self.process.wait()?.code();
        Err(StartFailure {
            code,
            log: self.log_since(mark),
        }
        .into())
    }
}

const ROOT: &str = "root";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::Connect;

    const SOON: Duration = Duration::from_secs(10);

    fn open(version: Version) -> Builder {
        Broker::builder(version).line("allow_anonymous true")
    }

    #[test]
    fn every_version_starts_reloads_and_stops() {
        for version in Version::ALL {
            let mut broker = open(version).start().unwrap();
            assert!(
                broker
                    .log()
                    .contains(&format!("mosquitto version {version}"))
            );
            broker.reload().unwrap();
            assert!(broker.is_running());
            assert_eq!(broker.stop().unwrap().code(), Some(0));
            assert!(!broker.is_running());
        }
    }

    #[test]
    fn a_broker_that_ends_at_start_is_an_error_with_its_log() {
        for version in Version::ALL {
            let builder = open(version).line("no_such_option true");
            let failure = builder.start_expecting_failure().unwrap();
            assert_eq!(failure.code, Some(3), "{failure}");
            assert!(
                failure.log.contains("Unknown configuration variable"),
                "{failure}"
            );
        }
    }

    #[test]
    fn a_broker_that_starts_against_expectation_is_an_error() {
        assert!(open(Version::V2_0_11).start_expecting_failure().is_err());
    }

    #[test]
    fn a_killed_broker_starts_again_on_its_port() {
        for version in Version::ALL {
            let mut broker = open(version).start().unwrap();
            let port = broker.port();
            let _client = Connect::v5("before").accepted(port);
            broker.kill_9().unwrap();
            broker.restart().unwrap();
            assert_eq!(broker.port(), port);
            Connect::v5("after").accepted(port);
        }
    }

    #[test]
    fn a_retained_message_survives_kill_9_where_asked() {
        for version in Version::ALL {
            let mut broker = open(version).persistent().start().unwrap();
            let mut client = Connect::v311("one").accepted(broker.port());
            client.publish("kept", b"yes", 1, true).unwrap();
            let store = broker.dir().join("mosquitto.db");
            let end = std::time::Instant::now() + SOON;
            while !store.exists() {
                assert!(std::time::Instant::now() < end, "nothing was saved");
                std::thread::sleep(Duration::from_millis(5));
            }
            broker.kill_9().unwrap();
            broker.restart().unwrap();
            let mut client = Connect::v311("two").accepted(broker.port());
            client.subscribe(&[("kept", 0)]).unwrap();
            assert_eq!(client.receive(SOON).unwrap().payload, b"yes");
        }
    }

    #[test]
    fn listeners_have_ports_and_lines_of_their_own() {
        let broker = Broker::builder(Version::V2_0_21)
            .line("per_listener_settings true")
            .listener_line("allow_anonymous false")
            .listener()
            .listener_line("allow_anonymous true")
            .start()
            .unwrap();
        assert_eq!(Connect::v5("one").code(broker.port_of(0)), Some(0x87));
        assert_eq!(Connect::v5("one").code(broker.port_of(1)), Some(0));
    }

    #[test]
    fn a_dropped_broker_is_gone() {
        let broker = open(Version::V2_0_11).start().unwrap();
        let (pid, dir) = (broker.pid(), broker.dir().to_owned());
        drop(broker);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(!dir.exists());
    }

    #[test]
    fn a_broker_can_drop_to_another_user() {
        if !process::we_are_root() {
            return;
        }
        let broker = open(Version::V2_0_11)
            .persistent()
            .user("mosquitto")
            .start()
            .unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", broker.pid())).unwrap();
        let uid = status
            .lines()
            .find(|line| line.starts_with("Uid:"))
            .unwrap();
        assert!(!uid.contains("\t0"), "{uid}");
    }
}
