//! What a broker's process used of the machine.

use std::fs;
use std::ops::{Mul, Sub};

use anyhow::{Context, Result, ensure};

/// Reads the CPU time of one process.
pub struct Meter {
    pid: u32,
    clock: libc::clockid_t,
}

/// CPU time in nanoseconds, counted from the process's start.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// Of all threads.
    pub process: f64,
    /// Of the first thread, which is the broker's own.
    pub thread: f64,
}

impl Meter {
    pub fn of(pid: u32) -> Result<Self> {
        let mut clock = 0;
        // SAFETY: `clock` is writable.
        let failed = unsafe { libc::clock_getcpuclockid(libc::pid_t::try_from(pid)?, &mut clock) };
        ensure!(failed == 0, "process {pid} has no clock");
        Ok(Self { pid, clock })
    }

    /// The CPU time used so far.
    pub fn cpu(&self) -> Result<Cpu> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is writable.
        let failed = unsafe { libc::clock_gettime(self.clock, &mut time) };
        ensure!(failed == 0, "process {} has ended", self.pid);
        let stat = fs::read_to_string(format!("/proc/{0}/task/{0}/schedstat", self.pid))?;
        let thread = stat.split_whitespace().next();
        Ok(Cpu {
            process: time.tv_sec as f64 * 1e9 + time.tv_nsec as f64,
            thread: thread.context("schedstat is empty")?.parse()?,
        })
    }

    /// The memory that is resident, in MiB.
    pub fn resident(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .context("the status has no VmRSS")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            process: self.process - earlier.process,
            thread: self.thread - earlier.thread,
        }
    }
}

impl Mul<f64> for Cpu {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self {
            process: self.process * factor,
            thread: self.thread * factor,
        }
    }
}
