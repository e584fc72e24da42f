//! Encoding: each frame has the length of its body (u32, little-endian), a kind, a channel, and the
//! body.
//!
//! | kind | frame | body |
//! |---|---|---|
//! | 0, 1, 2 | packet; kind is Godot's number of its mode | the packet |
//! | 3 | hello, the first frame of a client | its id (u32) |
//! | 4 | welcome, the first frame of a server | 0 (u32) |
//! | 5 | ping | a number (u32) |
//! | 6 | pong | number of the ping |
//!
//! There is no disconnect frame: TCP has one.

use mp::core::{Channel, PeerId, TransferMode};

use super::PACKET_BYTES_MAX;

const HEADER: usize = 6;
pub(super) const HELLO: u8 = 3;
pub(super) const WELCOME: u8 = 4;
pub(super) const PING: u8 = 5;
pub(super) const PONG: u8 = 6;

/// Frame that must be received first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    Hello,
    Welcome,
}

pub(super) enum Frame<'a> {
    Packet(TransferMode, Channel, &'a [u8]),
    Hello(PeerId),
    Welcome,
    Ping(u32),
    Pong(u32),
}

/// Error for bytes that violate the protocol.
pub(super) struct Malformed;

/// Returns the first frame of `bytes` and its length, or `None` if it is incomplete. Checks the
/// header before buffering the body: until the hello, at most 10 bytes.
pub(super) fn parse(
    bytes: &[u8],
    awaits: Option<Awaits>,
) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    let Some((&[a, b, c, d, kind, channel], rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    let mode = TransferMode::from_raw(kind);
    let makes_sense = match (kind, awaits) {
        (HELLO, Some(Awaits::Hello)) | (WELCOME, Some(Awaits::Welcome)) => len == 4,
        (PING | PONG, None) => len == 4,
        (_, None) => mode.is_some() && len <= PACKET_BYTES_MAX,
        _ => false,
    };
    if !makes_sense {
        return Err(Malformed);
    }
    let Some(body) = rest.get(..len) else { return Ok(None) };
    let number = body.first_chunk().map_or(0, |number| u32::from_le_bytes(*number));
    let frame = match (mode, kind) {
        (Some(mode), _) => Frame::Packet(mode, Channel(channel), body),
        (_, HELLO) => Frame::Hello(PeerId::new(number as i32).ok_or(Malformed)?),
        (_, WELCOME) => Frame::Welcome,
        (_, PING) => Frame::Ping(number),
        _ => Frame::Pong(number),
    };
    Ok(Some((frame, HEADER + len)))
}

pub(super) fn put(outbox: &mut Vec<u8>, kind: u8, channel: u8, body: &[&[u8]]) {
    // At most PACKET_BYTES_MAX.
    let len = body.iter().map(|part| part.len()).sum::<usize>() as u32;
    outbox.extend(len.to_le_bytes());
    outbox.extend([kind, channel]);
    body.iter().for_each(|part| outbox.extend_from_slice(part));
}

pub(super) fn put_number(outbox: &mut Vec<u8>, kind: u8, number: u32) {
    put(outbox, kind, 0, &[&number.to_le_bytes()]);
}
