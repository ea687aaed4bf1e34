//! Packets as a hostile client writes them, and the CONNECT as a broker reads it.

use countersign_testkit::mqtt::Protocol;
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
        if self.level == 5 {
            Protocol::V5
        } else {
            Protocol::V311
        }
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, if self.level == 3 { b"MQIsdp" } else { b"MQTT" });
        body.push(self.level);
        let flag = |is: bool, bit: u8| u8::from(is) << bit;
        let mut flags = flag(self.clean, 1)
            | flag(self.password.is_some(), 6)
            | flag(self.username.is_some(), 7);
        if self.will.is_some() {
            // QoS 1.
            flags |= 1 << 2 | 1 << 3;
        }
        body.push(flags);
        body.extend([0, 0]);
        if self.level == 5 {
            let mut properties = Vec::new();
            if self.stored {
                properties.extend([0x11, 0, 0, 0x0E, 0x10]);
            }
            if let Some(method) = &self.method {
                properties.push(0x15);
                put(&mut properties, method.as_bytes());
                if let Some(data) = &self.password {
                    properties.push(0x16);
                    put(&mut properties, data);
                }
            }
            varint(&mut body, properties.len());
            body.extend(properties);
        }
        put(&mut body, self.client_id.as_bytes());
        if let Some((topic, payload)) = &self.will {
            if self.level == 5 {
                body.push(0);
            }
            put(&mut body, topic.as_bytes());
            put(&mut body, payload);
        }
        if let Some(name) = &self.username {
            put(&mut body, name.as_bytes());
        }
        if let Some(password) = &self.password {
            put(&mut body, password);
        }
        packet(0x10, &body)
    }

    /// Reads a CONNECT as leniently as any broker might; none if no broker can.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = Reader(bytes);
        if at.byte()? >> 4 != 1 {
            return None;
        }
        let length = at.varint()?;
        let mut at = Reader(at.take(length)?);
        at.field()?;
        let level = at.byte()? & 0x7F;
        let flags = at.byte()?;
        at.take(2)?;
        let mut info = Self {
            level,
            clean: flags & 2 != 0,
            ..Self::default()
        };
        if level == 5 {
            let length = at.varint()?;
            let mut properties = Reader(at.take(length)?);
            while let Some(id) = properties.byte() {
                match id {
                    0x11 => info.stored = properties.take(4)?.iter().any(|byte| *byte > 0),
                    0x15 => info.method = Some(text(properties.field()?)?),
                    0x16 => drop(properties.field()?),
                    0x17 | 0x19 => drop(properties.byte()?),
                    0x21 | 0x22 => drop(properties.take(2)?),
                    0x27 => drop(properties.take(4)?),
                    0x26 => {
                        properties.field()?;
                        properties.field()?;
                    }
                    _ => return None,
                }
            }
        } else {
            info.stored = !info.clean;
        }
        info.client_id = text(at.field()?)?;
        if flags & 4 != 0 {
            if level == 5 {
                let length = at.varint()?;
                at.take(length)?;
            }
            let topic = text(at.field()?)?;
            info.will = Some((topic, at.field()?.to_vec()));
        }
        if flags & 0x80 != 0 {
            info.username = Some(text(at.field()?)?);
        }
        if flags & 0x40 != 0 {
            let whole = at.field()?;
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

/// A SUBSCRIBE to one filter.
pub fn subscribe(id: u16, filter: &str, qos: u8, v5: bool) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if v5 {
        body.push(0);
    }
    put(&mut body, filter.as_bytes());
    body.push(qos);
    packet(0x82, &body)
}

/// A PUBLISH.
pub fn publish(id: u16, topic: &str, payload: &[u8], qos: u8, retain: bool, v5: bool) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, topic.as_bytes());
    if qos > 0 {
        body.extend(id.to_be_bytes());
    }
    if v5 {
        body.push(0);
    }
    body.extend(payload);
    packet(0x30 | qos << 1 | u8::from(retain), &body)
}

/// An AUTH that goes on.
pub fn auth(method: &str, data: &[u8]) -> Vec<u8> {
    let mut properties = vec![0x15];
    put(&mut properties, method.as_bytes());
    properties.push(0x16);
    put(&mut properties, data);
    let mut body = vec![0x18];
    varint(&mut body, properties.len());
    body.extend(properties);
    packet(0xF0, &body)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
pub fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &id.to_be_bytes())
}

/// A packet with its fixed header.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    varint(&mut bytes, body.len());
    bytes.extend(body);
    bytes
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

fn put(to: &mut Vec<u8>, field: &[u8]) {
    let length = field.len().min(usize::from(u16::MAX));
    to.extend((length as u16).to_be_bytes());
    to.extend(&field[..length]);
}

fn varint(to: &mut Vec<u8>, mut number: usize) {
    while number > 0x7F {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|part| part[0])
    }

    fn field(&mut self) -> Option<&'a [u8]> {
        let length = self.take(2)?;
        self.take(usize::from(u16::from_be_bytes([length[0], length[1]])))
    }

    fn varint(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}
