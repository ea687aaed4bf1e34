//! Ending sessions at the broker of a hook, on a thread of its own: one request for each
//! session, in the order in which they are to end.

use std::io::{self, BufRead as _, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::hook::{Hook, HookKind, HookName, KICK_LOGIN, Kick, KickUrl};
use countersign_core::store::GateStore as _;
use countersign_core::url::host_and_port;
use countersign_store::AnyStore;
use rustls_pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};
use zeroize::Zeroizing;

use crate::trust::trusting;

/// Ends sessions at a broker.
pub(super) struct Kicker {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
    hook: HookName,
}

/// A session that is to end.
pub(super) struct Order {
    pub(super) client_id: Arc<str>,
    /// The user name that its client presented.
    pub(super) username: Arc<str>,
}

impl Kicker {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when it can't be started.
    pub(super) fn start(hook: &Hook, kick: &Kick, store: &AnyStore) -> io::Result<Self> {
        let login = kick.login.as_ref().and_then(|sealed| {
            let key = store.read_key().key?;
            let opened = key.open(KICK_LOGIN, hook.name.as_str().as_bytes(), sealed);
            opened
                .ok()
                .map(|login| Zeroizing::new(STANDARD.encode(&*login)))
        });
        if login.is_none() && kick.login.is_some() {
            let hook = hook.name.as_str();
            tracing::error!(
                hook,
                "the key file does not open the login for ending sessions"
            );
        }
        let caller = Caller {
            kind: hook.kind,
            url: kick.url.clone(),
            login,
        };
        let (orders, inbound) = mpsc::sync_channel(MOST_ORDERS);
        let name = hook.name.clone();
        let thread = std::thread::Builder::new()
            .name("countersign-kick".into())
            .spawn(move || work(&name, &caller, &inbound))?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
            hook: hook.name.clone(),
        })
    }

    /// Has a session ended.
    pub(super) fn end(&self, order: Order) {
        let sent = self.orders.as_ref().map(|orders| orders.try_send(order));
        if !matches!(sent, Some(Ok(()))) {
            let hook = self.hook.as_str();
            tracing::error!(
                hook,
                "too many sessions are to end at the broker; one is left"
            );
        }
    }
}

impl Drop for Kicker {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(hook: &HookName, caller: &Caller, inbound: &Receiver<Order>) {
    while let Ok(order) = inbound.recv() {
        let mut tries = MOST_TRIES;
        loop {
            tries = tries.saturating_sub(1);
            let (hook, client) = (hook.as_str(), &*order.client_id);
            match caller.call(&order) {
                Ok(status @ (200..=299 | 404)) => {
                    tracing::info!(hook, status, "ended a session at the broker");
                    break;
                }
                answered if tries == 0 => {
                    let said = match answered {
                        Ok(status) => format!("it answered {status}"),
                        Err(error) => error.to_string(),
                    };
                    tracing::error!(hook, client, "a session could not be ended: {said}");
                    break;
                }
                Ok(_) | Err(_) => std::thread::sleep(A_MOMENT),
            }
        }
    }
}

/// How a broker is told.
struct Caller {
    kind: HookKind,
    url: KickUrl,
    /// `NAME:PASSWORD`, in Base64.
    login: Option<Zeroizing<String>>,
}

impl Caller {
    /// Asks the broker to end a session; returns the status that it answers.
    fn call(&self, order: &Order) -> io::Result<u16> {
        let wrong = || io::Error::from(io::ErrorKind::InvalidInput);
        let (scheme, authority, path) = self.url.parts().ok_or_else(wrong)?;
        let is_encrypted = scheme == "https";
        let (host, port) = host_and_port(authority).ok_or_else(wrong)?;
        let port = port.unwrap_or(if is_encrypted { 443 } else { 80 });
        let request = self.request(authority, path, order);
        let mut refused = wrong();
        for address in (host, port).to_socket_addrs()? {
            let stream = match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => stream,
                Err(error) => {
                    refused = error;
                    continue;
                }
            };
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            return if is_encrypted {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let session = ClientConnection::new(trusting(None)?, name);
                let session = session.map_err(io::Error::other)?;
                exchange(StreamOwned::new(session, stream), &request)
            } else {
                exchange(stream, &request)
            };
        }
        Err(refused)
    }

    fn request(&self, authority: &str, path: &str, order: &Order) -> Zeroizing<String> {
        let (folder, name) = match self.kind {
            HookKind::RabbitMq => ("/api/connections/username/", &order.username),
            HookKind::Rmqtt => ("/api/v1/clients/", &order.client_id),
            HookKind::Emqx | HookKind::GoAuth => ("/api/v5/clients/", &order.client_id),
        };
        let name = encoded(name);
        let login = match &self.login {
            Some(login) => format!("Authorization: Basic {}\r\n", login.as_str()),
            None => String::new(),
        };
        let login = Zeroizing::new(login);
        Zeroizing::new(format!(
            "DELETE {path}{folder}{name} HTTP/1.1\r\nHost: {authority}\r\n\
             Connection: close\r\nContent-Length: 0\r\nX-Reason: refused by Countersign\r\n\
             {}\r\n",
            login.as_str()
        ))
    }
}

/// Sends a request, and reads the status of the answer.
fn exchange(mut stream: impl io::Read + Write, request: &str) -> io::Result<u16> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST_STATUS_LINE)).read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line);
    let status = line.strip_prefix("HTTP/1.").and_then(|line| line.get(2..5));
    let status = status.and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A text as a part of a path.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

const LONGEST_STATUS_LINE: u64 = 1_024;
/// So many sessions wait to be ended at most.
const MOST_ORDERS: usize = 10_000;
const MOST_TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(5);
const A_MOMENT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_sessions_are_to_end_and_the_next_is_left() {
        // Its thread takes nothing.
        let (orders, inbound) = mpsc::sync_channel(MOST_ORDERS);
        let kicker = Kicker {
            orders: Some(orders),
            thread: None,
            hook: HookName::parse("edge").unwrap(),
        };
        for _ in 0..MOST_ORDERS + 3 {
            kicker.end(Order {
                client_id: "c".into(),
                username: "dev1@acme".into(),
            });
        }
        drop(kicker);
        assert_eq!(inbound.iter().count(), MOST_ORDERS);
    }

    #[test]
    fn each_kind_is_told_in_its_own_way_and_nothing_leaves_its_place() {
        let caller = |kind| Caller {
            kind,
            url: KickUrl::parse("http://127.0.0.1:18083/base").unwrap(),
            login: Some(Zeroizing::new("YTpi".into())),
        };
        let order = Order {
            client_id: "a/../b\r\nX: y".into(),
            username: "dev1@acme".into(),
        };
        let first = |kind| {
            let request = caller(kind).request("127.0.0.1:18083", "/base", &order);
            assert!(request.contains("\r\nAuthorization: Basic YTpi\r\n"));
            request.lines().next().unwrap().to_owned()
        };
        assert_eq!(
            first(HookKind::Emqx),
            "DELETE /base/api/v5/clients/a%2F%2E%2E%2Fb%0D%0AX%3A%20y HTTP/1.1"
        );
        assert!(first(HookKind::Rmqtt).starts_with("DELETE /base/api/v1/clients/a%2F"));
        assert_eq!(
            first(HookKind::RabbitMq),
            "DELETE /base/api/connections/username/dev1%40acme HTTP/1.1"
        );
    }
}
