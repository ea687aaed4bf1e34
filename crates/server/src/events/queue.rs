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
    /// Whether something was left out that the reader is not told of yet.
    is_missed: bool,
    is_closed: bool,
    reader: Option<Waker>,
}

impl Queue {
    /// Adds a text. Where there is no room for it, it is left out, and so is what follows
    /// until all that waits is read; then the reader is told that it missed something.
    pub(super) fn push(&self, text: &Bytes) {
        let mut waiting = self.lock();
        let size = text.len().saturating_add(OF_EACH);
        let bytes = waiting.bytes.saturating_add(size);
        if waiting.is_closed || waiting.is_missed {
            return;
        }
        if bytes > MOST_BYTES {
            waiting.is_missed = true;
        } else {
            waiting.bytes = bytes;
            waiting.texts.push_back(text.clone());
        }
        waiting.wake();
    }

    /// Something else was left out.
    pub(super) fn miss(&self) {
        let mut waiting = self.lock();
        waiting.is_missed |= !waiting.is_closed;
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
        if core::mem::take(&mut waiting.is_missed) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(MISSED)))));
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
/// What says that something was left out.
const MISSED: &[u8] = b"event: missed\ndata: {}\n\n";

#[cfg(test)]
mod tests {
    use super::super::StreamQueue;
    use super::*;

    fn reader() -> Reader {
        let streams = Arc::new(StreamQueue::default());
        let place = streams.take_place("192.0.2.1".parse().unwrap(), "a");
        Reader {
            queue: Arc::default(),
            _place: place.unwrap(),
        }
    }

    /// What is to be read just now.
    fn read(reader: &mut Reader) -> Vec<Bytes> {
        let mut context = Context::from_waker(Waker::noop());
        let mut read = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut *reader).poll_frame(&mut context) {
            read.push(frame.into_data().unwrap());
        }
        read
    }

    #[test]
    fn what_has_no_room_is_left_out_and_the_reader_is_told_once_it_has_read() {
        let mut reader = reader();
        let text = Bytes::from_static(&[b'x'; 1_000]);
        for _ in 0..1_000 {
            reader.queue.push(&text);
            let waiting = reader.queue.lock();
            assert!(waiting.texts.iter().map(Bytes::len).sum::<usize>() <= MOST_BYTES);
        }
        let mut told = read(&mut reader);
        assert_eq!(told.pop().unwrap(), MISSED);
        assert_eq!(told, vec![text.clone(); MOST_BYTES / (1_000 + OF_EACH)]);
        // From then on, all is told again.
        reader.queue.push(&text);
        assert_eq!(read(&mut reader), [text]);
        // Empty texts take room, too.
        (0..=MOST_BYTES / OF_EACH).for_each(|_| reader.queue.push(&Bytes::new()));
        assert_eq!(read(&mut reader).len(), MOST_BYTES / OF_EACH + 1);
    }

    #[test]
    fn what_was_missed_is_told_last_and_once_before_a_queue_ends() {
        let mut reader = reader();
        let text = Bytes::from_static(b"x");
        reader.queue.push(&text);
        reader.queue.miss();
        reader.queue.miss();
        reader.queue.close();
        reader.queue.push(&text);
        reader.queue.miss();
        assert_eq!(read(&mut reader), [&b"x"[..], MISSED]);
    }
}
