//! Following the change log, on a thread of its own.
//!
//! The thread looks at the store's version every few milliseconds, which costs
//! next to nothing, and reads the log when somebody has committed. What it
//! finds waits in a queue for the host's thread, which is woken until it has
//! taken it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::store::{GateStore, StoreError};

/// The host's end of the follower.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Set while the queue holds something, so that a poll costs one load.
    signalled: AtomicBool,
    state: Mutex<State>,
    stopping: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<News>,
    stop: bool,
}

/// What the follower found.
pub(crate) enum News {
    /// Something changed.
    Changed(Change),
    /// The log can't be read, and why; said once until it can be again.
    Lost(String),
    /// The log can be read again.
    Found,
}

impl Follower {
    /// Starts to follow what is committed after `last`.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when no thread can be started.
    pub(crate) fn start<S: GateStore>(
        store: S,
        last: ChangeSeq,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            signalled: AtomicBool::new(false),
            state: Mutex::new(State::default()),
            stopping: Condvar::new(),
        });
        let follow = Follow {
            store,
            last,
            version: None,
            lost: false,
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name("countersign-log".into())
            .spawn(move || follow.run(&*wake))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Takes what was found since the last time.
    pub(crate) fn take(&self) -> VecDeque<News> {
        if !self.shared.signalled.load(Ordering::Acquire) {
            return VecDeque::new();
        }
        let mut state = self.shared.lock();
        self.shared.signalled.store(false, Ordering::Release);
        core::mem::take(&mut state.queue)
    }

    /// Says whether there is something to take.
    pub(crate) fn has_news(&self) -> bool {
        self.shared.signalled.load(Ordering::Acquire)
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.stopping.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there was its own end; nothing of it is left to undo.
            let _ended = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // INVARIANT: no code panics between two changes of the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, news: impl IntoIterator<Item = News>) {
        let mut state = self.lock();
        state.queue.extend(news);
        if !state.queue.is_empty() {
            self.signalled.store(true, Ordering::Release);
        }
    }

    /// Waits; says whether to stop.
    fn rest(&self, time: Duration) -> bool {
        let state = self.lock();
        let (state, _timed_out) = self
            .stopping
            .wait_timeout_while(state, time, |state| !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        state.stop
    }
}

/// The thread's own part.
struct Follow<S> {
    store: S,
    last: ChangeSeq,
    version: Option<i64>,
    lost: bool,
    shared: Arc<Shared>,
}

impl<S: GateStore> Follow<S> {
    fn run(mut self, wake: &(dyn Fn() + Send + Sync)) {
        loop {
            match self.look() {
                Ok(changes) => {
                    if core::mem::take(&mut self.lost) {
                        self.shared.push([News::Found]);
                    }
                    self.shared.push(changes.into_iter().map(News::Changed));
                }
                Err(error) => {
                    if !core::mem::replace(&mut self.lost, true) {
                        self.shared.push([News::Lost(error.to_string())]);
                    }
                }
            }
            // A wake-up can come between the host's last look and its sleep,
            // so it is sent again until the host has looked.
            let pause = if self.shared.signalled.load(Ordering::Acquire) {
                wake();
                AGAIN
            } else {
                LOOK_EVERY
            };
            if self.shared.rest(pause) {
                return;
            }
        }
    }

    /// What was committed since the last look.
    fn look(&mut self) -> Result<Vec<Change>, StoreError> {
        let version = self.store.version()?;
        if self.version == Some(version) {
            return Ok(Vec::new());
        }
        let mut changes = Vec::new();
        loop {
            let part = self.store.changes_after(self.last, PART)?;
            let is_last = part.len() < PART;
            for (seq, change) in part {
                self.last = seq;
                changes.push(change);
            }
            if is_last {
                break;
            }
        }
        self.version = Some(version);
        Ok(changes)
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(10);
const AGAIN: Duration = Duration::from_millis(2);
const PART: usize = 1_000;
