//! A connection, from its CONNECT on.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{SockRef, Socket};

use super::Protocol;
use super::encode::{self, DISCONNECT, PINGREQ, PUBACK, PUBCOMP, PUBREC, PUBREL};
use super::packet::{Message, Packet, Properties};
use super::websocket::{self, Frames};

/// How long a server may take for what it should do at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A client's end of a connection.
///
/// Dropping it closes the connection without a DISCONNECT, so that the server
/// sends the Will.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Over WebSockets, what is needed for that.
    frames: Option<Frames>,
    protocol: Protocol,
    buffer: Vec<u8>,
    inbox: VecDeque<Message>,
    last_id: u16,
    /// Set when the server said DISCONNECT.
    disconnect_reason: Option<u8>,
    is_closed: bool,
}

/// How the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closed {
    /// The reason of its DISCONNECT, if it sent one (5.0 alone).
    pub disconnect_reason: Option<u8>,
    /// How long it was waited for.
    pub after: Duration,
}

impl Client {
    pub(super) fn new(
        socket: Socket,
        protocol: Protocol,
        websocket: Option<&[(String, Vec<u8>)]>,
    ) -> Result<Self> {
        socket.set_tcp_nodelay(true)?;
        let mut stream = socket.into();
        let frames = websocket
            .map(|headers| websocket::upgrade(&mut stream, headers))
            .transpose()?;
        Ok(Self {
            stream,
            frames,
            protocol,
            buffer: Vec::new(),
            inbox: VecDeque::new(),
            last_id: 0,
            disconnect_reason: None,
            is_closed: false,
        })
    }

    /// Publishes and, above QoS 0, waits for the answers.
    ///
    /// Returns the code of PUBACK, PUBREC or PUBCOMP; MQTT 3.1.1 and QoS 0 know
    /// 0 alone. A connection that ends first is an error.
    pub fn publish(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
    ) -> Result<u8> {
        self.publish_with(topic, payload, qos, retain, &Properties::default())
    }

    /// The same with properties (5.0 alone).
    pub fn publish_with(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
        properties: &Properties,
    ) -> Result<u8> {
        let id = self.send_publish(topic, payload.as_ref(), qos, retain, properties)?;
        let what = || format!("no answer to the message on `{topic}`");
        match qos {
            0 => Ok(0),
            1 => self.require(what, |packet| match packet {
                Packet::Puback(ack) if ack.id == id => Some(ack.code),
                _ => None,
            }),
            _ => {
                let code = self.require(what, |packet| match packet {
                    Packet::Pubrec(ack) if ack.id == id => Some(ack.code),
                    _ => None,
                })?;
                if code >= 0x80 {
                    return Ok(code);
                }
                self.send_ack(PUBREL, id)?;
                self.require(what, |packet| match packet {
                    Packet::Pubcomp(ack) if ack.id == id => Some(ack.code),
                    _ => None,
                })
            }
        }
    }

    /// Sends a PUBLISH, waits for nothing and returns its packet identifier.
    pub fn send_publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: u8,
        retain: bool,
        properties: &Properties,
    ) -> Result<u16> {
        let id = if qos > 0 { self.next_id() } else { 0 };
        let message = Message {
            topic: topic.to_owned(),
            payload: payload.to_vec(),
            qos,
            retain,
            id,
            properties: properties.clone(),
            ..Message::default()
        };
        self.send_bytes(&message.bytes(self.protocol))?;
        Ok(id)
    }

    /// Subscribes to filters, each with its QoS, and returns a code for each:
    /// the QoS granted, or 0x80 and more.
    pub fn subscribe(&mut self, filters: &[(&str, u8)]) -> Result<Vec<u8>> {
        let id = self.next_id();
        self.send_bytes(&encode::subscribe(self.protocol, id, filters))?;
        self.require(
            || format!("no answer to the subscription to {filters:?}"),
            |packet| match packet {
                Packet::Suback(answer) if answer.id == id => Some(answer.codes.clone()),
                _ => None,
            },
        )
    }

    /// Gives subscriptions up and returns a code for each; in 3.1.1 the list is
    /// empty.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Vec<u8>> {
        let id = self.next_id();
        self.send_bytes(&encode::unsubscribe(self.protocol, id, filters))?;
        self.require(
            || format!("no answer to the end of {filters:?}"),
            |packet| match packet {
                Packet::Unsuback(answer) if answer.id == id => Some(answer.codes.clone()),
                _ => None,
            },
        )
    }

    /// The next message; `None` if none comes in time or the connection ended.
    pub fn receive(&mut self, timeout: Duration) -> Option<Message> {
        let end = Instant::now() + timeout;
        while self.inbox.is_empty() {
            // What comes is put into the inbox on the way.
            self.next_packet(end).unwrap()?;
        }
        self.inbox.pop_front()
    }

    /// All messages until none has come for `quiet`.
    pub fn receive_all(&mut self, quiet: Duration) -> Vec<Message> {
        std::iter::from_fn(|| self.receive(quiet)).collect()
    }

    /// The messages that came so far. What was published before this call and
    /// is delivered by the same broker at once is among them: a PINGREQ goes
    /// there and back first.
    pub fn received(&mut self) -> Vec<Message> {
        self.ping(PATIENCE).unwrap();
        self.inbox.drain(..).collect()
    }

    /// Sends a PINGREQ and returns how long the answer took.
    pub fn ping(&mut self, timeout: Duration) -> Result<Duration> {
        let start = Instant::now();
        self.send_bytes(&PINGREQ)?;
        let answered = self.await_packet(timeout, |packet| {
            (*packet == Packet::Pingresp).then_some(())
        })?;
        match answered {
            Some(()) => Ok(start.elapsed()),
            None => bail!(
                "no answer to a PINGREQ within {timeout:?}: {:?}",
                self.closed()
            ),
        }
    }

    /// Whether the connection is alive, by way of a PINGREQ.
    pub fn is_alive(&mut self) -> bool {
        self.ping(PATIENCE).is_ok()
    }

    /// Waits until the server ends the connection; `None` if it does not.
    pub fn wait_closed(&mut self, timeout: Duration) -> Option<Closed> {
        let start = Instant::now();
        self.await_packet(timeout, |_| None::<()>).unwrap();
        self.closed().map(|closed| Closed {
            after: start.elapsed(),
            ..closed
        })
    }

    /// Sends a DISCONNECT, which discards the Will, and closes.
    pub fn disconnect(&mut self) -> Result<()> {
        self.send_bytes(&DISCONNECT)?;
        self.close()
    }

    /// Sends a DISCONNECT with a reason (5.0 alone), such as 4, which has the
    /// Will sent, and closes.
    pub fn disconnect_with(&mut self, reason: u8) -> Result<()> {
        self.send_bytes(&[0xE0, 1, reason])?;
        self.close()
    }

    /// Sends an AUTH (5.0 alone): 0x18 to go on, 0x19 to begin again.
    pub fn auth(&mut self, code: u8, method: &str, data: Option<&[u8]>) -> Result<()> {
        self.send_bytes(&encode::auth(code, method, data))
    }

    /// Breaks the connection off: the server sees a reset.
    pub fn abort(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// Sends any bytes; over WebSockets, as one frame.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.write(bytes)
            .context("the server does not listen any more")
    }

    /// The next packet, whatever it is; `None` if none comes in time or the
    /// connection ended. Messages go to the inbox as well.
    pub fn read_packet(&mut self, timeout: Duration) -> Result<Option<Packet>> {
        self.next_packet(Instant::now() + timeout)
    }

    /// How the connection ended, if it is known to have.
    pub fn closed(&self) -> Option<Closed> {
        self.is_closed.then_some(Closed {
            disconnect_reason: self.disconnect_reason,
            after: Duration::ZERO,
        })
    }

    /// The client's own address.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Reads packets until `wanted` finds one; `None` if none comes in time or
    /// the connection ended.
    pub(super) fn await_packet<T>(
        &mut self,
        timeout: Duration,
        wanted: impl Fn(&Packet) -> Option<T>,
    ) -> Result<Option<T>> {
        let end = Instant::now() + timeout;
        while let Some(packet) = self.next_packet(end)? {
            if let Some(found) = wanted(&packet) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn require<T>(
        &mut self,
        what: impl Fn() -> String,
        wanted: impl Fn(&Packet) -> Option<T>,
    ) -> Result<T> {
        let found = self.await_packet(PATIENCE, wanted)?;
        found.with_context(|| format!("{} ({:?})", what(), self.closed()))
    }

    fn next_packet(&mut self, end: Instant) -> Result<Option<Packet>> {
        loop {
            if let Some(packet) = Packet::take(&mut self.buffer, self.protocol)? {
                self.handle(&packet)?;
                return Ok(Some(packet));
            }
            if self.is_closed || !self.read_some(end)? {
                return Ok(None);
            }
        }
    }

    /// Does what a client owes to a packet, whoever waits for what.
    fn handle(&mut self, packet: &Packet) -> Result<()> {
        match packet {
            Packet::Publish(message) => {
                self.inbox.push_back(message.clone());
                match message.qos {
                    0 => Ok(()),
                    1 => self.send_ack(PUBACK, message.id),
                    _ => self.send_ack(PUBREC, message.id),
                }
            }
            Packet::Pubrel(ack) => self.send_ack(PUBCOMP, ack.id),
            Packet::Disconnect { code, .. } => {
                self.disconnect_reason = Some(*code);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Reads what is there; `false` if nothing came in time.
    fn read_some(&mut self, end: Instant) -> Result<bool> {
        let left = end.saturating_duration_since(Instant::now());
        // Zero would mean for ever; and what has arrived is read in any case.
        self.stream
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut part = [0; 4096];
        match self.stream.read(&mut part) {
            Ok(0) => self.is_closed = true,
            Ok(length) => match &mut self.frames {
                Some(frames) => {
                    frames.extend(&part[..length]);
                    self.is_closed = frames.unpack(&mut self.buffer);
                }
                None => self.buffer.extend(&part[..length]),
            },
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(false),
                ErrorKind::Interrupted => {}
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe => {
                    self.is_closed = true;
                }
                _ => return Err(error).context("cannot read from the server"),
            },
        }
        Ok(true)
    }

    fn send_ack(&mut self, first: u8, id: u16) -> Result<()> {
        // A server that has gone in the meantime is found out by reading.
        match self.write(&encode::ack(first, id)) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) =>
            {
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &self.frames {
            Some(_) => self.stream.write_all(&websocket::frame(bytes)),
            None => self.stream.write_all(bytes),
        }
    }

    fn close(&mut self) -> Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
            other => Ok(other?),
        }
    }

    fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::LazyLock;

    use super::*;
    use crate::broker::{Broker, Version};
    use crate::mqtt::{Answer, ClosedWithoutConnack, Connect, Will};
    use crate::tools::Tool;

    const SOON: Duration = Duration::from_secs(10);

    static BROKERS: LazyLock<[Broker; 3]> = LazyLock::new(|| {
        Version::ALL.map(|version| {
            let broker = Broker::builder(version).line("allow_anonymous true");
            broker
                .listener()
                .listener_line("allow_anonymous true")
                .start()
                .unwrap()
        })
    });

    /// Runs `test` with both protocols against each broker.
    fn everywhere(test: impl Fn(Protocol, &Broker)) {
        for broker in BROKERS.iter() {
            for protocol in Protocol::ALL {
                test(protocol, broker);
            }
        }
    }

    fn name(test: &str, protocol: Protocol) -> String {
        format!("{test}-{protocol:?}")
    }

    #[test]
    fn a_message_goes_round_at_every_qos() {
        everywhere(|protocol, broker| {
            let mut client =
                Connect::new(protocol, name("round", protocol)).accepted(broker.port());
            let topic = name("round", protocol);
            assert_eq!(
                client.subscribe(&[(&topic, 2), ("other/#", 1)]).unwrap(),
                [2, 1]
            );
            for qos in [0, 1, 2] {
                let code = client.publish(&topic, [qos], qos, false).unwrap();
                assert_eq!(code, 0, "{protocol:?} on {}", broker.version());
                let message = client.receive(SOON).unwrap();
                assert_eq!(
                    (message.payload, message.qos, message.retain),
                    (vec![qos], qos, false)
                );
            }
            let codes = client.unsubscribe(&[&topic]).unwrap();
            assert_eq!(
                codes,
                if protocol == Protocol::V5 {
                    vec![0]
                } else {
                    vec![]
                }
            );
            client.publish(&topic, "late", 1, false).unwrap();
            assert_eq!(client.received(), []);
            client.disconnect().unwrap();
            assert_eq!(client.wait_closed(SOON).unwrap().disconnect_reason, None);
        });
    }

    #[test]
    fn a_stored_session_is_present_and_keeps_messages() {
        everywhere(|protocol, broker| {
            let connect = Connect::new(protocol, name("stored", protocol)).stored();
            let topic = name("stored", protocol);
            let (mut client, connack) = connect.connect(broker.port()).unwrap();
            assert!(!connack.session_present);
            client.subscribe(&[(&topic, 1)]).unwrap();
            client.disconnect().unwrap();
            client.wait_closed(SOON).unwrap();
            let mut other =
                Connect::new(protocol, name("writer", protocol)).accepted(broker.port());
            other.publish(&topic, "kept", 1, false).unwrap();
            let (mut client, connack) = connect.connect(broker.port()).unwrap();
            assert!(connack.session_present);
            assert_eq!(client.receive(SOON).unwrap().text(), "kept");
        });
    }

    #[test]
    fn a_will_is_sent_on_abort_and_drop_and_not_on_disconnect() {
        everywhere(|protocol, broker| {
            let topic = name("will", protocol);
            let mut watcher =
                Connect::new(protocol, name("watch", protocol)).accepted(broker.port());
            watcher.subscribe(&[(&topic, 1)]).unwrap();
            let connect = Connect::new(protocol, name("dying", protocol));
            let dying = |payload: &str| {
                connect
                    .clone()
                    .will_message(&topic, payload)
                    .accepted(broker.port())
            };
            dying("abort").abort();
            assert_eq!(watcher.receive(SOON).unwrap().text(), "abort");
            drop(dying("drop"));
            assert_eq!(watcher.receive(SOON).unwrap().text(), "drop");
            let mut polite = dying("disconnect");
            polite.disconnect().unwrap();
            polite.wait_closed(SOON).unwrap();
            assert_eq!(watcher.received(), []);
        });
    }

    #[test]
    fn a_delayed_will_waits() {
        for broker in BROKERS.iter() {
            let mut watcher = Connect::v5("watch-delay").accepted(broker.port());
            watcher.subscribe(&[("delay", 1)]).unwrap();
            let will = Will {
                topic: "delay".to_owned(),
                qos: 1,
                delay: 1,
                ..Will::default()
            };
            let dying = Connect::v5("dying-delay")
                .session_expiry(60)
                .will(will)
                .accepted(broker.port());
            drop(dying);
            assert_eq!(watcher.receive(Duration::from_millis(300)), None);
            assert!(watcher.receive(SOON).is_some());
        }
    }

    #[test]
    fn a_takeover_closes_the_older_connection() {
        everywhere(|protocol, broker| {
            let connect = Connect::new(protocol, name("twin", protocol));
            let mut older = connect.accepted(broker.port());
            assert_eq!(older.wait_closed(Duration::from_millis(20)), None);
            let mut newer = connect.accepted(broker.port());
            let closed = older.wait_closed(SOON).unwrap();
            let says_why = protocol == Protocol::V5 && broker.version() != Version::V2_0_11;
            assert_eq!(closed.disconnect_reason, says_why.then_some(0x8E));
            assert!(newer.is_alive());
            assert!(!older.is_alive());
        });
    }

    #[test]
    fn a_connection_closed_without_connack_is_told_from_a_refusal() {
        everywhere(|protocol, broker| {
            let mut bytes = Connect::new(protocol, "x").bytes();
            bytes[3] = b'?';
            bytes[4] = b'?';
            let mut client = Connect::new(protocol, "x").open(broker.port()).unwrap();
            client.send_bytes(&bytes).unwrap();
            let answer = client.answer(SOON).unwrap();
            assert!(
                matches!(answer, Answer::Closed(_)),
                "{answer:?} on {}",
                broker.version()
            );
        });
        // MQTT 3.1.1 §3.1.2.9: no password without a user name.
        let connect = Connect::v311("x").password("secret");
        let error = connect.connect(BROKERS[0].port()).unwrap_err();
        assert!(error.is::<ClosedWithoutConnack>(), "{error:#}");
        assert_eq!(connect.code(BROKERS[0].port()), None);
    }

    #[test]
    fn an_unknown_authentication_method_is_refused() {
        for broker in BROKERS.iter() {
            let connect = Connect::v5("method").authentication("NO-SUCH", Some(b"data"));
            assert_eq!(connect.code(broker.port()), Some(0x8C));
        }
    }

    /// MQTT 5.0 §3.15.
    #[test]
    fn an_auth_names_its_reason_its_method_and_its_data() {
        let server = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let connect = Connect::v5("auth").authentication("M", Some(b"pw"));
        let mut client = connect.send(port).unwrap();
        let (mut server, _) = server.accept().unwrap();
        let mut sent = vec![0; connect.bytes().len()];
        server.read_exact(&mut sent).unwrap();
        assert!(
            sent.windows(9)
                .any(|part| part == b"\x15\0\x01M\x16\0\x02pw")
        );

        server
            .write_all(b"\xF0\x0B\x18\x09\x15\0\x01M\x16\0\x02{}")
            .unwrap();
        let Answer::Auth(question) = client.answer(SOON).unwrap() else {
            panic!("no question");
        };
        assert_eq!(question.code, 0x18);
        assert_eq!(question.data(), Some(&b"{}"[..]));

        client.auth(0x18, "M", Some(b"123456")).unwrap();
        let expected = b"\xF0\x0F\x18\x0D\x15\0\x01M\x16\0\x06123456";
        let mut sent = vec![0; expected.len()];
        server.read_exact(&mut sent).unwrap();
        assert_eq!(sent, expected);
        server.write_all(&[0x20, 3, 0, 0, 0]).unwrap();
        let answer = client.answer(SOON).unwrap();
        assert!(matches!(answer, Answer::Connack(connack) if connack.code == 0));
    }

    #[test]
    fn a_client_comes_from_the_address_it_names() {
        let connect = Connect::v311("address").source(Ipv4Addr::new(127, 0, 0, 5));
        let client = connect.accepted(BROKERS[0].port());
        assert_eq!(client.address().ip(), Ipv4Addr::new(127, 0, 0, 5));
        BROKERS[0].wait_for_log("from 127.0.0.5", SOON).unwrap();
    }

    #[test]
    fn a_connect_holds_its_fields_in_the_order_of_the_specification() {
        let will = Will {
            topic: "w".to_owned(),
            payload: b"p".to_vec(),
            qos: 2,
            retain: true,
            delay: 7,
        };
        let connect = Connect::v5("id")
            .login("u", [0, 255])
            .clean(false)
            .keep_alive(258)
            .will(will);
        let expected = b"\x10\x22\0\x04MQTT\x05\xF4\x01\x02\x00\0\x02id\x05\x18\0\0\0\x07\0\x01w\0\x01p\0\x01u\0\x02\0\xFF";
        assert_eq!(connect.bytes(), expected);
    }

    #[test]
    fn debians_own_clients_meet_ours() {
        for broker in BROKERS.iter() {
            let mut client = Connect::v5("meets").accepted(broker.port());
            client.subscribe(&[("from/debian", 1)]).unwrap();
            let publish = ["-V", "311", "-q", "1", "-t", "from/debian", "-m", "hello"];
            let output = Tool::mosquitto("mosquitto_pub", broker.port())
                .args(publish)
                .run(SOON)
                .unwrap();
            assert_eq!(output.code, Some(0), "{output:?}");
            assert_eq!(client.receive(SOON).unwrap().text(), "hello");

            let subscribe = ["-d", "-q", "1", "-t", "to/debian", "-C", "1"];
            let mut subscriber = Tool::mosquitto("mosquitto_sub", broker.port())
                .args(subscribe)
                .background()
                .unwrap();
            subscriber.wait_for_output("Subscribed", SOON).unwrap();
            client.publish("to/debian", "back", 1, false).unwrap();
            let output = subscriber.wait(SOON).unwrap();
            assert_eq!(output.code, Some(0), "{output:?}");
            assert!(output.stdout.contains("back\n"), "{output:?}");

            // Behaviour M4: nobody answers, so the deadline ends it with 27.
            let request = ["-W", "1", "-t", "request", "-e", "response", "-m", "?"];
            let output = Tool::mosquitto("mosquitto_rr", broker.port())
                .args(request)
                .run(SOON)
                .unwrap();
            assert_eq!(output.code, Some(27), "{output:?}");
        }
    }
}
