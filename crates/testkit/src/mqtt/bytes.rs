//! The bytes of packets, read and written field by field.

use anyhow::{Context, Result, bail, ensure};

use super::Protocol;
use super::packet::{Ack, Codes, Properties};

/// The lengths of the fixed header and of what follows it.
pub(super) fn frame(buffer: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, &byte) in buffer.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((index + 2, length)));
        }
    }
    ensure!(
        buffer.len() < 5,
        "the length of a packet has more than four bytes"
    );
    Ok(None)
}

/// What is left to be read of a packet.
#[derive(Clone, Copy, Debug)]
pub struct PacketReader<'a>(pub &'a [u8]);

impl<'a> PacketReader<'a> {
    /// The next so many bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (part, rest) = self
            .0
            .split_at_checked(length)
            .context("the packet is too short")?;
        self.0 = rest;
        Ok(part)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// Two bytes.
    pub fn short(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into()?))
    }

    /// Four bytes.
    pub fn long(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into()?))
    }

    /// A Variable Byte Integer.
    pub fn varint(&mut self) -> Result<usize> {
        let mut number = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        bail!("a Variable Byte Integer has more than four bytes")
    }

    /// Binary data, behind its length.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.short()?;
        self.take(length.into())
    }

    /// Text, behind its length.
    pub fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.bytes()?.to_vec())?)
    }

    pub(super) fn properties(&mut self, is_v5: bool) -> Result<Properties> {
        if is_v5 {
            Properties::read(self)
        } else {
            Ok(Properties::default())
        }
    }

    /// Either may be left out (5.0 §3.14.2.1, §3.15.2.1).
    pub(super) fn code_and_properties(&mut self) -> Result<(u8, Properties)> {
        let code = if self.0.is_empty() { 0 } else { self.byte()? };
        let properties = self.properties(!self.0.is_empty())?;
        Ok((code, properties))
    }

    pub(super) fn ack(&mut self, is_v5: bool) -> Result<Ack> {
        let id = self.short()?;
        let (code, properties) = if is_v5 {
            self.code_and_properties()?
        } else {
            Default::default()
        };
        Ok(Ack {
            id,
            code,
            properties,
        })
    }

    pub(super) fn codes(&mut self, is_v5: bool) -> Result<Codes> {
        let id = self.short()?;
        let properties = self.properties(is_v5)?;
        Ok(Codes {
            id,
            codes: std::mem::take(&mut self.0).to_vec(),
            properties,
        })
    }
}

/// The bytes of a packet in the making.
#[derive(Debug, Default)]
pub(super) struct PacketWriter(pub(super) Vec<u8>);

impl PacketWriter {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn short(&mut self, number: u16) {
        self.0.extend(number.to_be_bytes());
    }

    /// Bytes behind their length, as text has it too.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.short(u16::try_from(bytes.len()).expect("a field holds at most 65,535 bytes"));
        self.0.extend(bytes);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Properties, where the protocol has them.
    pub(super) fn properties(&mut self, protocol: Protocol, properties: &Properties) {
        if protocol == Protocol::V5 {
            properties.write(self);
        }
    }

    /// The whole packet, its fixed header in front.
    pub(super) fn packet(self, first: u8) -> Vec<u8> {
        let mut whole = Self::default();
        whole.byte(first);
        whole.varint(self.0.len());
        whole.0.extend(self.0);
        whole.0
    }

    pub(super) fn varint(&mut self, mut number: usize) {
        loop {
            let low = u8::try_from(number & 0x7F).unwrap();
            number >>= 7;
            if number == 0 {
                return self.byte(low);
            }
            self.byte(low | 0x80);
        }
    }
}
