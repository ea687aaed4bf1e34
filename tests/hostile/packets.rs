//! Packets as a hostile client writes them, and the CONNECT as a broker reads it.

use countersign_testkit::Connect;
use countersign_testkit::mqtt::{Message, PacketReader, Protocol, packet};
use fastrand::Rng;

/// What a CONNECT says.
#[derive(Clone, Debug, Default)]
pub struct ConnectInfo {
    pub level: u8,
    pub client_id: String,
    pub username: Option<String>,
    /// As far as a broker passes it on: up to the first NUL.
    pub password: Option<Vec<u8>>,
    pub clean: bool,
    /// Topic and payload.
    pub will: Option<(String, Vec<u8>)>,
    /// The Authentication Method.
    pub method: Option<String>,
    /// What the client answers when it is asked for a code.
    pub code: Option<String>,
    /// Whether the session outlives the connection.
    pub stored: bool,
}

impl ConnectInfo {
    /// The protocol that answers come in.
    pub fn protocol(&self) -> Protocol {
        match self.level {
            3 => Protocol::V31,
            5 => Protocol::V5,
            _ => Protocol::V311,
        }
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let mut connect = Connect::new(self.protocol(), &*self.client_id).clean(self.clean);
        if self.level == 5 && self.stored {
            connect = connect.session_expiry(3600);
        }
        if let (5, Some(method)) = (self.level, &self.method) {
            connect = connect.authentication(method, self.password.as_deref());
        }
        if let Some((topic, payload)) = &self.will {
            connect = connect.will_message(topic, payload);
        }
        if let Some(name) = &self.username {
            connect = connect.username(name);
        }
        if let Some(password) = &self.password {
            connect = connect.password(password);
        }
        connect.bytes()
    }

    /// Reads a CONNECT as leniently as any broker might; none if no broker can.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = PacketReader(bytes);
        if at.byte().ok()? >> 4 != 1 {
            return None;
        }
        let length = at.varint().ok()?;
        let mut at = PacketReader(at.take(length).ok()?);
        at.bytes().ok()?;
        let level = at.byte().ok()? & 0x7F;
        let flags = at.byte().ok()?;
        at.take(2).ok()?;
        let mut info = Self {
            level,
            clean: flags & 2 != 0,
            ..Self::default()
        };
        if level == 5 {
            let length = at.varint().ok()?;
            let mut properties = PacketReader(at.take(length).ok()?);
            while let Ok(id) = properties.byte() {
                match id {
                    0x11 => info.stored = properties.take(4).ok()?.iter().any(|byte| *byte > 0),
                    0x15 => info.method = Some(text(properties.bytes().ok()?)?),
                    0x16 => drop(properties.bytes().ok()?),
                    0x17 | 0x19 => drop(properties.byte().ok()?),
                    0x21 | 0x22 => drop(properties.take(2).ok()?),
                    0x27 => drop(properties.take(4).ok()?),
                    0x26 => {
                        properties.bytes().ok()?;
                        properties.bytes().ok()?;
                    }
                    _ => return None,
                }
            }
        } else {
            info.stored = !info.clean;
        }
        info.client_id = text(at.bytes().ok()?)?;
        if flags & 4 != 0 {
            if level == 5 {
                let length = at.varint().ok()?;
                at.take(length).ok()?;
            }
            let topic = text(at.bytes().ok()?)?;
            info.will = Some((topic, at.bytes().ok()?.to_vec()));
        }
        if flags & 0x80 != 0 {
            info.username = Some(text(at.bytes().ok()?)?);
        }
        if flags & 0x40 != 0 {
            let whole = at.bytes().ok()?;
            let end = whole.iter().position(|byte| *byte == 0);
            info.password = Some(whole[..end.unwrap_or(whole.len())].to_vec());
        }
        let is_unreadable = |name: &String| name.contains(char::is_control);
        if level == 3 && info.username.as_ref().is_some_and(is_unreadable) {
            // In MQTT 3.1 a name that can't be read is as good as none.
            info.username = None;
            info.password = None;
        }
        Some(info)
    }
}

/// A PUBLISH.
pub fn publish(
    id: u16,
    topic: &str,
    payload: &[u8],
    qos: u8,
    retain: bool,
    protocol: Protocol,
) -> Vec<u8> {
    let message = Message {
        topic: topic.to_owned(),
        payload: payload.to_vec(),
        qos,
        retain,
        id,
        ..Message::default()
    };
    message.bytes(protocol)
}

/// Bends a packet in one to four places.
pub fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..=4) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.usize(..bytes.len());
        match rng.u8(..7) {
            0 => bytes[at] ^= 1 << rng.u8(..8),
            1 => {
                bytes[at] = *rng
                    .choice(&[0, 0xFF, 0x7F, 0x80, b'#', b'+', b'$', b'/'])
                    .unwrap_or(&0)
            }
            2 => bytes.truncate(at),
            3 => bytes.insert(at, rng.u8(..)),
            4 => drop(bytes.remove(at)),
            5 => {
                let part = bytes[at..].to_vec();
                bytes.extend(part);
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
}

/// The method of enhanced authentication.
pub const TOTP: &str = "COUNTERSIGN-TOTP";

/// Any packet with any content.
pub fn any_packet(rng: &mut Rng) -> Vec<u8> {
    let body: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
    packet(rng.u8(..), &body)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}
