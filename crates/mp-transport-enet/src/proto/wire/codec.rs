//! Encoding and decoding of whole datagrams: compression and checksums.
//!
//! A checksum follows the header: CRC-32 of the header with its flags, a key, and the commands
//! before compression. The key is the connect id, or zeros in a datagram without a peer id.
//! (Source: ENet 1.3; Godot never uses checksums.)

use mp_core::bug;

use super::header::Header;
use crate::proto::compress::{CompressionMode, Compressor};
use crate::proto::{DatagramRefusal, MTU_MAX, NO_PEER};

/// The encoder and decoder of a host's datagrams.
#[derive(Debug, Default)]
pub(crate) struct DatagramCodec {
    compressor: Compressor,
    has_checksum: bool,
    /// Output of the compressor. Empty without compression.
    scratch: Box<[u8]>,
}

impl DatagramCodec {
    pub(crate) fn new(compression: CompressionMode, has_checksum: bool) -> Self {
        let scratch = match compression {
            CompressionMode::None => Box::default(),
            _ => vec![0; SCRATCH_LEN].into(),
        };
        Self { compressor: Compressor::new(compression), has_checksum, scratch }
    }

    /// Returns whether [`encode`](Self::encode) changes datagrams and their lengths.
    pub(crate) fn is_active(&self) -> bool {
        self.has_checksum || self.compressor.mode() != CompressionMode::None
    }

    /// Returns the bytes that a checksum adds to each datagram.
    pub(crate) const fn overhead(&self) -> usize {
        if self.has_checksum { CHECKSUM_LEN } else { 0 }
    }

    /// Returns the commands of a datagram. `rest`: bytes after its header. `connect_id`: that of
    /// the peer.
    pub(crate) fn decode<'a>(
        &'a mut self,
        header: &Header,
        mut rest: &'a [u8],
        connect_id: [u8; 4],
    ) -> Result<&'a [u8], DatagramRefusal> {
        let checksum = if self.has_checksum {
            let (&checksum, after) =
                rest.split_first_chunk().ok_or(DatagramRefusal::WrongChecksum)?;
            rest = after;
            Some(u32::from_be_bytes(checksum))
        } else {
            None
        };
        if header.compressed {
            if self.compressor.mode() == CompressionMode::None {
                return Err(DatagramRefusal::UnexpectedCompression);
            }
            let room = usize::from(MTU_MAX) - header.encoded_len();
            let out = &mut self.scratch[..room];
            let len =
                self.compressor.expand(rest, out).ok_or(DatagramRefusal::NotDecompressible)?;
            rest = &self.scratch[..len];
        }
        if let Some(checksum) = checksum
            && checksum != crc_32(header, connect_id, rest)
        {
            return Err(DatagramRefusal::WrongChecksum);
        }
        Ok(rest)
    }

    /// Encodes the datagram of `len` bytes at the start of `buf`, which must have [`CHECKSUM_LEN`]
    /// bytes more with a checksum. Returns the new length.
    pub(crate) fn encode(&mut self, buf: &mut [u8], len: usize, connect_id: [u8; 4]) -> usize {
        let Some((mut header, commands)) = Header::parse(&buf[..len]) else {
            bug!("a datagram of {len} bytes was packed without a header");
            return len;
        };
        let header_len = header.encoded_len();
        let plain_len = commands.len();
        let packed_len = self.compressor.compress(commands, &mut self.scratch);
        let packed_len = packed_len.filter(|&packed| packed < plain_len);
        header.compressed = packed_len.is_some();
        let commands_at = if self.has_checksum {
            let checksum = crc_32(&header, connect_id, commands);
            let commands_at = header_len + CHECKSUM_LEN;
            if packed_len.is_none() {
                buf.copy_within(header_len..len, commands_at);
            }
            buf[header_len..commands_at].copy_from_slice(&checksum.to_be_bytes());
            commands_at
        } else {
            header_len
        };
        let Some(packed_len) = packed_len else { return commands_at + plain_len };
        header.emit(buf);
        buf[commands_at..commands_at + packed_len].copy_from_slice(&self.scratch[..packed_len]);
        commands_at + packed_len
    }
}

fn crc_32(header: &Header, connect_id: [u8; 4], commands: &[u8]) -> u32 {
    let mut bytes = [0; Header::LEN_MAX];
    let header_len = header.emit(&mut bytes);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..header_len]);
    hasher.update(if header.peer_id == NO_PEER { &[0; 4] } else { &connect_id });
    hasher.update(commands);
    hasher.finalize()
}

/// Length of a checksum in bytes.
pub(crate) const CHECKSUM_LEN: usize = 4;

/// Length of a datagram that compression makes longer, in the worst case of all modes.
const SCRATCH_LEN: usize = MTU_MAX as usize + 512;

#[cfg(test)]
mod tests {
    use super::*;

    /// BANDWIDTH_LIMIT and PING to peer 5 in session 2, whose connect id is `CONNECT_ID`.
    const DATAGRAM: [u8; 20] =
        [0xa0, 5, 0x12, 0x34, 0x8a, 0xff, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x85, 0xff, 0, 3];
    const CONNECT_ID: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];

    fn encoded(codec: &mut DatagramCodec, datagram: &[u8]) -> Vec<u8> {
        let mut buf = vec![0; 4_096];
        buf[..datagram.len()].copy_from_slice(datagram);
        let len = codec.encode(&mut buf, datagram.len(), CONNECT_ID);
        buf.truncate(len);
        buf
    }

    fn decoded(
        codec: &mut DatagramCodec,
        datagram: &[u8],
        key: [u8; 4],
    ) -> Result<Vec<u8>, DatagramRefusal> {
        let (header, rest) = Header::parse(datagram).unwrap();
        codec.decode(&header, rest, key).map(<[u8]>::to_vec)
    }

    #[test]
    fn encoded_datagrams_can_be_decoded_in_every_mode_with_and_without_a_checksum() {
        for mode in CompressionMode::ALL.iter().copied() {
            for has_checksum in [false, true] {
                let mut codec = DatagramCodec::new(mode, has_checksum);
                let bytes = encoded(&mut codec, &DATAGRAM);
                let commands = decoded(&mut codec, &bytes, CONNECT_ID).unwrap();
                assert_eq!(commands[..16], DATAGRAM[4..], "{mode:?} {has_checksum}");
            }
        }
    }

    #[test]
    fn the_checksum_covers_header_key_and_commands() {
        // As in ENet: crc32(header + key + commands). The key of a CONNECT is 0.
        let mut codec = DatagramCodec::new(CompressionMode::None, true);
        let connect = [0x8f, 0xff, 0x6f, 0x98, 0x82, 0xff, 0, 1];
        let bytes = encoded(&mut codec, &connect);
        let expected = crc32fast::hash(&[0x8f, 0xff, 0x6f, 0x98, 0, 0, 0, 0, 0x82, 0xff, 0, 1]);
        assert_eq!(bytes[4..8], expected.to_be_bytes());
        assert_eq!(bytes[8..], connect[4..]);

        let bytes = encoded(&mut codec, &DATAGRAM);
        assert_eq!(
            decoded(&mut codec, &bytes, [1; 4]),
            Err(DatagramRefusal::WrongChecksum),
            "another key"
        );
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let result = decoded(&mut codec, &changed, CONNECT_ID);
            assert_eq!(result, Err(DatagramRefusal::WrongChecksum), "byte {index}");
        }
        assert_eq!(
            decoded(&mut codec, &bytes[..6], CONNECT_ID),
            Err(DatagramRefusal::WrongChecksum),
            "short"
        );
    }

    #[test]
    fn datagrams_that_do_not_shrink_are_sent_uncompressed() {
        let ping = [0x80, 0, 1, 2, 0x85, 0xff, 0, 2];
        for mode in CompressionMode::ALL.iter().copied() {
            assert_eq!(encoded(&mut DatagramCodec::new(mode, false), &ping), ping, "{mode:?}");
        }
    }

    #[test]
    fn compressed_datagrams_need_a_compressor_of_the_same_mode() {
        for mode in CompressionMode::ALL.iter().copied().skip(1) {
            let mut datagram = DATAGRAM[..4].to_vec();
            datagram.extend([0; 600]);
            let bytes = encoded(&mut DatagramCodec::new(mode, false), &datagram);
            assert!(bytes.len() < 100, "{mode:?}");
            let mut none = DatagramCodec::new(CompressionMode::None, false);
            assert_eq!(
                decoded(&mut none, &bytes, CONNECT_ID),
                Err(DatagramRefusal::UnexpectedCompression)
            );
        }
    }

    #[test]
    fn a_datagram_never_decompresses_to_more_than_the_maximum() {
        for mode in CompressionMode::ALL.iter().copied().skip(1) {
            let mut codec = DatagramCodec::new(mode, false);
            let mut block = [0; 8_000];
            let len = codec.compressor.compress(&[0; 4_093], &mut block).unwrap();
            let header = Header { peer_id: 0, session: 0, compressed: true, sent_time: Some(1) };
            let result = codec.decode(&header, &block[..len], CONNECT_ID);
            assert_eq!(result, Err(DatagramRefusal::NotDecompressible), "{mode:?}");
            let header = Header { sent_time: None, ..header };
            assert!(codec.decode(&header, &block[..len], CONNECT_ID).is_ok(), "{mode:?}");
        }
    }
}
