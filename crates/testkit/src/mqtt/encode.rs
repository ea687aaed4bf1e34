//! What a client sends, as bytes.

use super::Protocol;
use super::bytes::PacketWriter;
use super::packet::{Message, Properties, Value, property};

impl Message {
    /// The PUBLISH of it.
    pub fn bytes(&self, protocol: Protocol) -> Vec<u8> {
        let mut packet = PacketWriter::default();
        packet.bytes(self.topic.as_bytes());
        if self.qos > 0 {
            packet.short(self.id);
        }
        packet.properties(protocol, &self.properties);
        packet.raw(&self.payload);
        let flags = u8::from(self.duplicate) << 3 | self.qos << 1 | u8::from(self.retain);
        packet.packet(0x30 | flags)
    }
}

/// A SUBSCRIBE to filters, each with its QoS.
pub fn subscribe(protocol: Protocol, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut packet = PacketWriter::default();
    packet.short(id);
    packet.properties(protocol, &Properties::default());
    for (filter, qos) in filters {
        packet.bytes(filter.as_bytes());
        packet.byte(*qos);
    }
    packet.packet(0x82)
}

/// An UNSUBSCRIBE from filters.
pub fn unsubscribe(protocol: Protocol, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut packet = PacketWriter::default();
    packet.short(id);
    packet.properties(protocol, &Properties::default());
    for filter in filters {
        packet.bytes(filter.as_bytes());
    }
    packet.packet(0xA2)
}

/// An AUTH (5.0 alone): 0x18 to go on, 0x19 to begin again.
pub fn auth(code: u8, method: &str, data: Option<&[u8]>) -> Vec<u8> {
    let mut packet = PacketWriter::default();
    packet.byte(code);
    packet.properties(Protocol::V5, &authentication(method, data));
    packet.packet(0xF0)
}

/// Authentication Method and Authentication Data.
pub(super) fn authentication(method: &str, data: Option<&[u8]>) -> Properties {
    let mut properties = Properties::default();
    let method = Value::Text(method.to_owned());
    properties.push(property::AUTHENTICATION_METHOD, method);
    if let Some(data) = data {
        let data = Value::Bytes(data.to_vec());
        properties.push(property::AUTHENTICATION_DATA, data);
    }
    properties
}

/// [`PUBACK`], [`PUBREC`], [`PUBREL`] or [`PUBCOMP`] of this identifier.
pub fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &id.to_be_bytes())
}

/// Any packet: its first byte, and what follows the length.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    PacketWriter(body.to_vec()).packet(first)
}

/// The answer to a PUBLISH of QoS 1.
pub const PUBACK: u8 = 0x40;
/// The first answer to a PUBLISH of QoS 2.
pub const PUBREC: u8 = 0x50;
/// The second packet of the sender of QoS 2.
pub const PUBREL: u8 = 0x62;
/// The last packet of QoS 2.
pub const PUBCOMP: u8 = 0x70;

/// Are you there?
pub const PINGREQ: [u8; 2] = [0xC0, 0];
/// The end of a connection, which discards the Will.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];
