//! Packets, as bytes and as values (MQTT 3.1.1 §2 and §3, MQTT 5.0 §2 and §3).

use anyhow::{Context, Result, bail, ensure};

use super::Protocol;
use super::bytes::{PacketReader, PacketWriter, frame};

/// A packet that a server sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet {
    /// The answer to a CONNECT.
    Connack(Connack),
    /// A message.
    Publish(Message),
    /// The answer to a PUBLISH of QoS 1.
    Puback(Ack),
    /// The first answer to a PUBLISH of QoS 2.
    Pubrec(Ack),
    /// The sender's second packet of QoS 2.
    Pubrel(Ack),
    /// The last packet of QoS 2.
    Pubcomp(Ack),
    /// The answer to a SUBSCRIBE.
    Suback(Codes),
    /// The answer to an UNSUBSCRIBE; MQTT 3.1.1 has no codes here.
    Unsuback(Codes),
    /// The answer to a PINGREQ.
    Pingresp,
    /// The server ends the connection (5.0 alone).
    Disconnect {
        /// Why.
        code: u8,
        /// What else it says.
        properties: Properties,
    },
    /// A step of enhanced authentication (5.0 alone).
    Auth(Auth),
}

/// The answer to a CONNECT.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connack {
    /// 0, or why not: 1 to 5 in 3.1.1, 0x80 and more in 5.0.
    pub code: u8,
    /// Whether the server kept a session of this client id.
    pub session_present: bool,
    /// What else it says (5.0 alone).
    pub properties: Properties,
}

/// A step of enhanced authentication.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Auth {
    /// 0, 0x18 (continue) or 0x19 (again).
    pub code: u8,
    /// Method and data among others.
    pub properties: Properties,
}

impl Auth {
    /// The Authentication Data.
    pub fn data(&self) -> Option<&[u8]> {
        self.properties.bytes(property::AUTHENTICATION_DATA)
    }
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its content.
    pub payload: Vec<u8>,
    /// The quality of service it came with.
    pub qos: u8,
    /// Whether it was stored before the subscription was made.
    pub retain: bool,
    /// Whether it may have come before.
    pub duplicate: bool,
    /// Its packet identifier; 0 under QoS 0.
    pub id: u16,
    /// What else it says (5.0 alone).
    pub properties: Properties,
}

impl Message {
    /// Its content as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap()
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ack {
    /// The packet identifier that it answers.
    pub id: u16,
    /// 0 or why not; always 0 in 3.1.1.
    pub code: u8,
    /// What else it says (5.0 alone).
    pub properties: Properties,
}

/// SUBACK or UNSUBACK.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Codes {
    /// The packet identifier that it answers.
    pub id: u16,
    /// One for each filter.
    pub codes: Vec<u8>,
    /// What else it says (5.0 alone).
    pub properties: Properties,
}

/// The properties of a packet, in their order (5.0 §2.2.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties(pub Vec<(u8, Value)>);

/// What a property holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One byte.
    Byte(u8),
    /// Two bytes.
    Short(u16),
    /// Four bytes.
    Long(u32),
    /// A Variable Byte Integer.
    Varint(u32),
    /// Binary data.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// Two texts.
    Pair(String, String),
}

/// The identifiers of properties (5.0 §2.2.2.2) that tests name.
pub mod property {
    /// Session Expiry Interval, in seconds.
    pub const SESSION_EXPIRY: u8 = 0x11;
    /// Assigned Client Identifier.
    pub const ASSIGNED_CLIENT_ID: u8 = 0x12;
    /// Authentication Method.
    pub const AUTHENTICATION_METHOD: u8 = 0x15;
    /// Authentication Data.
    pub const AUTHENTICATION_DATA: u8 = 0x16;
    /// Will Delay Interval, in seconds.
    pub const WILL_DELAY: u8 = 0x18;
    /// Response Topic.
    pub const RESPONSE_TOPIC: u8 = 0x08;
    /// Correlation Data.
    pub const CORRELATION_DATA: u8 = 0x09;
    /// Reason String.
    pub const REASON: u8 = 0x1F;
    /// User Property.
    pub const USER: u8 = 0x26;
}

impl Properties {
    /// The text under this identifier.
    pub fn text(&self, id: u8) -> Option<&str> {
        self.0.iter().find_map(|(key, value)| match value {
            Value::Text(text) if *key == id => Some(text.as_str()),
            _ => None,
        })
    }

    /// The binary data under this identifier.
    pub fn bytes(&self, id: u8) -> Option<&[u8]> {
        self.0.iter().find_map(|(key, value)| match value {
            Value::Bytes(bytes) if *key == id => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// The number under this identifier.
    pub fn number(&self, id: u8) -> Option<u32> {
        self.0.iter().find_map(|(key, value)| match value {
            _ if *key != id => None,
            Value::Byte(number) => Some(u32::from(*number)),
            Value::Short(number) => Some(u32::from(*number)),
            Value::Long(number) | Value::Varint(number) => Some(*number),
            Value::Bytes(_) | Value::Text(_) | Value::Pair(..) => None,
        })
    }

    /// Adds one.
    pub fn push(&mut self, id: u8, value: Value) {
        self.0.push((id, value));
    }

    pub(super) fn read(from: &mut PacketReader<'_>) -> Result<Self> {
        let length = from.varint()?;
        let mut part = PacketReader(from.take(length)?);
        let mut properties = Self::default();
        while !part.0.is_empty() {
            let id = part.byte()?;
            let value = match id {
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => Value::Byte(part.byte()?),
                0x13 | 0x21 | 0x22 | 0x23 => Value::Short(part.short()?),
                0x02 | 0x11 | 0x18 | 0x27 => Value::Long(part.long()?),
                0x0B => Value::Varint(u32::try_from(part.varint()?)?),
                0x09 | 0x16 => Value::Bytes(part.bytes()?.to_vec()),
                0x03 | 0x08 | 0x12 | 0x15 | 0x1A | 0x1C | 0x1F => Value::Text(part.text()?),
                0x26 => Value::Pair(part.text()?, part.text()?),
                _ => bail!("there is no property {id:#04x}"),
            };
            properties.push(id, value);
        }
        Ok(properties)
    }

    pub(super) fn write(&self, to: &mut PacketWriter) {
        let mut part = PacketWriter::default();
        for (id, value) in &self.0 {
            part.byte(*id);
            match value {
                Value::Byte(number) => part.byte(*number),
                Value::Short(number) => part.short(*number),
                Value::Long(number) => part.0.extend(number.to_be_bytes()),
                Value::Varint(number) => part.varint(*number as usize),
                Value::Bytes(bytes) => part.bytes(bytes),
                Value::Text(text) => part.bytes(text.as_bytes()),
                Value::Pair(key, value) => {
                    part.bytes(key.as_bytes());
                    part.bytes(value.as_bytes());
                }
            }
        }
        to.varint(part.0.len());
        to.0.extend(part.0);
    }
}

impl Packet {
    /// Takes the first packet off `buffer`, or nothing if it is not whole yet.
    pub fn take(buffer: &mut Vec<u8>, protocol: Protocol) -> Result<Option<Self>> {
        let Some((header, length)) = frame(buffer)? else {
            return Ok(None);
        };
        let end = header + length;
        if buffer.len() < end {
            return Ok(None);
        }
        let bytes: Vec<u8> = buffer.drain(..end).collect();
        let packet = Self::read(bytes[0], &bytes[header..], protocol);
        packet
            .map(Some)
            .with_context(|| format!("the server sent {bytes:02x?}"))
    }

    fn read(first: u8, body: &[u8], protocol: Protocol) -> Result<Self> {
        let mut body = PacketReader(body);
        let is_v5 = protocol == Protocol::V5;
        let packet = match first >> 4 {
            2 => {
                let flags = body.byte()?;
                let code = body.byte()?;
                let properties = body.properties(is_v5)?;
                Self::Connack(Connack {
                    code,
                    session_present: flags & 1 == 1,
                    properties,
                })
            }
            3 => {
                let qos = first >> 1 & 3;
                let topic = body.text()?;
                let id = if qos > 0 { body.short()? } else { 0 };
                let properties = body.properties(is_v5)?;
                Self::Publish(Message {
                    topic,
                    payload: std::mem::take(&mut body.0).to_vec(),
                    qos,
                    retain: first & 1 == 1,
                    duplicate: first & 8 == 8,
                    id,
                    properties,
                })
            }
            4 => Self::Puback(body.ack(is_v5)?),
            5 => Self::Pubrec(body.ack(is_v5)?),
            6 => Self::Pubrel(body.ack(is_v5)?),
            7 => Self::Pubcomp(body.ack(is_v5)?),
            9 => Self::Suback(body.codes(is_v5)?),
            11 => Self::Unsuback(body.codes(is_v5)?),
            13 => Self::Pingresp,
            14 if is_v5 => {
                let (code, properties) = body.code_and_properties()?;
                Self::Disconnect { code, properties }
            }
            15 if is_v5 => {
                let (code, properties) = body.code_and_properties()?;
                Self::Auth(Auth { code, properties })
            }
            kind => bail!("a server sends no packet of type {kind}"),
        };
        ensure!(body.0.is_empty(), "the packet is longer than its content");
        Ok(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_no_packet() {
        assert_eq!(Packet::take(&mut Vec::new(), Protocol::V5).unwrap(), None);
    }

    #[test]
    fn a_packet_is_taken_when_it_is_whole() {
        let whole = [0x20, 0x02, 0x01, 0x05, 0xD0, 0x00];
        for length in 0..4 {
            let mut buffer = whole[..length].to_vec();
            assert_eq!(Packet::take(&mut buffer, Protocol::V311).unwrap(), None);
            assert_eq!(buffer.len(), length);
        }
        let mut buffer = whole.to_vec();
        let connack = Connack {
            code: 5,
            session_present: true,
            ..Connack::default()
        };
        let first = Packet::take(&mut buffer, Protocol::V311).unwrap();
        assert_eq!(first, Some(Packet::Connack(connack)));
        assert_eq!(
            Packet::take(&mut buffer, Protocol::V311).unwrap(),
            Some(Packet::Pingresp)
        );
        assert!(buffer.is_empty());
    }

    #[test]
    fn properties_are_read_as_they_are_written() {
        let properties = Properties(vec![
            (0x24, Value::Byte(1)),
            (0x21, Value::Short(20)),
            (property::SESSION_EXPIRY, Value::Long(70_000)),
            (0x0B, Value::Varint(268_435_455)),
            (property::AUTHENTICATION_DATA, Value::Bytes(vec![0, 255])),
            (property::REASON, Value::Text("why".to_owned())),
            (property::USER, Value::Pair("a".to_owned(), "b".repeat(300))),
        ]);
        let mut writer = PacketWriter::default();
        writer.properties(Protocol::V5, &properties);
        assert_eq!(
            Properties::read(&mut PacketReader(&writer.0)).unwrap(),
            properties
        );
    }

    #[test]
    fn a_malformed_packet_is_an_error() {
        for bytes in [
            &[0x20, 0x00][..],
            &[0x10, 0x00],
            &[0x20, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0xD0, 0x01, 0x00],
        ] {
            assert!(
                Packet::take(&mut bytes.to_vec(), Protocol::V5).is_err(),
                "{bytes:02x?}"
            );
        }
    }
}
