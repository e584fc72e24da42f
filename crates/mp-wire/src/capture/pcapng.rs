//! The format pcapng: a header, and a block for each packet.

use std::io::{self, Write};
use std::time::Duration;

/// The content of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum LinkType {
    /// IPv4 or IPv6 (LINKTYPE_RAW).
    Ip = 101,
    /// Payloads with the name of their dissector (LINKTYPE_WIRESHARK_UPPER_PDU).
    UpperPdu = 252,
}

/// Writes a file of bounded size.
#[derive(Debug)]
pub(super) struct PcapWriter<W> {
    out: W,
    /// Bytes that may still be written.
    left: u64,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the header of a file of at most `bytes_max` bytes, besides the header.
    pub(super) fn new(mut out: W, link: LinkType, bytes_max: u64) -> io::Result<Self> {
        let section = [BYTE_ORDER.to_le_bytes(), VERSION.to_le_bytes()].concat();
        // The length of the section is not known.
        out.write_all(&block(SECTION_HEADER, &[section, vec![0xff; 8]].concat()))?;
        let link = [(link as u32).to_le_bytes(), 0_u32.to_le_bytes()].concat();
        out.write_all(&block(INTERFACE, &link))?;
        Ok(Self { out, left: bytes_max })
    }

    /// Writes a packet of which `original_len` bytes were on the wire. `at`: time since 1970.
    /// Returns false if the file would become too large.
    pub(super) fn packet(
        &mut self,
        at: Duration,
        bytes: &[u8],
        original_len: usize,
    ) -> io::Result<bool> {
        let micros = at.as_micros() as u64;
        let mut body = Vec::with_capacity(bytes.len() + 32);
        let (high, low) = ((micros >> 32) as u32, micros as u32);
        for field in [0, high, low, bytes.len() as u32, original_len as u32] {
            body.extend_from_slice(&field.to_le_bytes());
        }
        body.extend_from_slice(bytes);
        let block = block(ENHANCED_PACKET, &body);
        let Some(left) = self.left.checked_sub(block.len() as u64) else { return Ok(false) };
        self.left = left;
        self.out.write_all(&block)?;
        Ok(true)
    }
}

/// Returns a block, with its padding.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = (padded as u32 + 12).to_le_bytes();
    let mut block = [&kind.to_le_bytes()[..], &len, body].concat();
    block.resize(8 + padded, 0);
    block.extend_from_slice(&len);
    block
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_beyond_the_size_are_not_written() {
        let mut file = Vec::new();
        let mut writer = PcapWriter::new(&mut file, LinkType::Ip, 40).unwrap();
        let at = Duration::from_micros(5 << 32 | 7);
        assert!(writer.packet(at, b"abcde", 9).unwrap());
        assert!(!writer.packet(at, b"", 0).unwrap());
        assert_eq!(file.len(), 28 + 20 + 40);
        assert_eq!(file[28..48], block(INTERFACE, &[101, 0, 0, 0, 0, 0, 0, 0]));
        let expected = "0600000028000000000000000500000007000000\
                        050000000900000061626364650000002800\
                        0000";
        let written: String = file[48..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, expected);
    }
}
