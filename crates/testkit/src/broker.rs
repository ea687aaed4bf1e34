//! A real Mosquitto in a folder and on ports of its own.

mod builder;
mod port;
pub(crate) mod process;
mod version;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use self::process::Process;

pub use self::builder::Builder;
pub use self::port::Port;
pub use self::process::{end_with_us, we_are_root};
pub use self::version::Version;

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
        Builder::new(version)
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
        self.start()
    }

    /// Starts it and returns at once.
    pub fn launch(&mut self) -> Result<()> {
        self.process.spawn()
    }

    /// The command that starts it, as one would type it.
    pub fn start_line(&self) -> String {
        self.process.line()
    }

    /// Leaves it running, and its folder where it is.
    pub fn leave(mut self) {
        self.process.leave();
        let _folder = self.dir.keep();
    }

    /// Starts it and waits until it takes connections. One that ends instead is
    /// an error that holds its log.
    pub fn start(&mut self) -> Result<()> {
        let mark = self.log_mark();
        self.launch()?;
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

#[cfg(test)]
mod tests {
    use std::fs;

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
        if !we_are_root() {
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
