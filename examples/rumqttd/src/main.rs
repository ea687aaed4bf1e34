//! rumqttd, a broker written in Rust, with Countersign deciding who may come in.
//!
//! ```sh
//! cargo run --manifest-path examples/rumqttd/Cargo.toml -- countersign.db 1883
//! ```
//!
//! rumqttd lets its host answer one question, in an asynchronous function:
//! may this client id with this user name and password come in? So the gate has
//! a thread of its own, and the function sends it a question and awaits the
//! answer. Logins whose password must be hashed are held ([`ConnectOutcome::Pending`])
//! without any task or thread waiting for them.
//!
//! What rumqttd 0.20 has no hook for, and this example can't do:
//!
//! - **publish and subscribe**: a client that is let in may use every topic.
//!   [`Gate::check`] has nobody to ask it. Rules and the wall between tenants do
//!   not hold; one broker for one tenant is what this is good for.
//! - **the end of a connection**: the gate is told of it when the client id
//!   connects again. Until then `clients list` shows it as connected, and
//!   nobody else may take its client id.
//! - **the facts of a CONNECT** beyond those three: address, port, protocol,
//!   clean start. So back-off counts all clients as one place, and every
//!   session counts as stored.
//! - **anonymous clients**: rumqttd refuses a CONNECT without user name before
//!   anybody is asked, also where a tenant would admit it.
//! - **the user name**: it can't be changed from what was presented.
//! - **keep alive**: it refuses a CONNECT with none, after Countersign said yes.
//! - **the CONNACK**: a client that is refused is disconnected without one.
//!
//! Ending a session works by a detour: a link under the same client id makes
//! rumqttd drop the connection that had it (MQTT 3.1.1 §3.1.4).

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use countersign::core::options::Options;
use countersign::sqlite::SqliteStore;
use countersign::{
    Completion, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Gate, GateConfig, Handle,
    Ticket,
};
use rumqttd::local::LinkBuilder;
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::{Disconnect, DisconnectReasonCode, Packet};
use rumqttd::{ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};
use tokio::runtime;
use tokio::sync::oneshot;

/// What the gate's thread is sent.
enum GateMessage {
    Connect(Login),
    Poll,
}

/// A question of rumqttd's, and where the answer goes.
struct Login {
    client_id: String,
    username: String,
    password: String,
    answer: oneshot::Sender<bool>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rumqttd STORE PORT".into());
    };
    let (messages, inbound) = mpsc::channel();
    let options = Options::parse([("store", path.as_str())])?;
    let wake = {
        let messages = messages.clone();
        move || drop(messages.send(GateMessage::Poll))
    };
    let config = GateConfig::new(options, "rumqttd", || SystemTime::now().into(), wake);
    let gate = Gate::open(SqliteStore::open(&path)?, config)?;

    // The parts of rumqttd's `Broker`, which has no way to end a connection.
    let router = Router::new(
        0,
        RouterConfig {
            max_connections: 1_000,
            max_outgoing_packet_count: 200,
            max_segment_size: 1 << 20,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
    );
    let router = router.spawn();
    let links = router.clone();
    let worker = runtime::Builder::new_current_thread().build()?;
    let kick = move |client_id: &str| {
        // Taking the client id over ends the connection; then it is let go of.
        if let Ok((mut sender, _receiver, _)) = LinkBuilder::new(client_id, links.clone()).build() {
            let reason_code = DisconnectReasonCode::NormalDisconnection;
            let goodbye = Packet::Disconnect(Disconnect { reason_code }, None);
            let _sent = worker.block_on(sender.send(goodbye));
        }
    };
    std::thread::spawn(move || Host::new(gate, Box::new(kick)).run(&inbound));

    let mut settings = ServerSettings {
        name: "countersign".into(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?)),
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 60_000,
            max_payload_size: 65_536,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    settings.set_auth_handler(move |client_id, username, password| {
        let (answer, answered) = oneshot::channel();
        let login = Login {
            client_id,
            username,
            password,
            answer,
        };
        // A gate that is gone drops the question, and nothing is a no.
        drop(messages.send(GateMessage::Connect(login)));
        async move { answered.await.unwrap_or(false) }
    });
    let server = async {
        Server::new(settings, router, V4)
            .start(LinkType::Remote)
            .await
    };
    let network = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(network.block_on(server)?)
}

/// The gate on its thread.
struct Host {
    gate: Gate<SqliteStore>,
    kick: Box<dyn Fn(&str)>,
    /// Which connection has a client id, as far as rumqttd lets us know.
    handles: HashMap<String, Handle>,
    /// Who awaits an answer.
    held: HashMap<Ticket, oneshot::Sender<bool>>,
    last: usize,
}

impl Host {
    fn new(gate: Gate<SqliteStore>, kick: Box<dyn Fn(&str)>) -> Self {
        Self {
            gate,
            kick,
            handles: HashMap::new(),
            held: HashMap::new(),
            last: 0,
        }
    }

    fn run(mut self, inbound: &Receiver<GateMessage>) {
        loop {
            match inbound.recv_timeout(Duration::from_millis(100)) {
                Ok(GateMessage::Connect(login)) => self.connect(login),
                Ok(GateMessage::Poll) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for directive in self.gate.poll() {
                self.carry_out(directive);
            }
        }
        self.gate.close();
    }

    fn connect(&mut self, login: Login) {
        self.last += 1;
        let handle = Handle(self.last);
        let mut info = ConnectInfo::new(handle, login.client_id.as_bytes());
        info.username = Some(login.username.as_bytes());
        info.password = Some(login.password.as_bytes());
        info.may_wait = true;
        // It might be stored: that is what is safe to assume.
        info.clean_start = false;
        match self.gate.connect(&info) {
            ConnectOutcome::Admitted { .. } => self.admit(handle, &login.client_id, login.answer),
            ConnectOutcome::Pending { ticket, .. } => {
                self.held.insert(ticket, login.answer);
            }
            ConnectOutcome::Refused { line, .. } => {
                let _gone = login.answer.send(false);
                log(line.as_deref());
            }
            // What is not known lets nobody in.
            _ => {
                let _gone = login.answer.send(false);
            }
        }
    }

    /// Lets a connection in, in place of whichever had its client id. Says
    /// whether its client still waits.
    fn admit(&mut self, handle: Handle, client_id: &str, answer: oneshot::Sender<bool>) {
        if answer.send(true).is_err() {
            self.gate.disconnected(handle);
            return;
        }
        if let Some(before) = self.handles.insert(client_id.to_owned(), handle) {
            self.gate.disconnected(before);
        }
    }

    fn carry_out(&mut self, directive: Directive) {
        match directive {
            Directive::Complete {
                ticket,
                handle,
                client_id,
                completion,
            } => {
                let answer = self.held.remove(&ticket);
                let Completion::Admit { .. } = completion else {
                    // Dropping the question is a no.
                    if let Completion::Refuse { line } = completion {
                        log(line.as_deref());
                    }
                    return;
                };
                let is_here = answer.as_ref().is_some_and(|answer| !answer.is_closed());
                let arrival = if is_here {
                    CompletionStatus::Here
                } else {
                    CompletionStatus::Gone
                };
                self.gate.completed(ticket, arrival);
                if let Some(answer) = answer.filter(|_| is_here) {
                    self.admit(handle, &client_id, answer);
                }
            }
            Directive::Kick {
                handle,
                client_id,
                line,
            } => {
                log(Some(&line));
                if self.handles.get(&*client_id) == Some(&handle) {
                    self.handles.remove(&*client_id);
                    (self.kick)(&client_id);
                }
                self.gate.disconnected(handle);
            }
            Directive::Log { line, .. } => log(Some(&line)),
            // Nobody is let in by leaving it alone.
            _ => {}
        }
    }
}

fn log(line: Option<&str>) {
    if let Some(line) = line {
        eprintln!("{line}");
    }
}
