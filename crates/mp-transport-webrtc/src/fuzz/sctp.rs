//! SCTP packets (RFC 9260) of a [`RawPeer`](super::RawPeer).

/// The kind of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) enum ChunkKind {
    Data = 0,
    Init = 1,
    InitAck = 2,
    CookieEcho = 10,
    CookieAck = 11,
}

/// A received chunk.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) kind: u8,
    body: Vec<u8>,
}

impl Chunk {
    /// Returns the tag and the cookie of an INIT ACK.
    pub(super) fn cookie(&self) -> Option<(u32, &[u8])> {
        if self.kind != ChunkKind::InitAck as u8 {
            return None;
        }
        let tag = u32::from_be_bytes(*self.body.first_chunk()?);
        // The parameters follow 16 bytes of fixed fields. The cookie has the type 7.
        let mut rest = self.body.get(16..)?;
        loop {
            let (kind, len) = (rest.get(..2)?, rest.get(2..4)?);
            let len = usize::from(u16::from_be_bytes(len.try_into().ok()?));
            let value = rest.get(4..len)?;
            if kind == [0, 7] {
                return Some((tag, value));
            }
            rest = rest.get(len.next_multiple_of(4)..)?;
        }
    }
}

/// Returns the chunks of a packet.
pub(super) fn chunks(packet: &[u8]) -> Vec<Chunk> {
    let mut rest = packet.get(12..).unwrap_or_default();
    let mut chunks = Vec::new();
    while let [kind, _, high, low, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([high, low]));
        let Some(body) = rest.get(4..len) else { break };
        chunks.push(Chunk { kind, body: body.to_vec() });
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    chunks
}

/// Returns a packet with `chunks`.
pub(super) fn packet(tag: u32, chunks: &[u8]) -> Vec<u8> {
    let mut packet = [&5_000_u16.to_be_bytes()[..], &5_000_u16.to_be_bytes()].concat();
    packet.extend_from_slice(&tag.to_be_bytes());
    packet.extend_from_slice(&[0; 4]);
    packet.extend_from_slice(chunks);
    let checksum = crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&checksum);
    packet
}

/// Returns a chunk, padded.
pub(super) fn chunk(kind: ChunkKind, flags: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + body.len()).unwrap_or(u16::MAX);
    let mut chunk = vec![kind as u8, flags];
    chunk.extend_from_slice(&len.to_be_bytes());
    chunk.extend_from_slice(body);
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    chunk
}

/// Returns an INIT chunk: tag 1, a window of 1 MiB, all streams, and `tsn` as the first number.
pub(super) fn init(tsn: u32) -> Vec<u8> {
    let fields = [&1_u32.to_be_bytes(), &(1_u32 << 20).to_be_bytes(), &[0xff; 4]];
    let mut body = fields.into_iter().flatten().copied().collect::<Vec<u8>>();
    body.extend_from_slice(&tsn.to_be_bytes());
    // Supported extensions: RE-CONFIG and FORWARD-TSN; and the parameter of FORWARD-TSN.
    body.extend_from_slice(&[0x80, 8, 0, 6, 130, 192, 0, 0, 0xc0, 0, 0, 4]);
    chunk(ChunkKind::Init, 0, &body)
}

/// Returns a DATA chunk of binary data.
pub(super) fn data(tsn: u32, flags: u8, stream: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut body = tsn.to_be_bytes().to_vec();
    body.extend_from_slice(&stream.0.to_be_bytes());
    body.extend_from_slice(&stream.1.to_be_bytes());
    body.extend_from_slice(&53_u32.to_be_bytes());
    body.extend_from_slice(payload);
    chunk(ChunkKind::Data, flags, &body)
}

/// Returns the CRC-32C of `bytes`.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
