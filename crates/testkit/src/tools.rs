//! Other programs, each run under a deadline.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All it printed.
    pub stdout: String,
    /// All it complained of.
    pub stderr: String,
}

/// A program that is about to run, such as `mosquitto_rr`.
#[derive(Debug)]
pub struct Tool {
    command: Command,
    stdin: Vec<u8>,
}

impl Tool {
    /// A program, by its path or looked up in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            stdin: Vec::new(),
        }
    }

    /// One of Debian's MQTT clients (`mosquitto_pub`, `mosquitto_rr`,
    /// `mosquitto_sub`), pointed at a broker on this machine.
    ///
    /// It prints line by line, so that a line can be awaited.
    pub fn mosquitto(program: &str, port: u16) -> Self {
        let port = port.to_string();
        Self::new("stdbuf").args(["-oL", program, "-h", "127.0.0.1", "-p", &port])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it in another folder.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives it these bytes to read; nothing else ever is.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs it to its end. One that outlives `deadline` is killed, and that is
    /// an error that holds what it said.
    pub fn run(self, deadline: Duration) -> Result<Output> {
        self.background()?.wait(deadline)
    }

    /// Starts it and returns at once.
    pub fn background(mut self) -> Result<Background> {
        let folder = tempfile::tempdir()?;
        // Files and not pipes: nothing fills up, and what was said so far can be
        // read at any time.
        let mut stdin = tempfile::tempfile_in(&folder)?;
        stdin.write_all(&self.stdin)?;
        stdin.rewind()?;
        let child = self
            .command
            .stdin(Stdio::from(stdin))
            .stdout(File::create(folder.path().join("stdout"))?)
            .stderr(File::create(folder.path().join("stderr"))?)
            .spawn()
            .with_context(|| format!("cannot run {:?}", self.command.get_program()))?;
        let program = self.command.get_program().to_owned();
        Ok(Background {
            child,
            folder,
            program,
        })
    }
}

/// A program that runs beside the test and is killed with it.
#[derive(Debug)]
pub struct Background {
    child: Child,
    folder: TempDir,
    program: OsString,
}

impl Background {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn stdout(&self) -> String {
        text(self.folder.path().join("stdout"))
    }

    /// What it complained of so far.
    pub fn stderr(&self) -> String {
        text(self.folder.path().join("stderr"))
    }

    /// Waits until it has printed `needle`.
    pub fn wait_for_output(&mut self, needle: &str, deadline: Duration) -> Result<()> {
        let end = Instant::now() + deadline;
        while !self.stdout().contains(needle) {
            let over = self.child.try_wait()?.is_some();
            // It may have printed and ended between the two looks.
            if (over || Instant::now() > end) && !self.stdout().contains(needle) {
                bail!(
                    "{:?} did not print `{needle}` within {deadline:?}\n{}{}",
                    self.program,
                    self.stdout(),
                    self.stderr()
                );
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends. One that outlives `deadline` is killed, and that is
    /// an error that holds what it said.
    pub fn wait(mut self, deadline: Duration) -> Result<Output> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(self.output(status.code()));
            }
            if Instant::now() > end {
                let program = self.program.clone();
                let output = self.kill()?;
                bail!("{program:?} still ran after {deadline:?}: {output:?}");
            }
            thread::sleep(POLL);
        }
    }

    /// Ends it with SIGKILL.
    pub fn kill(mut self) -> Result<Output> {
        self.child.kill()?;
        let status = self.child.wait()?;
        Ok(self.output(status.code()))
    }

    fn output(&self, code: Option<i32>) -> Output {
        Output {
            code,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(path: PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// How often we look whether another program is so far.
pub(crate) const POLL: Duration = Duration::from_millis(3);

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn a_program_gives_back_its_code_and_both_outputs() {
        let output = Tool::new("sh")
            .args(["-c", "cat; echo two >&2; exit 7"])
            .stdin("one")
            .run(SOON);
        let output = output.unwrap();
        assert_eq!(output.code, Some(7));
        assert_eq!(output.stdout, "one");
        assert_eq!(output.stderr, "two\n");
    }

    #[test]
    fn a_program_that_outlives_its_deadline_is_killed() {
        let sleep = Tool::new("sleep").args(["60"]).background().unwrap();
        let pid = sleep.pid();
        assert!(sleep.wait(Duration::from_millis(20)).is_err());
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn output_can_be_awaited() {
        let mut shell = Tool::new("sh")
            .args(["-c", "echo ready; sleep 60"])
            .background()
            .unwrap();
        shell.wait_for_output("ready", SOON).unwrap();
        assert!(shell.is_running());
        assert_eq!(shell.kill().unwrap().stdout, "ready\n");
    }

    #[test]
    fn output_that_never_comes_is_an_error() {
        let mut shell = Tool::new("true").background().unwrap();
        assert!(shell.wait_for_output("ready", SOON).is_err());
    }
}
