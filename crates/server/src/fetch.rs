//! Fetching a small text over HTTPS from a place that an administrator named.
//!
//! Whoever answers there may be anybody: how long it takes and how much is read is
//! bounded, it is not followed elsewhere, and it is not at a private address unless that
//! is said. A host's addresses are looked up once, and what was looked at is what is
//! connected to: no second answer of its name server can lead elsewhere.

use core::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use axum::http::header::{ACCEPT, HOST, USER_AGENT};
use axum::http::{Request, StatusCode};
use countersign_core::issuer::KeyPlace;
use countersign_core::network::is_public;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::trust::trusting;

/// Fetches what is at a place.
///
/// # Errors
///
/// Returns a [`FetchError`] for anything but a text of at most `most` bytes that is
/// answered with status 200.
pub(crate) async fn fetch(place: &KeyPlace, most: usize) -> Result<String, FetchError> {
    let fetched = timeout(LONGEST, try_to_fetch(place, most)).await;
    fetched.unwrap_or(Err(FetchError::TooSlow))
}

async fn try_to_fetch(place: &KeyPlace, most: usize) -> Result<String, FetchError> {
    let unusable = || FetchError::Tls(io::ErrorKind::InvalidInput.into());
    let (host, port, path) = place.url.parts().ok_or_else(unusable)?;
    let authority = place.url.authority().ok_or_else(unusable)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let request = Request::get(format!("{slash}{path}"))
        .header(HOST, authority)
        .header(
            USER_AGENT,
            concat!("countersign/", env!("CARGO_PKG_VERSION")),
        )
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|_| unusable())?;
    let stream = connect(host, port, place.allow_private).await?;
    let (mut requests, connection) = http1::Builder::new()
        .max_buf_size(MOST_BUFFERED)
        .handshake(TokioIo::new(stream))
        .await?;
    // It is given up with this, whatever becomes of it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = requests.send_request(request).await?;
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(FetchError::Status(status));
    }
    let body = Limited::new(answer.into_body(), most).collect().await;
    let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => FetchError::TooLong(most),
        Err(error) => FetchError::Broken(error.to_string()),
    })?;
    String::from_utf8(body.to_bytes().into()).map_err(|_| FetchError::NoText)
}

async fn connect(
    host: &str,
    port: u16,
    allow_private: bool,
) -> Result<TlsStream<TcpStream>, FetchError> {
    let tls = TlsConnector::from(trusting(None).map_err(FetchError::Roots)?);
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| FetchError::Tls(io::ErrorKind::InvalidInput.into()))?;
    let found = addresses(host, port).await.map_err(FetchError::Name)?;
    let may_be_asked = |it: &&SocketAddr| allow_private || is_public(it.ip());
    let mut allowed = found.iter().filter(may_be_asked).peekable();
    if allowed.peek().is_none() {
        return Err(found.first().map_or_else(
            || FetchError::Name(io::ErrorKind::NotFound.into()),
            |private| FetchError::Private(private.ip()),
        ));
    }
    let mut refused = io::ErrorKind::NotConnected.into();
    for address in allowed {
        match TcpStream::connect(address).await {
            Ok(stream) => return tls.connect(name, stream).await.map_err(FetchError::Tls),
            Err(error) => refused = error,
        }
    }
    Err(FetchError::Connect(refused))
}

/// The addresses of a host, a few of them. The system may take its time to find them out,
/// longer than anybody waits here: no more than a few are found out at once.
async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    static PLACES: Semaphore = Semaphore::const_new(NAME_THREADS);
    let place = PLACES.acquire().await.map_err(io::Error::other)?;
    let host = host.to_owned();
    let found = spawn_blocking(move || {
        let _place = place;
        let found = (host, port).to_socket_addrs()?;
        Ok(found.take(MOST_ADDRESSES).collect())
    });
    found.await.map_err(io::Error::other)?
}

/// Why nothing was fetched.
#[derive(Debug)]
pub(crate) enum FetchError {
    Broken(String),
    Connect(io::Error),
    Name(io::Error),
    NoText,
    Private(IpAddr),
    Roots(io::Error),
    Status(StatusCode),
    Tls(io::Error),
    TooLong(usize),
    TooSlow,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "the answer is broken: {error}"),
            Self::Connect(error) => write!(f, "it can't be reached: {error}"),
            Self::Name(error) => write!(f, "its address can't be found: {error}"),
            Self::NoText => f.write_str("the answer is no text"),
            Self::Private(address) => {
                write!(
                    f,
                    "{address} is a private address; `--allow-private` allows it"
                )
            }
            Self::Roots(error) => write!(f, "the trusted roots can't be read: {error}"),
            Self::Status(status) if status.is_redirection() => {
                write!(
                    f,
                    "it answered {}, and redirects are not followed",
                    status.as_u16()
                )
            }
            Self::Status(status) => write!(f, "it answered {}", status.as_u16()),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::TooLong(most) => write!(f, "the answer is longer than {most} bytes"),
            Self::TooSlow => write!(f, "it took longer than {} seconds", LONGEST.as_secs()),
        }
    }
}

impl From<hyper::Error> for FetchError {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// All of it, from the name to the last byte.
const LONGEST: Duration = Duration::from_secs(10);
/// So many threads find out addresses of hosts.
pub(crate) const NAME_THREADS: usize = 4;
/// So much of an answer is held besides its text.
const MOST_BUFFERED: usize = 16 * 1024;
/// So many addresses of a host are tried.
const MOST_ADDRESSES: usize = 4;
