//! Events, as they happen: `GET /api/v1/events`.
//!
//! One thread follows the store ([`follower`]), and hands what is new to each stream
//! whose caller may know of it. A stream's queue is bounded: what has no room is left out,
//! and its reader is told so.

use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::Body;
use countersign_admin::events::Horizon;
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::store::GateStore as _;
use countersign_store::AnyStore;
use tokio::sync::oneshot;

use self::queue::{Queue, Reader};
use crate::places::Places;
use crate::problem::{Problem, ProblemKind};
use crate::who::Who;
use crate::workers::WorkersError;

mod follower;
mod queue;
mod seen;

/// What requests and the thread that follows the store share.
pub(crate) struct Events {
    streams: Arc<StreamQueue>,
    thread: Option<JoinHandle<()>>,
}

impl Events {
    /// Starts to follow a store, with a connection beside `store`, for as long as there
    /// are streams.
    ///
    /// # Errors
    ///
    /// Returns [`WorkersError`] when the store can't be opened once more, and when there
    /// are no more threads.
    pub(crate) fn start(store: &AnyStore) -> Result<Self, WorkersError> {
        let connection = store.reopen()?;
        let streams = Arc::new(StreamQueue::default());
        let shared = Arc::clone(&streams);
        let thread = std::thread::Builder::new()
            .name("countersign-events".into())
            .spawn(move || follower::follow(connection, &shared))?;
        Ok(Self {
            streams,
            thread: Some(thread),
        })
    }

    /// Opens a stream for somebody at an address.
    ///
    /// # Errors
    ///
    /// Returns a [`Problem`] when there are too many.
    pub(crate) fn open(&self, wish: Wish, client: IpAddr) -> Result<Opening, Problem> {
        let place = self.streams.take_place(client, &wish.who.actor)?;
        let queue = Arc::new(Queue::default());
        let (ready, is_ready) = oneshot::channel();
        let stream = Stream {
            wish,
            queue: Arc::clone(&queue),
            ready: Some(ready),
            horizon: None,
        };
        self.streams.lock().arrived.push(stream);
        self.streams.has_arrived.notify_one();
        let reader = Reader {
            queue,
            _place: place,
        };
        Ok(Opening { is_ready, reader })
    }

    /// How many streams there are.
    #[cfg(test)]
    pub(crate) fn streams(&self) -> usize {
        self.streams.lock().in_all
    }

    /// Ends all streams, and lets nobody open one.
    pub(crate) fn close(&self) {
        self.streams.lock().is_closed = true;
        self.streams.has_arrived.notify_one();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.close();
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that follows the store panicked");
        }
    }
}

/// What somebody wants to be told.
pub(crate) struct Wish {
    /// Who asks.
    pub(crate) who: Who,
    /// Of this tenant alone.
    pub(crate) tenant: Option<TenantId>,
    /// Behind this row of the audit; from now on where it is not said.
    pub(crate) after: Option<i64>,
}

/// A stream that is about to begin.
pub(crate) struct Opening {
    is_ready: oneshot::Receiver<Result<(), Problem>>,
    reader: Reader,
}

impl Opening {
    /// The stream, once nothing that happens from now on is left out of it.
    ///
    /// # Errors
    ///
    /// Returns a [`Problem`] when its caller may know of nothing.
    pub(crate) async fn stream(self) -> Result<Body, Problem> {
        let is_over = |_| Problem::unavailable("no events can be told just now");
        self.is_ready.await.map_err(is_over)??;
        Ok(Body::new(self.reader))
    }
}

/// A stream, at the end that writes.
struct Stream {
    wish: Wish,
    queue: Arc<Queue>,
    /// Who waits for it to begin.
    ready: Option<oneshot::Sender<Result<(), Problem>>>,
    /// How far its caller saw when it began.
    horizon: Option<Horizon>,
}

/// Where streams are handed over to the thread that follows the store.
#[derive(Default)]
struct StreamQueue {
    shared: Mutex<Shared>,
    has_arrived: Condvar,
}

#[derive(Default)]
struct Shared {
    arrived: Vec<Stream>,
    is_closed: bool,
    in_all: usize,
    by_client: Places<u128>,
    by_caller: Places<String>,
}

impl StreamQueue {
    /// Waits a moment for streams; none when nobody is to open one any more.
    fn arrived(&self, moment: Duration) -> Option<Vec<Stream>> {
        let is_idle = |it: &mut Shared| it.arrived.is_empty() && !it.is_closed;
        let waited = self
            .has_arrived
            .wait_timeout_while(self.lock(), moment, is_idle);
        let (mut shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!shared.is_closed).then(|| core::mem::take(&mut shared.arrived))
    }

    /// Takes a place for a stream, if there is one.
    fn take_place(self: &Arc<Self>, client: IpAddr, caller: &str) -> Result<Place, Problem> {
        let client = Network::of_client(client).key();
        let mut shared = self.lock();
        let caller = caller.to_owned();
        if shared
            .by_client
            .of(&client)
            .max(shared.by_caller.of(&caller))
            >= MOST_OF_ONE
        {
            let detail = format!("there are {MOST_OF_ONE} streams of this address or this caller");
            return Err(Problem {
                retry_after: Some(SECONDS_TO_WAIT),
                ..Problem::new(ProblemKind::TooManyRequests, detail)
            });
        }
        if shared.is_closed || shared.in_all >= MOST_STREAMS {
            return Err(Problem {
                retry_after: Some(SECONDS_TO_WAIT),
                ..Problem::unavailable("there are too many streams of events")
            });
        }
        shared.in_all = shared.in_all.saturating_add(1);
        shared.by_client.take(client);
        shared.by_caller.take(caller.clone());
        Ok(Place {
            streams: Arc::clone(self),
            client,
            caller,
        })
    }

    /// Nothing under this lock can panic half done.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a stream, until it is dropped.
struct Place {
    streams: Arc<StreamQueue>,
    client: u128,
    caller: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shared = self.streams.lock();
        shared.in_all = shared.in_all.saturating_sub(1);
        shared.by_client.give_back(&self.client);
        shared.by_caller.give_back(&self.caller);
    }
}

/// So many streams there are at most,
const MOST_STREAMS: usize = 64;
/// and so many of one address or one caller.
const MOST_OF_ONE: usize = 16;
/// After so long somebody may try again who was one too many.
const SECONDS_TO_WAIT: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_streams_there_are_in_all_and_of_one_and_a_place_is_given_back() {
        let streams = Arc::new(StreamQueue::default());
        let take = |address: &str, caller: &str, count: usize| {
            let places = (0..count).map(|_| streams.take_place(address.parse().unwrap(), caller));
            places.collect::<Result<Vec<_>, _>>()
        };
        let kind = |refused: Result<_, Problem>| refused.map(drop::<Vec<_>>).unwrap_err().kind;
        let ours = take("192.0.2.1", "a", MOST_OF_ONE).unwrap();
        let too_many = ProblemKind::TooManyRequests;
        assert_eq!(kind(take("192.0.2.1", "b", 1)), too_many);
        assert_eq!(kind(take("192.0.2.2", "a", 1)), too_many);
        let others: Vec<_> = (2..=MOST_STREAMS / MOST_OF_ONE)
            .map(|it| take(&format!("192.0.2.{it}"), &it.to_string(), MOST_OF_ONE).unwrap())
            .collect();
        assert_eq!(kind(take("192.0.2.99", "z", 1)), ProblemKind::Unavailable);
        drop(ours);
        let again = take("192.0.2.1", "a", 1).unwrap();
        drop((others, again));
        let shared = streams.lock();
        assert_eq!(shared.in_all, 0);
        assert!(shared.by_client.is_empty() && shared.by_caller.is_empty());
    }
}
