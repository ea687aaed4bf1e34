//! The threads that use the store: few of them, with a connection each, and a queue
//! in front that is full at some point.
//!
//! No thread of the runtime ever waits for the store. A thread that has nothing to do
//! looks now and then whether the store's files are still those that it has open, so
//! that all of them let go of files that were replaced.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_core::store::{GateStore as _, StoreError};
use countersign_store::AnyStore;
use tokio::sync::oneshot;

use crate::problem::Problem;

type Job = Box<dyn FnOnce(&mut AnyStore) + Send>;

/// Threads with a connection each, and the jobs that wait for them.
pub(crate) struct Workers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads, each with a connection beside `store`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be opened so often.
    pub(crate) fn start(name: &str, count: usize, store: &AnyStore) -> Result<Self, WorkersError> {
        let queue = Arc::new(Queue::default());
        let mut workers = Self {
            queue: Arc::clone(&queue),
            threads: Vec::new(),
        };
        for _ in 0..count {
            let mut connection = store.reopen()?;
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new()
                .name(name.into())
                .spawn(move || work(&queue, &mut connection))?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Has a thread do something with the store, and waits for it.
    ///
    /// # Errors
    ///
    /// Returns a [`Problem`] when too much waits already, and when it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut AnyStore) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            // Whoever asked may be gone; what was done is done.
            let _ = done.send(act(store));
        });
        if !self.queue.push(job) {
            return Err(Problem::unavailable("there is too much to do just now"));
        }
        let answer = answer.await;
        answer.map_err(|_| Problem::unavailable("this could not be done; the log says why"))
    }
}

impl Drop for Workers {
    /// Lets each thread finish what it does. What waits is not begun.
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that uses the store panicked");
            }
        }
    }
}

/// Why threads could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkersError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("could not start a thread: {0}")]
    Thread(#[from] io::Error),
}

fn work(queue: &Queue, store: &mut AnyStore) {
    loop {
        match queue.next() {
            Next::Job(job) => {
                // A transaction that it leaves open is rolled back when it is dropped.
                let done = catch_unwind(AssertUnwindSafe(|| job(store)));
                if done.is_err() {
                    tracing::error!("a request made a thread panic");
                }
            }
            Next::Nothing => {
                // What is wrong is said to whoever asks for something.
                let _ = store.mark();
            }
            Next::Closed => return,
        }
    }
}

/// Jobs that wait.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    is_filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

enum Next {
    Closed,
    Job(Job),
    Nothing,
}

impl Queue {
    /// Lets a job wait; says whether there is room for it.
    fn push(&self, job: Job) -> bool {
        let mut waiting = self.lock();
        if waiting.is_closed || waiting.jobs.len() >= MOST_WAITING {
            return false;
        }
        waiting.jobs.push_back(job);
        self.is_filled.notify_one();
        true
    }

    /// Waits a moment for a job.
    fn next(&self) -> Next {
        let waiting = self.lock();
        let is_idle = |it: &mut Waiting| it.jobs.is_empty() && !it.is_closed;
        let waited = self
            .is_filled
            .wait_timeout_while(waiting, A_MOMENT, is_idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.is_closed {
            return Next::Closed;
        }
        waiting.jobs.pop_front().map_or(Next::Nothing, Next::Job)
    }

    fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.jobs.clear();
        self.is_filled.notify_all();
    }

    /// Nothing under this lock can panic half done.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many jobs wait at most, of which each holds one request.
const MOST_WAITING: usize = 256;
/// So often a thread without a job looks at the store's files.
const A_MOMENT: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_jobs_wait_and_the_next_is_turned_away() {
        let queue = Queue::default();
        let pushed = (0..1_000).filter(|_| queue.push(Box::new(|_| {}))).count();
        assert_eq!(pushed, MOST_WAITING);
        assert!(matches!(queue.next(), Next::Job(_)));
        assert!(queue.push(Box::new(|_| {})));
        queue.close();
        assert!(matches!(queue.next(), Next::Closed));
        assert!(!queue.push(Box::new(|_| {})));
    }
}
