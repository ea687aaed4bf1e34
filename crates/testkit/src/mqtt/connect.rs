//! CONNECT: what a client says of itself, and how it is answered.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

use super::Protocol;
use super::bytes::PacketWriter;
use super::client::{Client, Closed, PATIENCE};
use super::encode;
use super::packet::{Auth, Connack, Packet, Properties, Value, property};

/// A CONNECT that is about to be sent; it can be sent more than once.
#[derive(Clone, Debug)]
pub struct Connect {
    protocol: Protocol,
    client_id: String,
    username: Option<Vec<u8>>,
    password: Option<Vec<u8>>,
    clean: bool,
    keep_alive: u16,
    will: Option<Will>,
    properties: Properties,
    source: Ipv4Addr,
    /// Over WebSockets, the headers besides those that it needs.
    websocket: Option<Vec<(String, Vec<u8>)>>,
}

/// The message that a server sends when the client is lost.
#[derive(Clone, Debug, Default)]
pub struct Will {
    /// Its topic.
    pub topic: String,
    /// Its content.
    pub payload: Vec<u8>,
    /// Its quality of service.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
    /// How many seconds it waits (5.0 alone).
    pub delay: u32,
}

/// What came back on a CONNECT.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A verdict.
    Connack(Connack),
    /// A question of enhanced authentication.
    Auth(Auth),
    /// The connection was closed without a word.
    Closed(Closed),
    /// Nothing within the time given.
    Nothing,
}

impl Answer {
    /// The code of a verdict.
    pub fn code(&self) -> Option<u8> {
        match self {
            Self::Connack(connack) => Some(connack.code),
            Self::Auth(_) | Self::Closed(_) | Self::Nothing => None,
        }
    }
}

/// The server closed the connection and sent no CONNACK.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClosedWithoutConnack;

impl fmt::Display for ClosedWithoutConnack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server closed the connection without a CONNACK")
    }
}

impl std::error::Error for ClosedWithoutConnack {}

impl Connect {
    /// A clean session of MQTT 3.1.1 or 5.0 without credentials.
    pub fn new(protocol: Protocol, client_id: impl Into<String>) -> Self {
        Self {
            protocol,
            client_id: client_id.into(),
            username: None,
            password: None,
            clean: true,
            keep_alive: 0,
            will: None,
            properties: Properties::default(),
            source: Ipv4Addr::LOCALHOST,
            websocket: None,
        }
    }

    /// The same for MQTT 3.1.1.
    pub fn v311(client_id: impl Into<String>) -> Self {
        Self::new(Protocol::V311, client_id)
    }

    /// The same for MQTT 5.0.
    pub fn v5(client_id: impl Into<String>) -> Self {
        Self::new(Protocol::V5, client_id)
    }

    /// Another client id.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// A user name, which need not be UTF-8.
    #[must_use]
    pub fn username(mut self, username: impl AsRef<[u8]>) -> Self {
        self.username = Some(username.as_ref().to_vec());
        self
    }

    /// A password, with or without a user name.
    #[must_use]
    pub fn password(mut self, password: impl AsRef<[u8]>) -> Self {
        self.password = Some(password.as_ref().to_vec());
        self
    }

    /// User name and password.
    #[must_use]
    pub fn login(self, username: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Self {
        self.username(username).password(password)
    }

    /// Clean Session in 3.1.1, Clean Start in 5.0.
    #[must_use]
    pub fn clean(mut self, clean: bool) -> Self {
        self.clean = clean;
        self
    }

    /// A session that outlives the connection: not clean, and in 5.0 with an
    /// expiry of an hour.
    #[must_use]
    pub fn stored(self) -> Self {
        let stored = self.clean(false);
        match stored.protocol {
            Protocol::V31 | Protocol::V311 => stored,
            Protocol::V5 => stored.session_expiry(3600),
        }
    }

    /// Session Expiry Interval (5.0 alone).
    #[must_use]
    pub fn session_expiry(self, seconds: u32) -> Self {
        self.property(property::SESSION_EXPIRY, Value::Long(seconds))
    }

    /// Keep Alive; without it, none.
    #[must_use]
    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive = seconds;
        self
    }

    /// A Will.
    #[must_use]
    pub fn will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    /// A Will of QoS 1 that is sent at once.
    #[must_use]
    pub fn will_message(self, topic: impl Into<String>, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        self.will(Will {
            topic: topic.into(),
            payload,
            qos: 1,
            ..Will::default()
        })
    }

    /// Enhanced authentication (5.0 alone).
    #[must_use]
    pub fn authentication(mut self, method: &str, data: Option<&[u8]>) -> Self {
        let Properties(authentication) = encode::authentication(method, data);
        self.properties.0.extend(authentication);
        self
    }

    /// Any other property (5.0 alone).
    #[must_use]
    pub fn property(mut self, id: u8, value: Value) -> Self {
        self.properties.push(id, value);
        self
    }

    /// The address that the connection comes from, such as 127.0.0.5.
    #[must_use]
    pub fn source(mut self, source: Ipv4Addr) -> Self {
        self.source = source;
        self
    }

    /// Over WebSockets.
    #[must_use]
    pub fn websocket(mut self) -> Self {
        self.websocket.get_or_insert_default();
        self
    }

    /// Over WebSockets, with a further header whose value may be any bytes.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let header = (name.to_owned(), value.as_ref().to_vec());
        self.websocket.get_or_insert_default().push(header);
        self
    }

    /// Connects to a broker on this machine and waits for the CONNACK, whatever
    /// it says. No CONNACK is an error, [`ClosedWithoutConnack`] if the server
    /// closed the connection.
    pub fn connect(&self, port: u16) -> Result<(Client, Connack)> {
        let (client, answer) = self.attempt(port)?;
        match answer {
            Answer::Connack(connack) => Ok((client, connack)),
            Answer::Closed(_) => Err(ClosedWithoutConnack.into()),
            Answer::Auth(auth) => bail!("the server asked instead of answering: {auth:?}"),
            Answer::Nothing => bail!("the server did not answer within {PATIENCE:?}"),
        }
    }

    /// Connects and waits for whatever comes back.
    pub fn attempt(&self, port: u16) -> Result<(Client, Answer)> {
        let mut client = self.send(port)?;
        let answer = client.answer(PATIENCE)?;
        Ok((client, answer))
    }

    /// Connects and must be let in.
    pub fn accepted(&self, port: u16) -> Client {
        let (client, connack) = self.connect(port).unwrap();
        assert_eq!(
            connack.code, 0,
            "`{}` was refused: {connack:?}",
            self.client_id
        );
        client
    }

    /// Connects, leaves again, and returns the code; `None` if the server
    /// closed the connection without a CONNACK.
    pub fn code(&self, port: u16) -> Option<u8> {
        match self.attempt(port).unwrap() {
            (mut client, Answer::Connack(connack)) => {
                if connack.code == 0 {
                    client.disconnect().unwrap();
                }
                Some(connack.code)
            }
            (_, Answer::Closed(_)) => None,
            (_, other) => panic!("`{}` got no verdict: {other:?}", self.client_id),
        }
    }

    /// Sends the CONNECT and does not wait for anything.
    pub fn send(&self, port: u16) -> Result<Client> {
        let mut client = self.open(port)?;
        client.send_bytes(&self.bytes())?;
        Ok(client)
    }

    /// Opens the connection, over WebSockets asks for the change, and sends
    /// nothing more.
    pub fn open(&self, port: u16) -> Result<Client> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // This one the kernel takes anyway, with more ports to choose from.
        if self.source != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddrV4::new(self.source, 0).into())?;
        }
        let broker = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        socket
            .connect_timeout(&broker.into(), Duration::from_secs(5))
            .with_context(|| format!("nothing takes connections on port {port}"))?;
        Client::new(socket, self.protocol, self.websocket.as_deref())
    }

    /// The packet, for tests that bend it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut packet = PacketWriter::default();
        packet.bytes(self.protocol.name().as_bytes());
        packet.byte(self.protocol.level());
        let mut flags = u8::from(self.clean) << 1;
        if let Some(will) = &self.will {
            flags |= 1 << 2 | will.qos << 3 | u8::from(will.retain) << 5;
        }
        flags |= u8::from(self.password.is_some()) << 6;
        flags |= u8::from(self.username.is_some()) << 7;
        packet.byte(flags);
        packet.short(self.keep_alive);
        packet.properties(self.protocol, &self.properties);
        packet.bytes(self.client_id.as_bytes());
        if let Some(will) = &self.will {
            let mut properties = Properties::default();
            if will.delay > 0 {
                properties.push(property::WILL_DELAY, Value::Long(will.delay));
            }
            packet.properties(self.protocol, &properties);
            packet.bytes(will.topic.as_bytes());
            packet.bytes(&will.payload);
        }
        for field in [&self.username, &self.password].into_iter().flatten() {
            packet.bytes(field);
        }
        packet.packet(0x10)
    }
}

impl Client {
    /// Waits for the CONNACK, a question or the end.
    pub fn answer(&mut self, timeout: Duration) -> Result<Answer> {
        let found = self.await_packet(timeout, |packet| match packet {
            Packet::Connack(connack) => Some(Answer::Connack(connack.clone())),
            Packet::Auth(auth) => Some(Answer::Auth(auth.clone())),
            _ => None,
        })?;
        Ok(found.unwrap_or_else(|| self.closed().map_or(Answer::Nothing, Answer::Closed)))
    }
}
