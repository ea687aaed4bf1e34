//! A raw, blocking MQTT client for 3.1.1 and 5.0, over TCP or WebSockets.
//!
//! It is our own so that tests see every code and can send what no library
//! would. It takes each packet as it comes: messages that arrive while it waits
//! for something else are kept for [`Client::receive`].

mod client;
mod connect;
mod packet;
mod websocket;

pub use client::{Client, Closed};
pub use connect::{Answer, ClosedWithoutConnack, Connect, Will};
pub use packet::{Auth, Connack, Message, Packet, Properties, Value, property};

/// Which MQTT a client speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

impl Protocol {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V311, Self::V5];
}
