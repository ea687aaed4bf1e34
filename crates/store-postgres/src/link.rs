//! One connection to PostgreSQL, used by one thread that waits for each answer.

use core::error::Error as _;
use core::fmt;
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::{Client, Connection, Error, NoTls};

use crate::address::Address;
use crate::error::{Fault, ends_connection};

/// A connection. It is used no more once an answer is late or lost.
pub(crate) struct Link {
    pub(crate) client: Client,
    runtime: Option<Runtime>,
    /// How long an answer may take.
    limit: Cell<Duration>,
    is_lost: Cell<bool>,
    number: Cell<u64>,
}

impl Link {
    /// Connects, within a few seconds.
    pub(crate) fn open(address: &Address) -> Result<Self, Fault> {
        let address = &address.read_again()?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|_| Fault::Lost)?;
        let connected: Option<Result<_, Error>> =
            runtime.block_on(timeout_of(LONGEST_CONNECT, async {
                let (client, version) = match &address.tls {
                    None => begin(address.config.connect(NoTls).await?),
                    Some(tls) => begin(address.config.connect(tls.clone()).await?),
                };
                if let Some(version) = version.filter(|it| is_too_old(it)) {
                    return Ok(Err(Fault::TooOld(version)));
                }
                client.batch_execute(SETTINGS).await?;
                Ok(Ok(client))
            }));
        match connected {
            Some(Ok(client)) => Ok(Self {
                client: client?,
                runtime: Some(runtime),
                limit: Cell::new(ADMIN_LIMIT),
                is_lost: Cell::new(false),
                number: Cell::new(0),
            }),
            Some(Err(error)) if is_about_the_network(&error) => Err(Fault::Lost),
            Some(Err(error)) => Err(Fault::Postgres(error)),
            None => Err(Fault::Lost),
        }
    }

    /// Waits for an answer.
    pub(crate) fn wait_for<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        let Some(runtime) = self.runtime.as_ref().filter(|_| !self.is_lost()) else {
            return Err(Fault::Lost);
        };
        match runtime.block_on(timeout_of(self.limit.get(), answer)) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => {
                let is_end = error.as_db_error().is_some_and(ends_connection);
                if is_end || error.is_closed() || self.client.is_closed() {
                    self.is_lost.set(true);
                    return Err(Fault::Lost);
                }
                Err(Fault::Postgres(error))
            }
            None => {
                // What comes later would be taken for another answer's.
                self.is_lost.set(true);
                Err(Fault::Lost)
            }
        }
    }

    /// Says how long each answer may take from now on.
    pub(crate) fn limit(&self, limit: Duration) {
        self.limit.set(limit);
    }

    /// Says whether it can be used no more.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.get() || self.client.is_closed()
    }

    /// Uses it no more.
    pub(crate) fn give_up(&self) {
        self.is_lost.set(true);
    }

    /// Another number each time.
    pub(crate) fn next_number(&self) -> u64 {
        self.number.set(self.number.get().wrapping_add(1));
        self.number.get()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped by a thread that must not wait.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("is_lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

/// Has a connection go on beside the client; returns the version of the server besides.
fn begin<S, T>((client, connection): (Client, Connection<S, T>)) -> (Client, Option<String>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let version = connection.parameter("server_version").map(str::to_owned);
    tokio::spawn(connection);
    (client, version)
}

/// Whether a version, as a server says it, is before those that have all that is asked of them.
fn is_too_old(version: &str) -> bool {
    let end = version.find(|it: char| !it.is_ascii_digit());
    let major = version.get(..end.unwrap_or(version.len()));
    let major: Option<u32> = major.and_then(|it| it.parse().ok());
    major.is_some_and(|major| major < OLDEST)
}

/// Whether a connection failed before PostgreSQL or its certificate was judged.
fn is_about_the_network(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    let cause: Option<&io::Error> = cause;
    // What a certificate lacks comes as such an error, too.
    error.is_closed() || cause.is_some_and(|cause| cause.kind() != io::ErrorKind::InvalidData)
}

async fn timeout_of<T>(limit: Duration, answer: impl Future<Output = T>) -> Option<T> {
    timeout(limit, answer).await.ok()
}

/// What holds for each connection. Names are looked up among ours alone, whatever others
/// put where everybody may. Statements are found by indexes, also where they were planned before
/// there was anything to find. A machine that vanishes holds the lock for less than half a
/// minute, and one that waits for something else, a minute.
const SETTINGS: &str = "
    SET search_path = countersign, pg_temp;
    SET client_min_messages = warning;
    SET jit = off;
    SET enable_seqscan = off;
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s';
    SET client_connection_check_interval = '5s';
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off';";

/// The first version that is used.
const OLDEST: u32 = 14;

const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// What an answer may take that a login waits for.
pub(crate) const GATE_LIMIT: Duration = Duration::from_secs(5);

/// What any other answer may take: more than PostgreSQL itself allows a statement.
pub(crate) const ADMIN_LIMIT: Duration = Duration::from_secs(70);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_before_14_is_too_old() {
        for (version, expected) in [
            ("13.16 (Debian 13.16-0+deb11u1)", true),
            ("9.6.24", true),
            ("14beta1", false),
            ("15.18 (Debian 15.18-0+deb12u1)", false),
            ("", false),
        ] {
            assert_eq!(is_too_old(version), expected, "{version}");
        }
    }
}
