//! Connections: so many at most, in all and from one client, and none that holds up
//! anything by being slow.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use countersign_core::network::Network;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Sleep, sleep, timeout};

use crate::app::{Answerer, Ends};
use crate::network::TrustedProxies;
use crate::patience::Patience;
use crate::places::Places;
use crate::tls::Tls;

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) answerer: Answerer,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) patience: Patience,
    /// Turns true when the service is to end.
    pub(crate) is_ending: watch::Receiver<bool>,
    /// Held by each connection, so that the end can be waited for.
    pub(crate) alive: mpsc::Sender<()>,
}

/// Takes connections until the service is to end.
pub(crate) async fn accept(listener: TcpListener, front: Front) {
    let mut is_ending = front.is_ending.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = is_ending.wait_for(|it| *it) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // No more file descriptors, say. The next try may do better.
                tracing::warn!(%error, "a connection could not be taken");
                sleep(A_MOMENT).await;
                continue;
            }
        };
        // Who is one too many hears nothing: an answer would cost more.
        if let Some(place) = front.connections.take_place(peer.ip().to_canonical()) {
            let front = front.clone();
            tokio::spawn(async move {
                serve(stream, peer, &front).await;
                drop(place);
                drop(front.alive);
            });
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, front: &Front) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Answers are written whole; nothing is gained by waiting for more of them.
    let _ = stream.set_nodelay(true);
    let ends = Ends {
        peer: peer.ip(),
        local: local.ip(),
        is_encrypted: front.tls.is_some(),
    };
    match &front.tls {
        None => answer_all(stream, ends, front).await,
        Some(tls) => {
            let greeting = tls.acceptor().accept(stream);
            if let Ok(Ok(stream)) = timeout(front.patience.greeting, greeting).await {
                answer_all(stream, ends, front).await;
            }
        }
    }
}

/// Answers the requests of a connection, one after the other.
async fn answer_all(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ends: Ends,
    front: &Front,
) {
    let answerer = front.answerer.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answerer = answerer.clone();
        async move {
            let request = request.map(Body::new);
            Ok::<_, core::convert::Infallible>(answerer.answer(ends, request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(front.patience.headers)
        .max_buf_size(MOST_BUFFERED)
        .max_headers(MOST_HEADERS)
        .serve_connection(
            TokioIo::new(Impatient::new(stream, front.patience.stall)),
            service,
        );
    let mut connection = core::pin::pin!(connection);
    let mut is_ending = front.is_ending.clone();
    tokio::select! {
        // A client that leaves or sends nonsense is no news.
        _ = connection.as_mut() => return,
        _ = is_ending.wait_for(|it| *it) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LONGEST_END, connection).await;
}

/// How many connections there are.
#[derive(Debug)]
pub(crate) struct Connections {
    taken: Mutex<Taken>,
    /// Those that may have more than one client behind them.
    proxies: TrustedProxies,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_client: Places<u128>,
}

impl Connections {
    /// None yet; trusted proxies may have more than others.
    pub(crate) fn beside(proxies: TrustedProxies) -> Self {
        Self {
            taken: Mutex::default(),
            proxies,
        }
    }

    /// Takes a place for a connection, if there is one.
    fn take_place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let client = Network::of_client(peer).key();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.in_all >= MOST_CONNECTIONS {
            return None;
        }
        if taken.by_client.of(&client) >= MOST_OF_CLIENT && !self.proxies.are(peer) {
            return None;
        }
        taken.in_all = taken.in_all.saturating_add(1);
        taken.by_client.take(client);
        Some(Place {
            connections: Arc::clone(self),
            client,
        })
    }
}

/// The place of a connection, until it is dropped.
struct Place {
    connections: Arc<Connections>,
    client: u128,
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.connections.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all = taken.in_all.saturating_sub(1);
        taken.by_client.give_back(&self.client);
    }
}

/// A stream that fails once its other end takes nothing for some time.
struct Impatient<S> {
    stream: S,
    longest_stall: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    fn new(stream: S, longest_stall: Duration) -> Self {
        Self {
            stream,
            longest_stall,
            stalled: None,
        }
    }

    /// What a try to write came to.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        tried: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.stalled = None;
            return tried;
        }
        let longest = self.longest_stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(longest)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, tried)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, tried)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, tried)
    }
}

/// So many connections there are at most,
const MOST_CONNECTIONS: usize = 512;
/// and so many of one client.
const MOST_OF_CLIENT: usize = 256;
/// So long requests may take that are being answered when the service is to end.
const LONGEST_END: Duration = Duration::from_secs(10);
/// So much is held of a request's headers.
const MOST_BUFFERED: usize = 64 * 1024;
const MOST_HEADERS: usize = 64;
const A_MOMENT: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_connections_there_are_in_all_and_of_one_client_and_a_place_is_given_back() {
        let trusted = TrustedProxies(vec!["10.0.0.1".parse().unwrap()]);
        let connections = Arc::new(Connections::beside(trusted));
        let take = |address: &str, count: usize| {
            let address: IpAddr = address.parse().unwrap();
            let places = (0..count).map(|_| connections.take_place(address));
            places.flatten().collect::<Vec<_>>()
        };
        let ours = take("192.0.2.1", MOST_OF_CLIENT + 1);
        assert_eq!(ours.len(), MOST_OF_CLIENT);
        // A proxy stands for many; there is no more room than there is.
        let proxied = take("10.0.0.1", MOST_CONNECTIONS);
        assert_eq!(proxied.len(), MOST_CONNECTIONS - MOST_OF_CLIENT);
        assert!(take("192.0.2.2", 1).is_empty());
        drop(ours);
        assert_eq!(take("192.0.2.2", 1).len(), 1);
        drop(proxied);
        assert!(connections.taken.lock().unwrap().by_client.is_empty());
    }
}
