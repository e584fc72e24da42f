//! Bodies of the fuzz targets of this crate. Each accepts any bytes and panics when a property is
//! violated. See `fuzz/` in the repository.

use std::time::Duration;

use bytes::Bytes;
use mp_core::fuzz::pieces;
use mp_transport_enet::proto::CompressionMode;

use crate::limits::TEXT_BYTES_MAX;
use crate::{Capture, Direction, Totals, WireDatagram, WireDecoder, WireKind};

/// Captures datagrams in each compression, each preceded by a byte whose lowest bit is its
/// direction. The file must be bounded, and each datagram be counted once.
pub fn wire_datagrams(data: &[u8]) {
    for mode in CompressionMode::ALL.iter().copied() {
        let (client, server) = (([10, 0, 0, 2], 5).into(), ([10, 0, 0, 1], 7777).into());
        let mut file = Vec::new();
        let capture = Capture::of_datagrams(&mut file, server, mode, None, FILE_BYTES_MAX);
        let mut capture = capture.expect("a Vec can be written");
        let mut expected = 0;
        for piece in pieces(data) {
            let Some((first, bytes)) = piece.split_first() else { continue };
            let direction = match first & 1 {
                0 => Direction::ToServer,
                _ => Direction::ToClient,
            };
            let bytes = Bytes::copy_from_slice(bytes);
            capture.datagram(Duration::ZERO, &WireDatagram { client, direction, bytes });
            expected += 1;
        }
        let stats = capture.stats();
        assert_eq!(stats.written + stats.omitted, expected);
        assert!(file.len() as u64 <= FILE_BYTES_MAX + 48, "{}", file.len());
    }
}

const FILE_BYTES_MAX: u64 = 16 << 10;

/// Decodes the packets of a connection, each preceded by a byte whose lowest bit is its direction.
/// Texts must be bounded and without control characters, and totals must add up.
pub fn wire_packets(data: &[u8]) {
    let (mut decoder, mut totals) = (WireDecoder::new(None), Totals::default());
    let mut expected = [(0, 0); 2];
    for piece in pieces(data) {
        let Some((first, payload)) = piece.split_first() else { continue };
        let direction = match first & 1 {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        let packet = decoder.decode(direction, &Bytes::copy_from_slice(payload));
        assert!(WireKind::ALL.contains(&packet.kind()));
        totals.add(packet.kind(), direction, payload.len());
        let (packets, bytes) = &mut expected[direction as usize];
        *packets += 1;
        *bytes += payload.len() as u64;
        let text = packet.to_string();
        assert!(text.len() <= TEXT_BYTES_MAX + "\u{10ffff}…".len() * 4, "{}", text.len());
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    for direction in [Direction::ToServer, Direction::ToClient] {
        let all = totals.all(direction);
        assert_eq!((all.packets, all.bytes), expected[direction as usize]);
    }
}
