//! A server that publishes an issuer's keys over TLS.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::PATIENCE;
use crate::authority::Authority;

/// The server, until it is dropped.
#[derive(Debug)]
pub struct KeyServer {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    answer: Mutex<String>,
    requests: AtomicUsize,
    is_over: AtomicBool,
}

impl KeyServer {
    /// One with a certificate that an authority signs for it.
    pub fn start(authority: &Authority) -> Self {
        // It may not be one of an authority.
        let is_leaf = "basicConstraints=critical,CA:FALSE";
        let address = "subjectAltName=IP:127.0.0.1";
        let words = ["-subj", "/CN=keys", "-addext", address, "-addext", is_leaf];
        authority.sign_by("ca", "keys", &words);
        let certificate = CertificateDer::from_pem_file(authority.path("keys.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(authority.path("keys.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if its.is_over.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever does not trust it hangs up.
                let _ = stream.and_then(|stream| its.serve(&config, stream));
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// From now on it answers with status 200 and this.
    pub fn publish(&self, body: &str) {
        let length = body.len();
        self.answer(&format!(
            "200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }

    /// From now on it answers with this, from the status on.
    pub fn answer(&self, answer: &str) {
        *self.shared.answer.lock().unwrap() = format!("HTTP/1.1 {answer}");
    }

    /// How many requests it has answered.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, config: &Arc<ServerConfig>, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let mut stream = BufReader::new(StreamOwned::new(tls, stream));
        let mut line = String::new();
        while stream.read_line(&mut line)? > 2 {
            line.clear();
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        let stream = stream.get_mut();
        stream.write_all(answer.as_bytes())?;
        stream.conn.send_close_notify();
        stream.flush()
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // It waits for somebody to come.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
