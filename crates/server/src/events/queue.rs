//! What a stream has still to send.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use hyper::body::{Body, Frame};

use super::Place;

/// What waits to be read from a stream.
#[derive(Default)]
pub(super) struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    texts: VecDeque<Bytes>,
    bytes: usize,
    is_closed: bool,
    reader: Option<Waker>,
}

impl Queue {
    /// Adds a text. A queue that has no room for it is emptied and closed.
    pub(super) fn push(&self, text: &Bytes) {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return;
        }
        waiting.bytes = waiting
            .bytes
            .saturating_add(text.len())
            .saturating_add(OF_EACH);
        if waiting.bytes > MOST_BYTES {
            waiting.texts = VecDeque::new();
            waiting.is_closed = true;
        } else {
            waiting.texts.push_back(text.clone());
        }
        waiting.wake();
    }

    /// Closes it; what waits is read still.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.wake();
    }

    /// Says whether nothing more can be added.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Nothing under this lock can panic half done.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// A stream, at the end that is read.
pub(super) struct Reader {
    pub(super) queue: Arc<Queue>,
    pub(super) _place: Place,
}

impl Body for Reader {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut waiting = self.queue.lock();
        if let Some(text) = waiting.texts.pop_front() {
            let size = text.len().saturating_add(OF_EACH);
            waiting.bytes = waiting.bytes.saturating_sub(size);
            return Poll::Ready(Some(Ok(Frame::data(text))));
        }
        if waiting.is_closed {
            return Poll::Ready(None);
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.is_closed = true;
        waiting.texts = VecDeque::new();
    }
}

/// So much waits at most.
const MOST_BYTES: usize = 256 * 1024;
/// A text takes so much besides its bytes.
const OF_EACH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_not_read_is_emptied_and_closed() {
        let queue = Queue::default();
        let text = Bytes::from_static(&[b'x'; 1_000]);
        let mut pushed = 0;
        while !queue.is_closed() {
            queue.push(&text);
            pushed += 1;
            let waiting = queue.lock();
            assert!(waiting.texts.iter().map(Bytes::len).sum::<usize>() <= MOST_BYTES);
        }
        assert_eq!(pushed, MOST_BYTES / (1_000 + OF_EACH) + 1);
        queue.push(&text);
        assert_eq!(queue.lock().texts.capacity(), 0);
        // Empty texts take room, too.
        let queue = Queue::default();
        (0..=MOST_BYTES / OF_EACH).for_each(|_| queue.push(&Bytes::new()));
        assert!(queue.is_closed());
    }
}
