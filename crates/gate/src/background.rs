//! The jobs of a gate that are done beside its host's thread, and what runs
//! them.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Runs the jobs of a gate, each again and again until it is over, and measures
/// how long things take.
///
/// [`Threads`] is what nearly every host wants: each job has a thread. A test
/// may run the jobs itself, at the moments of its choice, and so has to wait for
/// none of them.
pub trait Background: Send + Sync {
    /// Takes over a job, named for people to read. Returns what waits for its end
    /// when it is dropped, which is after the gate has told it to end.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when the job can't be run.
    fn start(&self, name: &'static str, job: Box<dyn Job>) -> io::Result<Join>;

    /// The time since some instant, by a clock that is never set.
    fn uptime(&self) -> Duration;
}

/// Waits for the end of a job when it is dropped.
pub type Join = Box<dyn Send>;

/// Something that a gate has done beside its host's thread.
pub trait Job: Send {
    /// Does what there is to do by now. Takes as long as that takes, and waits
    /// for nothing more to come.
    fn step(&mut self) -> Progress;

    /// Waits until there may be something to do.
    fn wait(&mut self);
}

/// What a step of a job came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// There was nothing to do.
    Idle,
    /// The job is over.
    Over,
    /// Something was done.
    Worked,
}

/// A thread for each job.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    since: Instant,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            since: Instant::now(),
        }
    }
}

impl Background for Threads {
    fn start(&self, name: &'static str, mut job: Box<dyn Job>) -> io::Result<Join> {
        let run = move || {
            while job.step() != Progress::Over {
                job.wait();
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Box::new(JoinOnDrop(Some(thread))))
    }

    fn uptime(&self) -> Duration {
        self.since.elapsed()
    }
}

struct JoinOnDrop(Option<JoinHandle<()>>);

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic there was its own end; nothing of it is left to undo.
            let _ended = thread.join();
        }
    }
}
