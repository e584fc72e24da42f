//! SYNC (6) and DELTA (6 with bit 4): properties of synchronizers. Layout after captures of Godot 4.6.3.
//!
//! | | SYNC | DELTA |
//! |---|---|---|
//! | head | command, u16 net time | command |
//! | element | u32 synchronizer, u32 size, its always properties | u32 synchronizer, u64 mask, u32 size, the on_change properties in the mask |
//!
//! Values are compressed. A synchronizer is named by the net id from its SPAWN, or by its number in the path cache with bit 31.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mp_core::Prefix;

use super::{DELTA_FLAG, SYNC};
use crate::codec::DecodeError;

/// Bytes of the head of a SYNC.
pub(crate) const SYNC_HEAD: usize = 3;

/// Bytes of an element of a SYNC before its values.
pub(crate) const SYNC_ELEMENT_HEAD: usize = 8;

/// Bytes of the head of a DELTA.
pub(crate) const DELTA_HEAD: usize = 1;

/// Bytes of an element of a DELTA before its values.
pub(crate) const DELTA_ELEMENT_HEAD: usize = 16;

/// Says that the rest is a number of the path cache.
pub(crate) const BY_PATH: u32 = 1 << 31;

/// What Godot refuses without looking: shorter than any element.
const LEN_MIN: usize = 11;

/// The head of a SYNC.
pub(crate) fn sync_prefix(time: u16) -> Prefix {
    let [low, high] = time.to_le_bytes();
    Prefix::new(&[SYNC, low, high])
}

/// Appends an element of a SYNC whose values `encode` appends; on an error nothing is appended.
pub(crate) fn put_sync_element<E>(
    id: u32,
    out: &mut BytesMut,
    encode: impl FnOnce(&mut BytesMut) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    out.put_u32_le(id);
    out.put_u32_le(0);
    if let Err(error) = encode(out) {
        out.truncate(start);
        return Err(error);
    }
    let size = (out.len() - start - SYNC_ELEMENT_HEAD) as u32;
    out[start + 4..start + SYNC_ELEMENT_HEAD].copy_from_slice(&size.to_le_bytes());
    Ok(())
}

/// Appends the head of a DELTA.
pub(crate) fn put_delta_head(out: &mut BytesMut) {
    out.put_u8(SYNC | DELTA_FLAG);
}

/// Appends an element of a DELTA with these values.
pub(crate) fn put_delta_element<'v>(
    id: u32,
    mask: u64,
    size: usize,
    values: impl Iterator<Item = &'v [u8]>,
    out: &mut BytesMut,
) {
    out.put_u32_le(id);
    out.put_u64_le(mask);
    out.put_u32_le(size as u32);
    values.for_each(|value| out.put_slice(value));
}

pub(super) fn encode_sync(time: u16, elements: &[u8], out: &mut BytesMut) {
    out.put_slice(sync_prefix(time).as_slice());
    out.put_slice(elements);
}

pub(super) fn encode_delta(elements: &[u8], out: &mut BytesMut) {
    put_delta_head(out);
    out.put_slice(elements);
}

pub(super) fn is_delta(first: u8) -> bool {
    first & DELTA_FLAG != 0
}

pub(super) fn decode_sync(packet: &Bytes) -> Result<(u16, Bytes), DecodeError> {
    if packet.len() < LEN_MIN {
        return Err(DecodeError::Truncated("the first element of a SYNC"));
    }
    Ok((u16::from_le_bytes([packet[1], packet[2]]), packet.slice(SYNC_HEAD..)))
}

pub(super) fn decode_delta(packet: &Bytes) -> Result<Bytes, DecodeError> {
    if packet.len() < LEN_MIN {
        return Err(DecodeError::Truncated("the first element of a DELTA"));
    }
    Ok(packet.slice(DELTA_HEAD..))
}

/// The next element of a SYNC: whose it is, and its values. `None` at the end; an error when it passes the end.
pub(crate) fn next_sync_element(rest: &mut Bytes) -> Option<Result<(u32, Bytes), DecodeError>> {
    if rest.len() <= SYNC_ELEMENT_HEAD {
        return None;
    }
    let (id, size) = (rest.get_u32_le(), rest.get_u32_le() as usize);
    if size > rest.len() {
        return Some(Err(DecodeError::Truncated("an element of a SYNC")));
    }
    Some(Ok((id, rest.split_to(size))))
}

/// The next element of a DELTA: whose it is, its mask and its values. `None` at the end; an error when it passes the end.
pub(crate) fn next_delta_element(
    rest: &mut Bytes,
) -> Option<Result<(u32, u64, Bytes), DecodeError>> {
    if rest.len() <= DELTA_ELEMENT_HEAD {
        return None;
    }
    let (id, mask, size) = (rest.get_u32_le(), rest.get_u64_le(), rest.get_u32_le() as usize);
    if size > rest.len() {
        return Some(Err(DecodeError::Truncated("an element of a DELTA")));
    }
    Some(Ok((id, mask, rest.split_to(size))))
}
