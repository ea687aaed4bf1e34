//! The broker's process: started, watched through its log, and never left
//! behind.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use std::{io, process};

use anyhow::{Context, Result, bail, ensure};

/// How long a broker may take for what it should do at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(crate) struct Process {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    log: PathBuf,
    stays: bool,
    user: Option<User>,
    end: libc::c_int,
    child: Option<Child>,
}

/// Who a process runs as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// The user of this name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let id = |option| -> Result<u32> {
            let output = Command::new("id").args([option, name]).output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            text.trim()
                .parse()
                .with_context(|| format!("there is no user {name}"))
        };
        Ok(Self {
            uid: id("-u")?,
            gid: id("-g")?,
        })
    }

    /// Gives this user a file.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        Ok(chown(path, Some(self.uid), Some(self.gid))?)
    }

    /// Has a program run as this user.
    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

impl Process {
    pub(crate) fn new(
        program: String,
        args: Vec<String>,
        env: Vec<(String, String)>,
        log: PathBuf,
        stays: bool,
    ) -> Self {
        Self {
            program,
            args,
            env,
            log,
            stays,
            user: None,
            end: libc::SIGKILL,
            child: None,
        }
    }

    /// Has it run as this user, and ends it by this signal: one that cleans up.
    pub(crate) fn of_user(mut self, user: Option<User>, end: libc::c_int) -> Self {
        self.user = user;
        self.end = end;
        self
    }

    pub(crate) fn spawn(&mut self) -> Result<()> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .current_dir("/");
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(user) = self.user {
            user.run(&mut command);
        }
        if self.stays {
            command.process_group(0);
        } else {
            end_with_us(&mut command);
        }
        let child = spawn(command).with_context(|| format!("cannot run {}", self.program))?;
        ALIVE
            .lock()
            .unwrap()
            .push((child.id(), self.end, self.log.parent().unwrap().to_owned()));
        self.child = Some(child);
        Ok(())
    }

    /// What starts it, as one would type it.
    pub(super) fn line(&self) -> String {
        let variables = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let words = std::iter::once(&self.program).chain(&self.args).cloned();
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Gives it up while it runs.
    pub(super) fn leave(&mut self) {
        if let Some(child) = self.child.take() {
            forget(child.id());
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)) && !has_ended(child.id()))
    }

    pub(crate) fn signal(&self, signal: libc::c_int) -> Result<()> {
        let pid = self.pid().context("the broker does not run")?;
        let pid = libc::pid_t::try_from(pid)?;
        // SAFETY: kill has no preconditions; the child is not yet reaped, so the
        // number is still its own.
        let done = unsafe { libc::kill(pid, signal) };
        ensure!(
            done == 0,
            "cannot signal the broker: {}",
            io::Error::last_os_error()
        );
        Ok(())
    }

    /// Waits for the end; a broker that does not come to it is killed.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the broker does not run")?;
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > end {
                kill(&mut child);
                bail!("the broker did not end within {PATIENCE:?}\n{}", self.log());
            }
            thread::sleep(POLL);
        };
        forget(child.id());
        Ok(status)
    }

    pub(super) fn log(&self) -> String {
        self.log_since(0)
    }

    pub(crate) fn log_mark(&self) -> usize {
        fs::read(&self.log)
            .map(|bytes| bytes.len())
            .unwrap_or_default()
    }

    pub(super) fn log_since(&self, mark: usize) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(mark..).unwrap_or_default()).into_owned()
    }

    pub(crate) fn wait_for_log(
        &self,
        mark: usize,
        needle: &str,
        deadline: Duration,
    ) -> Result<String> {
        let end = Instant::now() + deadline;
        loop {
            // Asked first: what a broker says before it ends is then in the log.
            let over = self.pid().is_none_or(has_ended) || Instant::now() > end;
            let log = self.log_since(mark);
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            if let Some(line) = whole.lines().find(|line| line.contains(needle)) {
                return Ok(line.to_owned());
            }
            if over {
                bail!("the broker did not log `{needle}` within {deadline:?}\n{log}");
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.end != libc::SIGKILL && self.signal(self.end).is_ok() {
            // What does not come to its end is killed.
            let _ = self.wait();
        }
        if let Some(child) = &mut self.child {
            kill(child);
        }
        if thread::panicking() {
            eprintln!("--- the broker's log\n{}---", self.log());
        }
    }
}

/// Gives `folder` and what is in it to `user`.
pub(crate) fn give(folder: &Path, user: &str) -> Result<()> {
    let User { uid, gid } = User::named(user)?;
    chown(folder, Some(uid), Some(gid))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        chown(entry?.path(), Some(uid), Some(gid))?;
    }
    Ok(())
}

/// Whether this process may do anything.
pub fn we_are_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// Brokers that run, with their folders: those in a `static` are never dropped.
static ALIVE: Mutex<Vec<(u32, libc::c_int, PathBuf)>> = Mutex::new(Vec::new());

type Request = (Command, Sender<io::Result<Child>>);

/// The thread that starts every broker.
///
/// The kernel kills a broker when the thread that started it ends, and a test's
/// thread may end before a broker that tests share.
static STARTER: LazyLock<Mutex<Sender<Request>>> = LazyLock::new(|| {
    // SAFETY: the function takes no argument, returns nothing and does not unwind.
    unsafe { libc::atexit(leave_nothing) };
    let (sender, receiver) = channel::<Request>();
    thread::spawn(move || {
        for (mut command, answer) in receiver {
            // The one who asked waits.
            let _ = answer.send(command.spawn());
        }
    });
    Mutex::new(sender)
});

/// Has the kernel end what `command` starts when the thread that starts it ends.
pub fn end_with_us(command: &mut Command) {
    let parent = process::id();
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

fn spawn(command: Command) -> Result<Child> {
    let (sender, receiver) = channel();
    STARTER
        .lock()
        .unwrap()
        .send((command, sender))
        .ok()
        .context("the starter is gone")?;
    Ok(receiver.recv()??)
}

/// Ends brokers that no one dropped and removes their folders.
extern "C" fn leave_nothing() {
    let Ok(alive) = ALIVE.try_lock() else { return };
    for (pid, end, folder) in alive.iter() {
        if let Ok(pid) = libc::pid_t::try_from(*pid) {
            // SAFETY: kill has no preconditions; the child was never reaped.
            unsafe { libc::kill(pid, *end) };
            // SAFETY: waitpid takes a null status for one that nobody wants.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        }
        let _ = fs::remove_dir_all(folder);
    }
}

fn kill(child: &mut Child) {
    // Both fail when it has ended already, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
    forget(child.id());
}

fn forget(ended: u32) {
    ALIVE.lock().unwrap().retain(|(pid, ..)| *pid != ended);
}

/// Whether the process has ended, reaped or not.
fn has_ended(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    // `PID (NAME) STATE …`
    stat.rsplit(") ")
        .next()
        .is_none_or(|rest| rest.starts_with(['Z', 'X']))
}
