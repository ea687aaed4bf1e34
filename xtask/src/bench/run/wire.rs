//! MQTT 3.1.1 packets, encoded once and sent many times.

use super::login::Login;

pub const PINGREQ: [u8; 2] = [0xC0, 0];
pub const PINGRESP: [u8; 2] = [0xD0, 0];
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// A CONNECT of a clean session.
pub fn connect(client_id: &str, login: &Login) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    // Level 4; user name, password, clean session; no keep-alive.
    body.extend([4, 0b1100_0010, 0, 0]);
    text(&mut body, client_id);
    text(&mut body, &login.username);
    text(&mut body, &login.password);
    packet(0x10, &body)
}

/// A SUBSCRIBE with packet identifier 1 to one filter, QoS 0.
pub fn subscribe(filter: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    text(&mut body, filter);
    body.push(0);
    packet(0x82, &body)
}

/// A PUBLISH; one of QoS 1 when it has a packet identifier.
pub fn publish(topic: &str, payload: &[u8], id: Option<u16>) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    let first = match id {
        Some(id) => {
            body.extend(id.to_be_bytes());
            0x32
        }
        None => 0x30,
    };
    body.extend(payload);
    packet(first, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let digit = (left % 128) as u8;
        left /= 128;
        if left == 0 {
            packet.push(digit);
            break;
        }
        packet.push(digit | 0x80);
    }
    packet.extend(body);
    packet
}

fn text(body: &mut Vec<u8>, text: &str) {
    // Ours are short.
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text.as_bytes());
}
