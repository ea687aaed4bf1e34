//! A Mosquitto that we start for ourselves, on a port of its own, and end.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::brokers::Broker;

/// A running broker. Dropping it ends it, unless it was left running.
pub struct Daemon {
    child: Option<Child>,
    log: PathBuf,
}

/// What becomes of a broker when whoever started it ends unexpectedly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// The kernel ends it, too.
    EndsWithUs,
    /// It goes on, and a Ctrl-C does not reach it.
    Stays,
}

impl Daemon {
    /// Starts `broker` on a configuration and returns at once; what it says
    /// goes to `log`.
    ///
    /// With [`Fate::EndsWithUs`] it ends with the thread that calls this.
    pub fn start(broker: &Broker, config: &Path, log: &Path, fate: Fate) -> Result<Self> {
        let output = File::create(log)?;
        let mut command = command(broker, config)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        match fate {
            Fate::EndsWithUs => end_with_us(&mut command),
            Fate::Stays => {
                command.process_group(0);
            }
        }
        let child = command.spawn().context("cannot start the broker")?;
        Ok(Self {
            child: Some(child),
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Waits until its log holds `needle`. A broker that ends first is an error
    /// that holds its log.
    pub fn wait_for_log(&mut self, needle: &str, deadline: Duration) -> Result<()> {
        let end = Instant::now() + deadline;
        loop {
            // Asked first: what a broker says before it ends is then in the log.
            let ended = self.has_ended()?;
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            if log.contains(needle) {
                return Ok(());
            }
            ensure!(!ended, "the broker ended at its start\n{log}");
            if Instant::now() > end {
                bail!("the broker did not log `{needle}` within {deadline:?}\n{log}");
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The last line of its log that holds `needle`.
    #[cfg(feature = "bench")]
    pub fn last_in_log(&self, needle: &str) -> Option<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let line = log.lines().rfind(|line| line.contains(needle))?;
        Some(line.to_owned())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?.is_some()),
            None => Ok(true),
        }
    }

    /// Lets it run on when this is dropped.
    pub fn leave_running(mut self) {
        self.child = None;
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if let Ok(pid) = libc::pid_t::try_from(child.id()) {
            // SAFETY: kill has no preconditions; the child is not yet reaped, so
            // the number is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                // Both fail when it has ended already, which is what is wanted.
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The command that starts `broker` on a configuration.
pub fn command(broker: &Broker, config: &Path) -> Result<Command> {
    let (program, arguments) = broker.command.split_first().context("it has no command")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("-c")
        .arg(config)
        .envs(&broker.env);
    Ok(command)
}

/// Has the kernel end what `command` starts when the calling thread ends.
pub fn end_with_us(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: the closure calls nothing but functions that are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid().cast_unsigned() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// The line that keeps a broker started by root from dropping to a user who
/// may not read our folders.
pub fn user_line() -> &'static str {
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } == 0 {
        "user root\n"
    } else {
        ""
    }
}

/// A port that nobody else is given while this lives.
///
/// The socket is bound and does not listen. Linux lets a second socket bind the
/// same port when both say SO_REUSEADDR, as brokers do, and gives it to nobody
/// who asks for any free port.
pub struct Port {
    pub number: u16,
    _socket: Socket,
}

impl Port {
    /// Takes a free one of 127.0.0.1.
    pub fn reserve() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr()?.as_socket_ipv4();
        Ok(Self {
            number: address.context("no port is free")?.port(),
            _socket: socket,
        })
    }
}
