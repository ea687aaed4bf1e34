//! MQTT over WebSockets (MQTT 5.0 §6, RFC 6455), as much as a client needs.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail};

use super::client::PATIENCE;

/// How MQTT's bytes travel once the HTTP upgrade is done.
#[derive(Debug, Default)]
pub struct Frames {
    /// Came from the server and holds no whole frame yet.
    raw: Vec<u8>,
    upgraded: bool,
}

/// The request to change to WebSockets, with further headers.
pub fn request(headers: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut request = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
        .to_vec();
    for (name, value) in headers {
        request.extend(name.as_bytes());
        request.extend(b": ");
        request.extend(value);
        request.extend(b"\r\n");
    }
    request.extend(b"\r\n");
    request
}

/// Asks the server to change to WebSockets, with further headers, and waits
/// until it has.
pub(super) fn upgrade(stream: &mut TcpStream, headers: &[(String, Vec<u8>)]) -> Result<Frames> {
    stream.write_all(&request(headers))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut frames = Frames::default();
    while !frames.is_upgraded()? {
        let mut part = [0; 1024];
        let length = stream.read(&mut part).context("no answer to the upgrade")?;
        if length == 0 {
            bail!("the server closed the connection during the upgrade");
        }
        frames.extend(&part[..length]);
    }
    Ok(frames)
}

/// Some bytes as one binary frame of a client. The mask is zero: it hides
/// nothing from anybody here.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82];
    let length = bytes.len();
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        frame.push(0x80 | short);
    } else if let Ok(medium) = u16::try_from(length) {
        frame.push(0x80 | 126);
        frame.extend(medium.to_be_bytes());
    } else {
        frame.push(0x80 | 127);
        frame.extend((length as u64).to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(bytes);
    frame
}

impl Frames {
    /// Whether the server has changed to WebSockets; what follows its answer are
    /// frames. An answer that says no is an error.
    pub fn is_upgraded(&mut self) -> Result<bool> {
        let head = self.raw.windows(4).position(|part| part == b"\r\n\r\n");
        if let Some(end) = head.filter(|_| !self.upgraded) {
            let head = String::from_utf8_lossy(&self.raw[..end]).into_owned();
            if !head.starts_with("HTTP/1.1 101") {
                bail!("the server did not change to WebSockets: {head}");
            }
            self.raw.drain(..end + 4);
            self.upgraded = true;
        }
        Ok(self.upgraded)
    }

    /// Takes in what came from the server.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.raw.extend(bytes);
    }

    /// Moves the content of all whole frames to `buffer`; says whether the
    /// server closed the connection by one.
    pub fn unpack(&mut self, buffer: &mut Vec<u8>) -> bool {
        while let [first, second, ..] = self.raw[..] {
            let (start, length) = match (second & 0x7F, &self.raw[2..]) {
                (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
                (127, [a, b, c, d, e, f, g, h, ..]) => {
                    let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                    (10, usize::try_from(length).unwrap())
                }
                (126 | 127, _) => return false,
                (short, _) => (2, usize::from(short)),
            };
            let end = start + length;
            if self.raw.len() < end {
                return false;
            }
            match first & 0x0F {
                CLOSE => return true,
                CONTINUED | TEXT | BINARY => buffer.extend(&self.raw[start..end]),
                _ => {}
            }
            self.raw.drain(..end);
        }
        false
    }
}

const CONTINUED: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_come_back_whole_though_they_come_in_parts() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let content = vec![7; length];
            let mut frames = Frames::default();
            let mut buffer = Vec::new();
            // A server's frame has no mask.
            let mut sent = frame(&content);
            let mask = sent.len() - length - 4;
            sent.drain(mask..mask + 4);
            sent[1] &= 0x7F;
            for part in sent.chunks(1_000) {
                frames.extend(part);
                assert!(!frames.unpack(&mut buffer));
            }
            assert_eq!(buffer, content);
            frames.extend(&[0x88, 0]);
            assert!(frames.unpack(&mut buffer));
        }
    }
}
