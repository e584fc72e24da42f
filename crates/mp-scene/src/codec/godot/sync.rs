//! SYNC (6) and DELTA (6 with bit 4): properties of synchronizers, as captured from Godot 4.6.3.
//!
//! | | SYNC | DELTA |
//! |---|---|---|
//! | head | command, u16 sequence number | command |
//! | element | u32 synchronizer, u32 size, its `Always` properties | u32 synchronizer, u64 mask, u32 size, the `OnChange` properties in the mask |
//!
//! Values are compressed. The synchronizer is its net id from the SPAWN, or its path id with bit 31
//! set.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mp_core::Prefix;

use super::{DELTA_FLAG, SYNC};
use crate::codec::DecodeError;

/// Size in bytes of the head of a SYNC.
pub(crate) const SYNC_HEAD: usize = 3;

/// Size in bytes of an element of a SYNC before its values.
pub(crate) const SYNC_ELEMENT_HEAD: usize = 8;

/// Size in bytes of the head of a DELTA.
pub(crate) const DELTA_HEAD: usize = 1;

/// Size in bytes of an element of a DELTA before its values.
pub(crate) const DELTA_ELEMENT_HEAD: usize = 16;

/// Bit of a synchronizer's id that marks a path id; otherwise the id is a net id.
pub const BY_PATH: u32 = 1 << 31;

/// Minimum size in bytes of SYNC and DELTA packets. As in Godot, shorter packets are refused: they
/// cannot contain an element.
const LEN_MIN: usize = 11;

/// Returns the head of a SYNC.
pub(crate) fn sync_prefix(time: u16) -> Prefix {
    let [low, high] = time.to_le_bytes();
    Prefix::new(&[SYNC, low, high])
}

/// Appends an element of a SYNC, whose values `encode` appends. On an error `out` is unchanged.
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

/// Removes and returns the next element of a SYNC: id and values. Returns `None` at the end.
///
/// # Errors
///
/// If the element exceeds the packet.
pub fn next_sync_element(rest: &mut Bytes) -> Option<Result<(u32, Bytes), DecodeError>> {
    if rest.len() <= SYNC_ELEMENT_HEAD {
        return None;
    }
    let (id, size) = (rest.get_u32_le(), rest.get_u32_le() as usize);
    if size > rest.len() {
        return Some(Err(DecodeError::Truncated("an element of a SYNC")));
    }
    Some(Ok((id, rest.split_to(size))))
}

/// Removes and returns the next element of a DELTA: id, mask and values. Returns `None` at the end.
///
/// # Errors
///
/// If the element exceeds the packet.
pub fn next_delta_element(rest: &mut Bytes) -> Option<Result<(u32, u64, Bytes), DecodeError>> {
    if rest.len() <= DELTA_ELEMENT_HEAD {
        return None;
    }
    let (id, mask, size) = (rest.get_u32_le(), rest.get_u64_le(), rest.get_u32_le() as usize);
    if size > rest.len() {
        return Some(Err(DecodeError::Truncated("an element of a DELTA")));
    }
    Some(Ok((id, mask, rest.split_to(size))))
}
