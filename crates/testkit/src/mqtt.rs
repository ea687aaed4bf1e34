//! A raw, blocking MQTT client for 3.1.1 and 5.0, over TCP or WebSockets.
//!
//! It is our own so that tests see every code and can send what no library
//! would. It takes each packet as it comes: messages that arrive while it waits
//! for something else are kept for [`Client::receive`]. The packets and frames
//! are for those who have a connection of their own.

mod bytes;
mod client;
mod connect;
mod encode;
mod packet;
mod websocket;

pub use bytes::PacketReader;
pub use client::{Client, Closed};
pub use connect::{Answer, ClosedWithoutConnack, Connect, Will};
pub use encode::{
    DISCONNECT, PINGREQ, PUBACK, PUBCOMP, PUBREC, PUBREL, ack, auth, packet, subscribe,
};
pub use packet::{Auth, Connack, Message, Packet, Properties, Value, property};
pub use websocket::{Frames, frame, request};

/// Which MQTT a client speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// MQTT 3.1, which is older than the standard.
    V31,
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

impl Protocol {
    /// Those of the standard.
    pub const ALL: [Self; 2] = [Self::V311, Self::V5];

    /// The Protocol Name of a CONNECT.
    fn name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 | Self::V5 => "MQTT",
        }
    }

    /// The Protocol Level or Version of a CONNECT.
    pub fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }
}
