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

#[cfg(test)]
mod tests;

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
