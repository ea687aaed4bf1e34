//! The admin worker: runs the administrative acts that sessions ask for, beside
//! the host's thread and with its own connection to the store.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::time::Duration;

use countersign_core::store::{AdminStore, GateStore};
use countersign_core::time::Timestamp;

use crate::background::{Job, Join, Progress};
use crate::command::admin_job::{AdminJob, run_job};
use crate::command::control_job::{self, ControlJob, UNAVAILABLE};
use crate::command::error::CommandError;
use crate::command::json::CommandResult;
use crate::config::GateConfig;
use crate::counters::{BrokerAct, Counters};
use crate::host::Payload;
use crate::wakeup::{Inbound, WakeSignal};

/// The host's end of the admin worker.
pub(crate) struct AdminWorker {
    work: Option<SyncSender<WorkerMessage>>,
    done: Arc<Inbound<JobResult>>,
    stop: Arc<AtomicBool>,
    _join: Join,
}

/// What is sent to the worker.
enum WorkerMessage {
    /// Run this job.
    Job(ReplySlot, AdminJob),
    /// Carry out this message of dynamic-security.
    Control(u64, ControlJob),
    /// To open the store anew, for an open one keeps what it read.
    Reload,
}

/// Where a result goes: which message, and which of its responses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplySlot {
    pub(crate) message: u64,
    pub(crate) response: usize,
}

/// The result of a job.
pub(crate) enum JobResult {
    /// One of the responses to a message.
    Response {
        slot: ReplySlot,
        outcome: Result<CommandResult, CommandError>,
    },
    /// The whole answer to a message of dynamic-security.
    Control { message: u64, answer: Payload },
}

impl AdminWorker {
    /// Starts the worker.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when the job can't be run.
    pub(crate) fn start<S: GateStore + AdminStore>(
        store: S,
        wake_signal: &Arc<WakeSignal>,
        counters: &Arc<Counters>,
        config: &GateConfig,
    ) -> std::io::Result<Self> {
        let (work, jobs) = sync_channel(MOST_WAITING);
        let done = Arc::new(Inbound::new(Arc::clone(wake_signal)));
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            store,
            clock: Arc::clone(&config.clock),
            counters: Arc::clone(counters),
            jobs,
            next: Err(TryRecvError::Empty),
            done: Arc::clone(&done),
            stop: Arc::clone(&stop),
        };
        let join = config
            .background
            .start("countersign-act", Box::new(worker))?;
        Ok(Self {
            work: Some(work),
            done,
            stop,
            _join: join,
        })
    }

    /// Queues a job; says why not.
    pub(crate) fn send(&self, slot: ReplySlot, job: AdminJob) -> Result<(), CommandError> {
        self.queue(WorkerMessage::Job(slot, job))
    }

    /// Queues a message of dynamic-security; says why not.
    pub(crate) fn send_control(&self, message: u64, job: ControlJob) -> Result<(), CommandError> {
        self.queue(WorkerMessage::Control(message, job))
    }

    fn queue(&self, message: WorkerMessage) -> Result<(), CommandError> {
        let work = self.work.as_ref().ok_or(CommandError::Unavailable)?;
        work.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => CommandError::LimitExceeded,
            TrySendError::Disconnected(_) => CommandError::Unavailable,
        })
    }

    /// Has the store opened anew.
    pub(crate) fn reload(&self) {
        if let Some(work) = &self.work {
            // With so much to do, it is done the next time.
            let _sent = work.try_send(WorkerMessage::Reload);
        }
    }

    /// Takes what was done since the last time, once the wake signal was
    /// acknowledged.
    pub(crate) fn take(&self) -> VecDeque<JobResult> {
        self.done.take()
    }
}

impl Drop for AdminWorker {
    /// Drops what waits. The job ends once it has finished what it is at.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.work = None;
    }
}

/// The job's own part.
struct Worker<S> {
    store: S,
    jobs: Receiver<WorkerMessage>,
    /// What came while it waited.
    next: Result<WorkerMessage, TryRecvError>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    counters: Arc<Counters>,
    done: Arc<Inbound<JobResult>>,
    stop: Arc<AtomicBool>,
}

impl<S: GateStore + AdminStore> Job for Worker<S> {
    fn step(&mut self) -> Progress {
        let came = core::mem::replace(&mut self.next, Err(TryRecvError::Empty));
        let work = came.or_else(|_| self.jobs.try_recv());
        if self.stop.load(Ordering::Acquire) {
            return Progress::Over;
        }
        match work {
            Ok(WorkerMessage::Job(slot, job)) => {
                // A panic ends this job and nothing else: what a transaction has
                // not committed never happened.
                let act = job.act();
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    run_job(&mut self.store, job, (self.clock)())
                }))
                .unwrap_or(Err(CommandError::Unavailable));
                self.counters.act(act, outcome.is_ok());
                self.done.put([JobResult::Response { slot, outcome }]);
            }
            Ok(WorkerMessage::Control(message, job)) => {
                let answer = catch_unwind(AssertUnwindSafe(|| {
                    job.run(&mut self.store, (self.clock)())
                }));
                self.counters.act(BrokerAct::Control, answer.is_ok());
                let refusal = |_| control_job::payload(control_job::refusal(UNAVAILABLE));
                let answer = answer.unwrap_or_else(refusal);
                self.done.put([JobResult::Control { message, answer }]);
            }
            Ok(WorkerMessage::Reload) => {
                if let Ok(store) = self.store.reopen() {
                    self.store = store;
                }
            }
            Err(TryRecvError::Empty) => {
                // A connection that does not look keeps all others from
                // opening another store.
                let _there = self.store.mark();
                return Progress::Idle;
            }
            Err(TryRecvError::Disconnected) => return Progress::Over,
        }
        Progress::Worked
    }

    fn wait(&mut self) {
        self.next = self
            .jobs
            .recv_timeout(LOOK_EVERY)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            });
    }
}

/// So many jobs wait at most.
const MOST_WAITING: usize = 256;
const LOOK_EVERY: Duration = Duration::from_millis(250);
