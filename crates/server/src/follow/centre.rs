//! Asking a centre: one connection, one request at a time, and an end of each wait.

use core::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::hook::KickUrl;
use countersign_core::store::ReplicaObject;
use countersign_core::url::host_and_port;
use rustls_pki_types::ServerName;
use serde::de::DeserializeOwned;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};
use zeroize::Zeroizing;

use super::Following;
use super::seeds::Seeds;
use crate::followers::seeds::MACHINE;
use crate::trust::trusting;

/// The address of a centre: `https://HOST[:PORT]`, or `http` on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CentreUrl(KickUrl);

impl CentreUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// Returns [`CentreUrlError`] for anything else: what would send the secret over a
    /// network in the clear, too.
    pub fn parse(text: &str) -> Result<Self, CentreUrlError> {
        KickUrl::parse(text).map(Self).map_err(|_| CentreUrlError)
    }
}

impl fmt::Display for CentreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// A text is not the address of a centre.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "that is not the address of a centre; write `https://HOST:PORT`, or `http://` with an \
     address of this machine, and no name or password in it"
)]
pub struct CentreUrlError;

/// Why a centre was asked in vain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CentreError {
    /// Its certificate can't be judged.
    #[error("the authorities in --ca-file can't be read: {0}")]
    Authorities(#[source] io::Error),
    /// It did not answer.
    #[error("the centre did not answer: {0}")]
    Connection(#[from] io::Error),
    /// It says no.
    #[error("the centre knows no follower with this secret")]
    Secret,
    /// It answers something else.
    #[error("the centre answered {0}")]
    Status(u16),
    /// It answers what makes no sense.
    #[error("the centre answered what is not understood; is it of the same version?")]
    Nonsense,
}

/// What a centre answers.
pub(super) enum Answered<T> {
    Told(T),
    Behind,
}

/// A centre.
pub(super) struct Centre<'a> {
    following: &'a Following,
    trust: Arc<ClientConfig>,
    connection: Option<BufReader<Connection>>,
    /// What opens seeds that it seals for this machine, where it is to.
    seeds: Option<Seeds>,
}

enum Connection {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Encrypted(stream) => stream.read(into),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

impl<'a> Centre<'a> {
    /// A centre that nobody has asked yet.
    ///
    /// # Errors
    ///
    /// Returns [`CentreError::Authorities`] when it can't be said whom to trust.
    pub(super) fn of(following: &'a Following, seeds: Option<Seeds>) -> Result<Self, CentreError> {
        let trust = trusting(following.authorities.as_deref());
        Ok(Self {
            following,
            trust: trust.map_err(CentreError::Authorities)?,
            connection: None,
            seeds,
        })
    }

    /// Seals the seeds among some objects that it told for the replica. Says whether some
    /// can't be opened, where all could.
    pub(super) fn open_seeds(&mut self, objects: &mut [ReplicaObject]) -> bool {
        let seeds = self.seeds.as_mut();
        seeds.is_some_and(|seeds| seeds.take(objects))
    }

    /// Asks for something, or hands `body` over.
    ///
    /// # Errors
    ///
    /// Returns [`CentreError`] when there is no answer, or one that says no.
    pub(super) fn ask<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: Option<&str>,
    ) -> Result<Answered<T>, CentreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(self.connect()?),
        };
        let (status, body) = exchange(&mut connection, &self.request(path, body)?)?;
        match status {
            200 => {
                self.connection = Some(connection);
                let told = serde_json::from_slice(&body).map_err(|_| CentreError::Nonsense)?;
                Ok(Answered::Told(told))
            }
            410 => {
                self.connection = Some(connection);
                Ok(Answered::Behind)
            }
            401 => Err(CentreError::Secret),
            status => Err(CentreError::Status(status)),
        }
    }

    fn parts(&self) -> io::Result<(&str, &str, &str)> {
        let parts = self.following.source.0.parts();
        parts.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn request(&self, path: &str, body: Option<&str>) -> io::Result<Zeroizing<String>> {
        let (_, authority, folder) = self.parts()?;
        let method = if body.is_some() { "POST" } else { "GET" };
        let mut about = body.map_or_else(String::new, |body| {
            let length = body.len();
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
        });
        if let Some(seeds) = &self.seeds {
            about = format!("{about}{MACHINE}: {}\r\n", seeds.machine());
        }
        Ok(Zeroizing::new(format!(
            "{method} {folder}{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {}\r\n\
             {about}\r\n{}",
            self.following.secret.as_str(),
            body.unwrap_or_default(),
        )))
    }

    fn connect(&self) -> io::Result<Connection> {
        let (scheme, authority, _) = self.parts()?;
        let is_encrypted = scheme == "https";
        let wrong = || io::Error::from(io::ErrorKind::InvalidInput);
        let (host, port) = host_and_port(authority).ok_or_else(wrong)?;
        let port = port.unwrap_or(if is_encrypted { 443 } else { 80 });
        let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (host, port).to_socket_addrs()? {
            let stream = match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => stream,
                Err(error) => {
                    refused = error;
                    continue;
                }
            };
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            if !is_encrypted {
                return Ok(Connection::Plain(stream));
            }
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            let session = ClientConnection::new(Arc::clone(&self.trust), name);
            let session = session.map_err(io::Error::other)?;
            return Ok(Connection::Encrypted(Box::new(StreamOwned::new(
                session, stream,
            ))));
        }
        Err(refused)
    }
}

/// Sends a request, and reads the answer to it.
fn exchange(
    connection: &mut BufReader<Connection>,
    request: &str,
) -> Result<(u16, Vec<u8>), CentreError> {
    connection.get_mut().write_all(request.as_bytes())?;
    connection.get_mut().flush()?;
    let (mut status, mut length) = (None, None);
    let mut room = LONGEST_HEAD;
    loop {
        let mut line = String::new();
        let read = connection.by_ref().take(room).read_line(&mut line)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        room = room.saturating_sub(read);
        if read == 0 || room == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let line = line.trim_end();
        if status.is_none() {
            let digits = line.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3));
            let digits = digits.and_then(|it| it.parse::<u16>().ok());
            status = Some(digits.ok_or(CentreError::Nonsense)?);
            continue;
        }
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(CentreError::Nonsense)?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    // What has no length is no answer of a centre's.
    let length = length.filter(|length| *length <= LONGEST_BODY);
    let (Some(status), Some(length)) = (status, length) else {
        return Err(CentreError::Nonsense);
    };
    let mut body = Vec::new();
    connection.by_ref().take(length).read_to_end(&mut body)?;
    if u64::try_from(body.len()).ok() != Some(length) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok((status, body))
}

/// So long a centre may take to send a part of its answer, and more than it waits.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_HEAD: u64 = 16 * 1_024;
const LONGEST_BODY: u64 = 64 * 1_024 * 1_024;
